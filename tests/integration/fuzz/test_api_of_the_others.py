"""No caller finds an error of the server or an answer other than described: outreach, segmentation and analytics."""

import pytest

from tests.integration.fuzz.fuzzing import CALLERS, SECONDS, check_answers
from tests.integration.live.process import Product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS)]


@pytest.mark.parametrize("role", CALLERS)
@pytest.mark.parametrize("service", ["outreach", "segmentation", "analytics"])
def test_every_answer_is_as_described(product: Product, service: str, role: str) -> None:
    check_answers(product, service, role)
