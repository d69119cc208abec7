"""Which services there are, in the order of the flow."""

from services.analytics import service as analytics
from services.intake import service as intake
from services.legal import service as legal
from services.outreach import service as outreach
from services.segmentation import service as segmentation
from shared.service import Service
from shared.settings import Settings

DECLARATIONS = {
    "intake": intake.declare,
    "segmentation": segmentation.declare,
    "outreach": outreach.declare,
    "legal": legal.declare,
    "analytics": analytics.declare,
}


def declared(settings: Settings, names: list[str] | None = None) -> list[Service]:
    """The named services, or all five. Raises WrongDataError, one line that names the file."""
    return [declare(settings) for name, declare in DECLARATIONS.items() if names is None or name in names]
