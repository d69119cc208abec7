"""Dated plays: what happened at the bank, in the order in which we heard of it, and exactly what we told."""

import pytest

from shared.contracts.core_banking import ClosingReason
from shared.contracts.intake import CaseStatus, Disposition, PaymentPosted
from shared.service import Rejected
from tests.unit.intake.play import SCHEMES, Play, closing, day, event, instalment, payment, reversal, snapshot


def disposition_of(play: Play) -> Disposition | None:
    found: Disposition | None = play.summary.disposition
    return found


def test_an_overdue_loan_opens_a_case_and_a_payment_cures_it() -> None:
    play = Play()
    play.at("2024-03-05")
    assert play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500), outstanding=9_000)) == ["case-opened"]
    assert (play.loan.past_due, play.loan.outstanding, play.loan.bucket) == (500, 9_000, "M1")
    assert play.summary.oldest_due_on == day("2024-03-01")
    assert play.hear(payment("2024-03-06", 500)) == ["payment-posted", "case-cured"]
    assert play.summary.status is CaseStatus.CURED
    assert (play.loan.past_due, play.loan.outstanding, play.loan.bucket) == (0, 8_500, "current")


def test_a_payment_is_told_with_the_instant_at_which_it_came_in_at_the_edge() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500)))
    received = event(payment("2024-03-06", 100))
    play.hear(received.data)
    [posted] = [told.data for told in play.told if isinstance(told.data, PaymentPosted)]
    assert posted.received_at == received.recorded_at


def test_the_due_date_itself_is_not_past_due_and_the_day_after_opens_the_case() -> None:
    play = Play()
    play.at("2024-03-01")
    assert play.hear(snapshot("2024-03-01", instalment("2024-03-01", 500))) == []
    assert play.at("2024-03-01") == []
    assert play.at("2024-03-02") == ["case-opened"]
    assert play.summary.opened_on == day("2024-03-02")


def test_the_business_date_alone_moves_the_loan_through_its_buckets() -> None:
    play = Play()
    play.at("2024-03-02")
    play.hear(snapshot("2024-03-02", instalment("2024-03-01", 500)))
    assert play.at("2024-03-31") == []
    assert play.loan.bucket == "M1"
    assert play.at("2024-04-01") == ["delinquency-range-changed"]
    assert play.loan.bucket == "M2"
    assert play.at("2025-04-01") == ["delinquency-range-changed"], "one jump over many buckets is one move"
    assert play.loan.bucket == "M7+"
    assert play.file.bucket_due is None, "the last bucket has no end"


def test_a_second_instalment_that_falls_past_due_updates_the_case_in_the_same_bucket() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500), instalment("2024-03-10", 300)))
    assert play.at("2024-03-10") == []
    assert play.at("2024-03-11") == ["case-updated"]
    assert play.loan.past_due == 800


def test_february_29_counts_as_a_day() -> None:
    leap, plain = Play(), Play()
    leap.at("2024-03-01")
    leap.hear(snapshot("2024-03-01", instalment("2024-01-30", 500)))
    assert leap.loan.bucket == "M2", "31 days"
    plain.at("2023-03-01")
    plain.hear(snapshot("2023-03-01", instalment("2023-01-30", 500)))
    assert plain.loan.bucket == "M1", "30 days"
    play = Play()
    play.at("2024-02-28")
    assert play.hear(snapshot("2024-02-28", instalment("2024-02-28", 500))) == []
    assert play.at("2024-02-29") == ["case-opened"]


def test_a_payment_that_comes_before_the_snapshot_without_it_is_deducted_once() -> None:
    play = Play()
    play.at("2024-03-07")
    assert play.hear(payment("2024-03-06", 200)) == ["payment-posted"]
    assert play.told[-1].data.case is None  # type: ignore[attr-defined]
    assert play.told[-1].case_version == 0
    assert play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500))) == ["case-opened"]
    assert play.loan.past_due == 300
    assert play.hear(snapshot("2024-03-06", instalment("2024-03-01", 300))) == [], "the same, now in the bank's words"
    assert play.loan.past_due == 300


def test_a_snapshot_that_a_payment_has_overtaken_opens_and_cures_as_the_right_order_would_have() -> None:
    play = Play()
    play.at("2024-03-07")
    play.hear(payment("2024-03-06", 500))
    assert play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500))) == ["case-opened", "case-cured"]


def test_an_older_snapshot_changes_nothing() -> None:
    play = Play()
    play.at("2024-03-07")
    play.hear(snapshot("2024-03-07", instalment("2024-03-01", 300)))
    assert play.hear(snapshot("2024-03-06", instalment("2024-02-01", 900))) == []
    assert play.loan.past_due == 300


def test_the_same_snapshot_or_payment_again_tells_nothing() -> None:
    play = Play()
    play.at("2024-03-05")
    overdue, paid = snapshot("2024-03-05", instalment("2024-03-01", 500)), payment("2024-03-06", 100)
    assert play.hear(overdue) == ["case-opened"]
    assert play.hear(overdue) == []
    assert play.hear(paid) == ["payment-posted"]
    assert play.hear(paid) == []
    assert play.hear(overdue) == []


def test_a_payment_is_told_once_even_after_a_snapshot_has_taken_it_in() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500)))
    paid = payment("2024-03-06", 100)
    assert play.hear(paid) == ["payment-posted"]
    assert play.hear(snapshot("2024-03-07", instalment("2024-03-01", 400))) == []
    assert play.hear(paid) == []


def test_a_backdated_payment_within_the_cut_off_is_told_and_not_deducted_again() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500)))
    assert play.hear(payment("2024-03-04", 200)) == ["payment-posted"]
    assert play.loan.past_due == 500


def test_a_payment_at_the_very_cut_off_is_in_the_snapshot() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500), cut_off="2024-03-05T18:00:00"))
    assert play.hear(payment("2024-03-05T18:00:00", 200)) == ["payment-posted"]
    assert play.loan.past_due == 500
    assert play.hear(payment("2024-03-05T18:00:01", 200, name="payment-2")) == ["payment-posted"]
    assert play.loan.past_due == 300


def test_a_payment_at_the_very_cut_off_that_is_reversed_is_owed_again() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", cut_off="2024-03-05T18:00:00"))
    paid = payment("2024-03-05T18:00:00", 200, settled_due_on=day("2024-03-01"))
    assert play.hear(paid) == ["payment-posted"]
    assert play.hear(reversal(paid, "2024-03-06")) == ["payment-reversed", "case-opened"]
    assert play.loan.past_due == 200


def test_a_closing_at_the_very_cut_off_ends_the_loan() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500), cut_off="2024-03-05T18:00:00"))
    assert play.hear(closing("2024-03-05T18:00:00")) == ["case-closed"]


def test_a_reversal_of_a_payment_after_the_cut_off_takes_the_deduction_away() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500)))
    paid = payment("2024-03-06", 500)
    assert play.hear(paid) == ["payment-posted", "case-cured"]
    assert play.hear(reversal(paid, "2024-03-08")) == ["payment-reversed", "case-reopened"]
    assert play.loan.past_due == 500
    assert play.hear(reversal(paid, "2024-03-08")) == []


def test_a_reversal_of_a_payment_in_the_snapshot_is_owed_again_since_the_date_that_it_had_settled() -> None:
    play = Play()
    play.at("2024-03-05")
    paid = payment("2024-03-04", 500, settled_due_on=day("2024-02-01"))
    play.hear(paid)
    assert play.hear(snapshot("2024-03-05")) == [], "all is paid"
    assert play.hear(reversal(paid, "2024-03-08")) == ["payment-reversed", "case-opened"]
    assert play.summary.oldest_due_on == day("2024-02-01")
    assert (play.loan.past_due, play.loan.bucket) == (500, "M2")


def test_a_reversal_is_owed_again_since_the_posting_where_the_bank_does_not_say_what_it_had_settled() -> None:
    play = Play()
    play.at("2024-03-20")
    paid = payment("2024-03-04", 500)
    play.hear(paid)
    play.hear(snapshot("2024-03-05"))
    play.hear(reversal(paid, "2024-03-08"))
    assert play.summary.oldest_due_on == day("2024-03-04")


def test_a_reversal_before_its_payment_counts_at_once_and_is_told_after_the_payment() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05"))
    paid = payment("2024-03-04", 500)
    assert play.hear(reversal(paid, "2024-03-08")) == ["case-opened"]
    assert play.hear(paid) == ["payment-posted", "payment-reversed"]
    assert play.hear(paid) == []
    assert play.loan.past_due == 500


def test_a_reversal_that_the_next_snapshot_holds_is_not_added_again() -> None:
    play = Play()
    play.at("2024-03-05")
    paid = payment("2024-03-04", 500, settled_due_on=day("2024-03-01"))
    play.hear(paid)
    play.hear(snapshot("2024-03-05"))
    play.hear(reversal(paid, "2024-03-06"))
    assert play.hear(snapshot("2024-03-07", instalment("2024-03-01", 500))) == []
    assert play.loan.past_due == 500


def test_two_loans_of_one_debtor_are_one_case_that_the_first_leaves_open() -> None:
    play = Play()
    play.at("2024-03-05")
    assert play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500))) == ["case-opened"]
    other = snapshot("2024-03-05", instalment("2024-01-01", 700), loan="loan-2", currency="USD")
    assert play.hear(other) == ["case-updated"]
    assert [(each.loan_id, each.currency, each.past_due) for each in play.summary.loans] == [
        ("loan-1", "EUR", 500),
        ("loan-2", "USD", 700),
    ]
    assert play.summary.oldest_due_on == day("2024-01-01")
    assert play.hear(payment("2024-03-06", 500)) == ["payment-posted"], "the other is still past due"
    assert play.hear(closing("2024-03-07", loan="loan-2")) == ["case-cured"]
    assert play.hear(closing("2024-03-08", ClosingReason.SETTLED)) == ["case-closed"]
    assert play.summary.disposition is Disposition.SETTLED


def test_closing_one_of_two_overdue_loans_updates_the_case() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500)))
    play.hear(snapshot("2024-03-05", instalment("2024-03-02", 700), loan="loan-2"))
    assert play.hear(closing("2024-03-06")) == ["case-updated"]
    assert [(each.bucket, each.closed_as) for each in play.summary.loans] == [("closed", "paid"), ("M1", "")]


def test_money_in_another_currency_is_told_and_pays_nothing_off() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500)))
    assert play.hear(payment("2024-03-06", 500, currency="USD")) == ["payment-posted"]
    assert play.loan.past_due == 500


def test_a_loan_closed_as_no_loan_is_open_again_when_reported_past_due_later() -> None:
    play = Play()
    play.at("2024-01-31")
    overdue = instalment("2024-01-10", 500)
    assert play.hear(snapshot("2024-01-31", overdue, portfolio="card-panel")) == ["case-opened"]
    assert (play.loan.scheme, play.loan.bucket) == ("months-30", "0")
    assert play.hear(closing("2024-02-29", ClosingReason.NO_LOAN)) == ["case-closed"]
    assert disposition_of(play) is Disposition.NO_LOAN
    play.at("2024-03-31")
    again = snapshot("2024-03-31", instalment("2024-03-10", 500), portfolio="card-panel")
    assert play.hear(again) == ["case-reopened"]
    assert (play.loan.bucket, play.loan.closed_as) == ("0", "")
    assert disposition_of(play) is None
    assert play.hear(closing("2024-02-29", ClosingReason.NO_LOAN)) == [], "the old closing, sent again"


def test_a_closing_that_comes_before_the_older_snapshot_ends_the_case_in_one_go() -> None:
    play = Play()
    play.at("2024-03-10")
    assert play.hear(closing("2024-03-06")) == []
    assert play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500))) == ["case-opened", "case-closed"]
    assert play.file.bucket_due is None


def test_a_payment_beyond_what_is_due_does_not_make_a_debt_negative() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500), outstanding=600))
    assert play.hear(payment("2024-03-06", 9_000)) == ["payment-posted", "case-cured"]
    assert (play.loan.past_due, play.loan.outstanding) == (0, 0)


def test_money_pays_the_oldest_due_date_first() -> None:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-02-01", 500), instalment("2024-03-01", 500)))
    play.hear(payment("2024-03-06", 600))
    assert (play.summary.oldest_due_on, play.loan.past_due) == (day("2024-03-01"), 400)


def test_a_snapshot_ahead_of_the_business_date_counts_from_its_own_date() -> None:
    play = Play()
    play.at("2024-03-01")
    assert play.hear(snapshot("2024-03-02", instalment("2024-03-01", 500))) == ["case-opened"]
    assert play.summary.business_date == day("2024-03-02")
    assert play.at("2024-03-02") == []


@pytest.mark.parametrize(
    ("contradiction", "field"),
    [
        pytest.param({"amount": 501}, "amount", id="another amount"),
        pytest.param({"currency": "USD"}, "currency", id="another currency"),
        pytest.param({"settled_due_on": day("2024-02-02")}, "settled_due_on", id="another settled due date"),
    ],
)
def test_a_payment_id_with_another_content_is_refused_and_the_field_named(
    contradiction: dict[str, object], field: str
) -> None:
    play = Play()
    told: dict[str, object] = {"amount": 500, "settled_due_on": day("2024-02-01")}
    play.hear(payment("2024-03-06", **told))  # type: ignore[arg-type]
    with pytest.raises(Rejected) as refusal:
        play.hear(payment("2024-03-06", **{**told, **contradiction}))  # type: ignore[arg-type]
    assert refusal.value.field == field


def test_a_payment_posted_at_another_instant_or_reversed_twice_is_refused() -> None:
    play = Play()
    paid = payment("2024-03-06", 500)
    play.hear(paid)
    with pytest.raises(Rejected, match="posted_at"):
        play.hear(payment("2024-03-07", 500))
    play.hear(reversal(paid, "2024-03-08"))
    with pytest.raises(Rejected, match="reversed_at"):
        play.hear(reversal(paid, "2024-03-09"))
    with pytest.raises(Rejected, match="amount"):
        play.hear(reversal(paid, "2024-03-08", amount=1))


def test_every_portfolio_has_a_scheme() -> None:
    assert SCHEMES.of("card-panel").name == "months-30"
    assert SCHEMES.of("anything else").name == "standard"
