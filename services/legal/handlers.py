"""Facts in, decisions out: referrals are screened, matters follow their case, and a hold stands while one is open.

Topics have no order between them: a referral may arrive before the case that it speaks of. It then waits in the
debtor's file, and is screened when the case is known as outreach knew it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from services.legal.domain import Claim, Screening, Verdict, claims_of, screen
from services.legal.store import CaseCopy, DebtorFile, Matter, Referral
from shared.contracts.envelope import Event, Fact, Moment, Told, derived_id
from shared.contracts.intake import CaseStatus, CaseSummary, OfCase, PaymentPosted, PaymentReversed
from shared.contracts.legal import HoldPlaced, HoldReleased, MatterClosed, MatterOpened, ReferralDeclined
from shared.contracts.outreach import LegalReferred
from shared.contracts.segmentation import Explanation
from shared.frozen import replace

Decision: TypeAlias = tuple[DebtorFile, Sequence[Told]]


@dataclass(frozen=True, slots=True)
class LegalDesk:
    """The handlers, bound to the data by which they screen."""

    screening: Screening

    def take_referral(self, file: DebtorFile, event: Event[LegalReferred], now: Moment) -> Decision:
        """Screen a referral, or let it wait until the case is known as it was when outreach referred it."""
        file = _filed(
            file,
            Referral(
                referral_id=event.id,
                lender_id=event.lender_id,
                case_version=event.case_version,
                plan_number=event.data.plan_number,
                step_number=event.data.step_number,
                referred_at=event.occurred_at,
            ),
        )
        return self._answer_waiting(file, now)

    def follow_case(
        self, file: DebtorFile, event: Event[OfCase] | Event[PaymentPosted] | Event[PaymentReversed], now: Moment
    ) -> Decision:
        """Take the case as it now stands: close what it has ended, and screen what waited for it."""
        case = event.data.case
        if case is None or (file.copy is not None and event.case_version <= file.copy.case_version):
            return file, ()
        copy = CaseCopy(event.lender_id, event.case_version, case)
        file, closed = _close_ended(replace(file, copy=copy), copy, now)
        file, answered = self._answer_waiting(file, now)
        return file, (*closed, *answered)

    def _answer_waiting(self, file: DebtorFile, now: Moment) -> Decision:
        copy = file.copy
        if copy is None:
            return file, ()
        told: list[Told] = []
        for referral in sorted(file.referrals.values(), key=lambda one: (one.referred_at, one.referral_id)):
            if not referral.answered and referral.case_version <= copy.case_version:
                file, answer = self._answer(file, copy, referral, now)
                told += answer
        return file, told

    def _answer(self, file: DebtorFile, copy: CaseCopy, referral: Referral, now: Moment) -> Decision:
        on, claims = _as_of(copy.summary, now), _claims(copy.summary)
        verdict = screen(
            self.screening,
            claims=claims,
            case_is_open=copy.summary.status is CaseStatus.OPEN,
            matter_is_open=bool(_open_matters(file)),
            on=on,
        )
        why = self._explanation(verdict, copy, claims, on)
        file = _filed(file, replace(referral, answered=True, accepted=bool(verdict.passed), explanation=why))
        if not verdict.passed:
            return file, _told(copy, ReferralDeclined(referral_id=referral.referral_id, explanation=why))
        return _open(file, copy, referral, verdict.passed, why, on)

    def _explanation(self, verdict: Verdict, copy: CaseCopy, claims: Sequence[Claim], on: date) -> Explanation:
        inputs = {
            "reason": verdict.reason,
            "business_date": on.isoformat(),
            "case_version": str(copy.case_version),
            "case_status": copy.summary.status.value,
            "limitation_years": str(self.screening.limitation_years),
        }
        for claim in claims:
            inputs[f"claim.{claim.currency}"] = str(claim.past_due)
            inputs[f"minimum_claim.{claim.currency}"] = str(self.screening.minimum_claim.get(claim.currency, "none"))
            inputs[f"oldest_due_on.{claim.currency}"] = claim.oldest_due_on.isoformat()
        return Explanation(rule=f"screening.yaml: {verdict.rule}", version=self.screening.version, inputs=inputs)


def _open(
    file: DebtorFile, copy: CaseCopy, referral: Referral, claims: Sequence[Claim], why: Explanation, on: date
) -> Decision:
    """Open one matter per claim, and place one hold for all of them."""
    hold_id = derived_id(referral.referral_id, "hold")
    opened = [
        Matter(
            matter_id=derived_id(referral.referral_id, f"matter/{claim.currency}"),
            lender_id=copy.lender_id,
            referral_id=referral.referral_id,
            hold_id=hold_id,
            currency=claim.currency,
            claim=claim.past_due,
            oldest_due_on=claim.oldest_due_on,
            opened_on=on,
            explanation=why,
        )
        for claim in claims
    ]
    hold = HoldPlaced(hold_id=hold_id, reason="legal matter")
    return _with_matters(file, opened), _told(copy, *map(_opened, opened), hold)


def _opened(matter: Matter) -> MatterOpened:
    return MatterOpened(
        matter_id=matter.matter_id,
        claim=matter.claim,
        currency=matter.currency,
        oldest_due_on=matter.oldest_due_on,
        explanation=matter.explanation,
    )


def _close_ended(file: DebtorFile, copy: CaseCopy, now: Moment) -> Decision:
    """Close the matters whose claim or case has ended, and lift each hold that no open matter needs any more."""
    on, owed = _as_of(copy.summary, now), {claim.currency for claim in _claims(copy.summary)}
    ended = [
        replace(matter, closed=True, closed_on=on, closed_because=reason)
        for matter in _open_matters(file)
        if (reason := _reason_to_close(copy.summary, matter, owed))
    ]
    if not ended:
        return file, ()
    file = _with_matters(file, ended)
    needed = {matter.hold_id for matter in _open_matters(file)}
    lifted = {matter.hold_id: matter.closed_because for matter in ended if matter.hold_id not in needed}
    closed = [MatterClosed(matter_id=matter.matter_id, reason=matter.closed_because) for matter in ended]
    released = [HoldReleased(hold_id=hold_id, reason=reason) for hold_id, reason in lifted.items()]
    return file, _told(copy, *closed, *released)


def _reason_to_close(case: CaseSummary, matter: Matter, owed: set[str]) -> str:
    if case.status is CaseStatus.CURED:
        return "case cured"
    if case.status is CaseStatus.CLOSED:
        return f"case closed: {case.disposition.value}" if case.disposition is not None else "case closed"
    return "" if matter.currency in owed else f"nothing is past due in {matter.currency}"


def _open_matters(file: DebtorFile) -> list[Matter]:
    return sorted((one for one in file.matters.values() if not one.closed), key=lambda one: one.matter_id)


def _claims(case: CaseSummary) -> tuple[Claim, ...]:
    return claims_of((loan.currency, loan.past_due, loan.oldest_due_on) for loan in case.loans)


def _as_of(case: CaseSummary, now: Moment) -> date:
    """The later of two dates: a case fact may run ahead of the lane's clock, and the clock of a quiet case."""
    return max(now.business_date, case.business_date)


def _filed(file: DebtorFile, referral: Referral) -> DebtorFile:
    return replace(file, referrals={**file.referrals, referral.referral_id: referral})


def _with_matters(file: DebtorFile, matters: Sequence[Matter]) -> DebtorFile:
    return replace(file, matters={**file.matters, **{matter.matter_id: matter for matter in matters}})


def _told(copy: CaseCopy, *facts: Fact) -> list[Told]:
    return [Told(fact, case_version=copy.case_version) for fact in facts]
