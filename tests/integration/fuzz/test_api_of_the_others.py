"""No caller finds an error of the server or an answer other than described: outreach, segmentation and analytics."""

import pytest

from tests.integration.fuzz.fuzzing import CALLERS, SECONDS, check_answers
from tests.integration.live.process import Product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS)]


TWO_AGENCIES = ("outreach", "agency")
"""Who asks for more than refusals there: `test_api_of_two_agencies.py`."""

ASKED = [(service, role) for service in ("outreach", "segmentation", "analytics") for role in CALLERS]


@pytest.mark.parametrize(("service", "role"), [each for each in ASKED if each != TWO_AGENCIES])
def test_every_answer_is_as_described(product: Product, service: str, role: str) -> None:
    check_answers(product, service, role)
