"""Plans: how a debtor's state lies in tables, the queries of the routes, and the file of lawful hours."""

from collections.abc import Callable, Iterable, Mapping
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import text

from services.outreach.agencies.documents.commands import FileAgencyDocument, FileLenderDocument
from services.outreach.agencies.documents.domain import Document
from services.outreach.agencies.payment_reports.commands import ReportPayment, WithdrawReport
from services.outreach.agencies.payment_reports.domain import PaymentReport
from services.outreach.agencies.payment_reports.store import report_id_of
from services.outreach.agencies.placements.commands import RecordAgencyOutcome
from services.outreach.agencies.placements.domain.credit import AgencyCredit, PlacementPayment
from services.outreach.agencies.placements.domain.placement import (
    Placement,
    PlacementChange,
    PlacementDue,
    TriedAgency,
)
from services.outreach.contacts.domain.exposure import Exposure
from services.outreach.contacts.domain.rows import Contact, ContactDue, Denial
from services.outreach.matters.commands import ResolveMatter
from services.outreach.matters.domain import Matter, MatterDue
from services.outreach.outcomes.commands import RecordOutcome
from services.outreach.outcomes.domain import BadPoint, OptOut, Outcome, Refusal, WithdrawnOptOut
from services.outreach.plans.commands import ReleaseHold
from services.outreach.plans.domain.rows import (
    DebtorPlans,
    Guard,
    Hold,
    HoldDue,
    Plan,
    PlanDue,
    RefusedTreatment,
    Step,
    StepDue,
    Treatment,
    Visit,
)
from services.outreach.plans.domain.window import Window
from services.outreach.promises.domain import Promise, PromiseDue, PromisePayment, ReminderDue
from services.outreach.work.domain import WorkItem
from shared.contracts import intake, legal, outreach, quarantine
from shared.contracts.envelope import Event
from shared.data_files import Form, WrongDataError, read
from shared.messaging.layout import Key, Layout, Table
from shared.profiles import HeldProfile

FILE = Path(__file__).parent.parent / "windows.yaml"

Named = tuple[tuple[str, Key], ...]


def quarantine_hold(fact: quarantine.DebtorQuarantined | quarantine.DebtorReleased) -> str:
    """The id of the hold for one dead letter: a debtor may have several, and each is resolved by itself."""
    return f"quarantine:{fact.service}:{fact.letter_id}"


def verification_hold(verification_id: str) -> str:
    """The id of the hold for one verification."""
    return f"verification:{verification_id}"


def _visit_named(event: Event[Any]) -> Named:
    return (("visits", (event.data.plan_number, event.data.step_number)),)


def _hold_named(event: Event[Any]) -> Named:
    return (("holds", event.data.hold_id),)


def _outcome_named(event: Event[Any]) -> Named:
    return (("contacts", event.data.contact_id), ("outcomes", event.data.contact_id))


def _said_named(event: Event[Any]) -> Named:
    return (("contacts", event.data.said.contact_id), ("outcomes", event.data.said.contact_id))


def _paper_named(event: Event[Any]) -> Named:
    of_placement = ("placements", event.data.placement_id)
    return (of_placement, ("placement_documents", event.data.document_id))


def _evidence_named(event: Event[Any]) -> Named:
    return (*_paper_named(event), ("contacts", event.data.contact_id))


def _paid_named(event: Event[Any]) -> Named:
    return (("placement_payments", (event.data.loan_id, event.data.payment_id)),)


def _receipt_named(event: Event[Any]) -> Named:
    placement_id = event.data.placement_id
    return (("placements", placement_id), ("payment_reports", report_id_of(placement_id, event.data.receipt)))


def _report_named(event: Event[Any]) -> Named:
    return (("placements", event.data.placement_id), ("payment_reports", event.data.report_id))


def _matter_named(event: Event[Any]) -> Named:
    return (("matters", event.data.matter_id),)


def _quarantine_named(event: Event[Any]) -> Named:
    return (("holds", quarantine_hold(event.data)),)


def _verification_named(event: Event[Any]) -> Named:
    return (("holds", verification_hold(event.data.verification_id)),)


_NAMED: Mapping[type, Callable[[Event[Any]], Named]] = {
    outreach.VisitScheduled: _visit_named,
    legal.HoldPlaced: _hold_named,
    legal.HoldReleased: _hold_named,
    ReleaseHold: _hold_named,
    HoldDue: _hold_named,
    RecordOutcome: _outcome_named,
    RecordAgencyOutcome: _said_named,
    FileAgencyDocument: _evidence_named,
    FileLenderDocument: _paper_named,
    ReportPayment: _receipt_named,
    WithdrawReport: _report_named,
    intake.PaymentPosted: _paid_named,
    intake.PaymentReversed: _paid_named,
    ResolveMatter: _matter_named,
    quarantine.DebtorQuarantined: _quarantine_named,
    quarantine.DebtorReleased: _quarantine_named,
    intake.VerificationRequested: _verification_named,
    intake.VerificationDecided: _verification_named,
}


def named(event: Event[Any]) -> Iterable[tuple[str, Key]]:
    """The settled rows that an event speaks of: a visit that was withdrawn, a hold that was lifted."""
    names = _NAMED.get(type(event.data))
    return names(event) if names is not None else ()


LAYOUT = Layout(
    DebtorPlans,
    {
        "guard": Table("debtor_guard", Guard),
        "treatment": Table("treatment", Treatment),
        "plans": Table("plan", Plan, key=("plan_number",), settled="settled"),
        "steps": Table("plan_step", Step, key=("plan_number", "step_number"), settled="settled"),
        "step_due": Table("step_due", StepDue, key=("plan_number", "step_number"), due="due_at"),
        "plan_due": Table("plan_due", PlanDue, due="due_at"),
        "holds": Table("hold", Hold, key=("hold_id",), settled="released"),
        "hold_due": Table("hold_due", HoldDue, key=("hold_id",), due="due_on"),
        "visits": Table("visit", Visit, key=("plan_number", "step_number"), settled="settled"),
        "contacts": Table("contact", Contact, key=("contact_id",), settled="settled"),
        "contact_due": Table("contact_due", ContactDue, key=("contact_id",), due="due_at"),
        "denials": Table("contact_denial", Denial, use="journal"),
        "outcomes": Table("outcome", Outcome, key=("contact_id",), settled="settled"),
        "opt_outs": Table("opt_out", OptOut, key=("channel",)),
        "withdrawn_opt_outs": Table("withdrawn_opt_out", WithdrawnOptOut, use="journal"),
        "bad_points": Table("bad_point", BadPoint, key=("point",)),
        "refusals": Table("contact_refusal", Refusal, key=("contact_id",)),
        "promises": Table("promise", Promise, key=("promise_id",), settled="settled"),
        "promise_payments": Table("promise_payment", PromisePayment, key=("loan_id", "payment_id")),
        "promise_due": Table("promise_due", PromiseDue, due="due_on"),
        "reminder_due": Table("promise_reminder_due", ReminderDue, due="due_at"),
        "matters": Table("matter", Matter, key=("matter_id",), settled="settled"),
        "matter_due": Table("matter_due", MatterDue, key=("matter_id",), due="due_on"),
        "placements": Table("placement", Placement, key=("placement_id",), settled="settled", walled=True),
        "placement_due": Table("placement_due", PlacementDue, due="due_on"),
        "placement_payments": Table(
            "placement_payment", PlacementPayment, key=("loan_id", "payment_id"), settled="settled"
        ),
        "tried_agencies": Table("tried_agency", TriedAgency, key=("agency_id",)),
        "placement_documents": Table(
            "placement_document", Document, key=("document_id",), settled="settled", walled=True
        ),
        "payment_reports": Table("payment_report", PaymentReport, key=("report_id",), settled="settled", walled=True),
        "placement_changes": Table("placement_change", PlacementChange, use="journal", walled=True),
        "agency_credits": Table("agency_credit", AgencyCredit, use="journal", walled=True),
        "work_items": Table("work_item", WorkItem, key=("plan_number", "step_number"), settled="settled"),
        "exposures": Table("contact_exposure", Exposure, use="journal"),
        "profile": Table("profile", HeldProfile),
        "refused": Table("refused_treatment", RefusedTreatment, key=("reason",), use="tally", amount="treatments"),
    },
    named=named,
)

# -- the lawful hours --------------------------------------------------------------------------------------------------


class _LawForm(Form, frozen=True):
    opens: time
    closes: time
    source: str


class _WindowForm(Form, frozen=True):
    jurisdiction: str
    zone: str
    opens: time
    closes: time
    law: _LawForm


class _WindowsForm(Form, frozen=True):
    version: str
    windows: tuple[_WindowForm, ...]


def read_windows(file: Path = FILE) -> Mapping[str, Window]:
    """The lawful hours by jurisdiction. Raises WrongDataError, one line with the jurisdiction."""
    windows: dict[str, Window] = {}
    for form in read(file, _WindowsForm).windows:
        problem = "occurs more than once" if form.jurisdiction in windows else _problem(form)
        if problem:
            raise WrongDataError(f"{file.name}: {form.jurisdiction} {problem}")
        windows[form.jurisdiction] = Window(form.zone, form.opens, form.closes)
    return windows


def _problem(form: _WindowForm) -> str:
    if form.zone not in available_timezones():
        return "has a zone that the IANA list does not know"
    if form.opens >= form.closes:
        return "closes before it opens"
    if form.opens < form.law.opens or form.closes > form.law.closes:
        return "is open at hours that its law forbids"
    return ""


# -- queries -----------------------------------------------------------------------------------------------------------

GUARD = text("SELECT * FROM debtor_guard WHERE debtor_id = :debtor_id")
TREATMENT = text("SELECT * FROM treatment WHERE debtor_id = :debtor_id")
LATEST_PLAN = text("SELECT * FROM plan WHERE debtor_id = :debtor_id ORDER BY plan_number DESC LIMIT 1")
STEPS = text("SELECT * FROM plan_step WHERE debtor_id = :debtor_id AND plan_number = :plan_number ORDER BY step_number")
HOLDS = text("SELECT * FROM hold WHERE debtor_id = :debtor_id ORDER BY released, placed_at DESC, hold_id LIMIT 100")

# Two clocks: what stood on a business date, as far as was known at an instant.
HOLDS_AS_OF = text("""
    SELECT * FROM hold
    WHERE debtor_id = :debtor_id AND placed_on <= :as_of AND (until IS NULL OR :as_of < until)
      AND (CAST(:known_at AS timestamptz) IS NULL OR placed_at <= :known_at)
      AND (NOT released OR :as_of < released_on OR released_at > CAST(:known_at AS timestamptz))
    ORDER BY placed_at, hold_id
""")

PLANS = text("""
    SELECT * FROM plan
    WHERE (CAST(:state AS text) IS NULL OR state = :state) AND (CAST(:stage AS text) IS NULL OR stage = :stage)
      AND (CAST(:debtor_id AS text) IS NULL OR debtor_id = :debtor_id)
      AND (CAST(:after_debtor AS text) IS NULL OR (debtor_id, plan_number) > (:after_debtor, :after_plan))
    ORDER BY debtor_id, plan_number LIMIT :limit
""")

VISITS = text("""
    SELECT * FROM visit
    WHERE (CAST(:state AS text) IS NULL OR state = :state) AND (CAST(:crew AS text) IS NULL OR crew = :crew)
      AND (CAST(:visit_on AS date) IS NULL OR visit_on = :visit_on)
      AND (CAST(:after_debtor AS text) IS NULL
           OR (debtor_id, plan_number, step_number) > (:after_debtor, :after_plan, :after_step))
    ORDER BY debtor_id, plan_number, step_number LIMIT :limit
""")

REFUSED = text(
    "SELECT reason, sum(treatments)::bigint AS treatments FROM refused_treatment GROUP BY reason ORDER BY reason"
)
