"""Which services there are, in the order of the flow."""

from services.analytics import service as analytics
from services.intake import service as intake
from services.intake.cases.domain.reporting import SchemeError
from services.legal import service as legal
from services.legal.domain import WrongDataError as WrongLegalDataError
from services.outreach import service as outreach
from services.outreach.data import WrongDataError as WrongOutreachDataError
from services.segmentation import service as segmentation
from services.segmentation.domain import WrongDataError as WrongSegmentationDataError
from shared.service import Service
from shared.settings import Settings

DECLARATIONS = {
    "intake": intake.declare,
    "segmentation": segmentation.declare,
    "outreach": outreach.declare,
    "legal": legal.declare,
    "analytics": analytics.declare,
}

WRONG_DATA = (SchemeError, WrongLegalDataError, WrongOutreachDataError, WrongSegmentationDataError)
"""What a declaration raises where a data file contradicts itself; domains share no base for it, nor may services."""


def declared(settings: Settings, names: list[str] | None = None) -> list[Service]:
    """The named services, or all five. Raises one of WRONG_DATA, one line that names the file."""
    return [declare(settings) for name, declare in DECLARATIONS.items() if names is None or name in names]
