"""What analytics has counted, and what it holds about a debtor, over HTTP."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from services.analytics import store
from services.analytics.domain.rolls import Transition
from shared.http.auth import Role, require
from shared.http.database import Connection
from shared.http.inputs import NO_NUL, DebtorId
from shared.http.paging import Page, PageRequest, Paging
from shared.http.problems import Problem

Scheme = Annotated[
    str | None, Query(max_length=128, pattern=NO_NUL, description="A reporting scheme; all of them if left out.")
]
Month = Annotated[str | None, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="A month as YYYY-MM, included.")]


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CaseView(_View):
    """The case as intake last told it, and where segmentation put it."""

    case_id: str
    lender_id: str
    case_version: int
    status: str
    disposition: str
    opened_on: date
    business_date: date
    stage: str
    strategy: str


class LoanView(_View):
    """A loan and its move of the month; amounts are minor units of `currency`."""

    loan_id: str
    lender_id: str
    product: str
    portfolio: str
    scheme: str
    currency: str
    past_due: int
    outstanding: int
    month: str
    opening: str
    bucket: str


class StepView(_View):
    """One step of a plan and how it stands."""

    number: int
    channel: str
    state: str


class PlanView(_View):
    """A plan that has not ended, or the last one."""

    plan_number: int
    lender_id: str
    stage: str
    strategy: str
    strategy_version: int
    state: str
    steps: list[StepView]


class DebtorView(_View):
    """What analytics holds about a debtor; `facts` is how many it has kept of each type."""

    debtor_id: str
    case: CaseView | None
    loans: list[LoanView]
    plans: list[PlanView]
    facts: dict[str, int]


class RollRateView(_View):
    """So many loans that stood in one bucket at the end of the month before, and in another (or still) at its end.

    `opening` is how many stood in `from_bucket` then, and `percent` what part of them moved so: null for loans that
    are new or come from another scheme or product.
    """

    scheme: str
    lender_id: str
    product: str
    month: str
    from_bucket: str
    to_bucket: str
    loans: int
    opening: int | None
    percent: float | None


class BookView(_View):
    """The loans of a bucket now; amounts are minor units of `currency`."""

    scheme: str
    lender_id: str
    product: str
    bucket: str
    currency: str
    loans: int
    past_due: int
    outstanding: int


class StockView(_View):
    """How many loans, and what is past due on them, by currency, in minor units."""

    loans: int
    past_due: dict[str, int]


class CasesView(_View):
    """What has happened to cases; those closed by disposition."""

    opened: int
    reopened: int
    cured: int
    closed: dict[str, int]


class CashView(_View):
    """How many, and how much in minor units."""

    amount: int
    count: int


class ArmView(_View):
    """What became of the persons of one arm, as they were drawn, whatever was done in the end.

    `cured`: of how many nothing was past due any more, at least once. `paid`: by currency, in minor units, less what
    was taken back.
    """

    debtors: int
    contacts: int
    cured: int
    paid: dict[str, int]
    promises_kept: int


class ExperimentView(_View):
    """The arms of one experiment side by side; chance alone chose between them."""

    experiment: str
    arms: dict[str, ArmView]


class SummaryView(_View):
    """All that is and was: the book by scheme and bucket, and what has happened since the first fact."""

    book: dict[str, dict[str, StockView]]
    cases: CasesView
    plans: dict[str, int] = Field(description="By state.")
    steps: dict[str, dict[str, int]] = Field(description="By channel and state.")
    contacts: dict[str, dict[str, int]] = Field(description="By channel and how they ended; permits among them.")
    denials: dict[str, int] = Field(description="Refusals by the rule that stood in the way.")
    outcomes: dict[str, dict[str, int]] = Field(
        description="What contacts led to, by channel and result; and opt-outs that were withdrawn."
    )
    promises: dict[str, int] = Field(description="Made, kept and broken; one whose end holds no longer is not in it.")
    visits: dict[str, int]
    matters: dict[str, int]
    payments: dict[str, CashView] = Field(description="By currency.")
    reversals: dict[str, CashView] = Field(description="By currency.")
    experiments: dict[str, dict[str, ArmView]] = Field(description="By experiment and arm.")


def routes() -> APIRouter:
    """The routes, for operators and supervisors."""
    router = APIRouter(
        prefix="/v1", tags=["analytics"], dependencies=[Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
    )
    router.add_api_route("/debtors/{debtor_id}", read_debtor, methods=["GET"])
    router.add_api_route("/roll-rates", list_roll_rates, methods=["GET"])
    router.add_api_route("/book", list_book, methods=["GET"])
    router.add_api_route("/experiments", list_experiments, methods=["GET"])
    router.add_api_route("/summary", read_summary, methods=["GET"])
    return router


async def read_debtor(debtor_id: DebtorId, connection: Connection) -> DebtorView:
    """What is held about a debtor."""
    held = await store.find_debtor(connection, debtor_id)
    if held is None:
        raise Problem(404, "No such debtor", "Analytics has not heard any fact about this debtor.")
    return _debtor_view(debtor_id, held)


async def list_roll_rates(
    connection: Connection,
    paging: Paging,
    scheme: Scheme = None,
    from_month: Month = None,
    to_month: Month = None,
) -> Page[RollRateView]:
    """Month-end transitions of loans, stays included, by scheme, lender, product and month."""
    if from_month and to_month and from_month > to_month:
        raise Problem(422, "Invalid input", "The first month is after the last one.", field="from_month")
    found = [
        _roll_rate_view(each)
        for each in await store.all_transitions(store.fetch_through(connection))
        if scheme in (None, each.of.scheme) and (from_month or "") <= each.month <= (to_month or each.month)
    ]
    return _page(paging, found, ("scheme", "lender_id", "product", "month", "from_bucket", "to_bucket"))


async def list_book(connection: Connection, paging: Paging, scheme: Scheme = None) -> Page[BookView]:
    """The loans that have not ended, by scheme, lender, product, bucket and currency."""
    rows = await store.book(store.fetch_through(connection))
    found = [_book_view(row) for row in rows if scheme in (None, row[0])]
    return _page(paging, found, ("scheme", "lender_id", "product", "bucket", "currency"))


async def list_experiments(connection: Connection) -> list[ExperimentView]:
    """Champion, challenger and hold-out side by side, for each experiment."""
    found = await store.experiments(store.fetch_through(connection))
    return [ExperimentView(experiment=name, arms=arms) for name, arms in found.items()]  # type: ignore[arg-type]


async def read_summary(connection: Connection) -> SummaryView:
    """The figures of the whole system, over all lenders."""
    return SummaryView.model_validate(await store.summary_by(store.fetch_through(connection)))


def _debtor_view(debtor_id: str, held: store.Held) -> DebtorView:
    return DebtorView(
        debtor_id=debtor_id,
        case=CaseView.model_validate(held.case) if held.case else None,
        loans=[LoanView.model_validate(row) for row in held.loans],
        plans=[PlanView.model_validate(row) for row in held.plans],
        facts=held.facts,
    )


def _roll_rate_view(transition: Transition) -> RollRateView:
    return RollRateView(
        **transition.of._asdict(),
        month=transition.month,
        from_bucket=transition.origin,
        to_bucket=transition.target,
        loans=transition.loans,
        opening=transition.opening or None,
        percent=round(100 * transition.loans / transition.opening, 2) if transition.opening else None,
    )


def _book_view(row: Any) -> BookView:
    return BookView(**dict(zip(BookView.model_fields, row, strict=True)))


ViewT = TypeVar("ViewT", bound=BaseModel)
_BETWEEN_KEYS = "\x1f"


def _page(paging: PageRequest, found: Iterable[ViewT], names: tuple[str, ...]) -> Page[ViewT]:
    """A part of a computed list, by the fields that name its items."""
    keyed = sorted(((tuple(getattr(view, name) for name in names), view) for view in found), key=lambda each: each[0])
    after = tuple(paging.after.split(_BETWEEN_KEYS)) if paging.after is not None else ()
    items = [(key, view) for key, view in keyed if key > after][: paging.limit]
    last = _BETWEEN_KEYS.join(items[-1][0]) if items else None
    return Page[ViewT](items=[view for _, view in items], next=paging.cursor(last, len(items)))
