import random
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.connectors.card_panel import CardPanel, Month, PanelFileError, Sent
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    ClosingReason,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PaymentPosted,
)
from tests.real_data import card_panel

HEADER = "ID,MONTHS_BALANCE,STATUS"
BUCKETS = {"0": (1, 29), "1": (30, 59), "2": (60, 89), "3": (90, 119), "4": (120, 149), "5": (150, 10_000)}

Chain = str
"""The statuses of one account, oldest first, the last one of the newest month; "_" for a month without a row."""


def rows_of(account: str, chain: Chain) -> list[str]:
    return [f"{account},{-age},{status}" for age, status in enumerate(reversed(chain)) if status != "_"]


def panel_of(folder: Path, *chains: Chain, shuffled: int | None = None) -> Path:
    rows = [row for number, chain in enumerate(chains) for row in rows_of(f"A{number}", chain)]
    if shuffled is not None:
        random.Random(shuffled).shuffle(rows)
    file = folder / "panel.csv"
    file.write_text("\n".join([HEADER, *rows, ""]))
    return file


def months_of(file: Path, accounts: int | None = None) -> list[tuple[date, list[Sent]]]:
    return [(month.business_date, list(month.events)) for month in CardPanel(file, accounts).months()]


def described(events: Iterable[Sent]) -> list[str]:
    """Events of one account in words: what was paid or is unpaid, as instalments of its one size."""
    words = []
    for sent in events:
        match sent.fact:
            case PaymentPosted() as paid:
                words.append(f"pays {paid.amount}")
            case LoanOverdue() as snapshot:
                words.append(f"owes {len(snapshot.instalments)}")
            case LoanClosed() as closing:
                words.append(f"ends: {closing.reason}")
            case _:
                pass
    return words


def described_last_month(folder: Path, chain: Chain) -> list[str]:
    *_, (_, events) = months_of(panel_of(folder, chain))
    size = next(
        sum((i.principal, i.interest))
        for month in months_of(panel_of(folder, chain))
        for sent in month[1]
        if isinstance(sent.fact, LoanOverdue)
        for i in sent.fact.instalments
    )
    return [f"pays {int(word.split()[1]) / size:g}" if word.startswith("pays") else word for word in described(events)]


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        pytest.param("0", ["owes 1"], id="a first month overdue opens"),
        pytest.param("5", ["owes 6"], id="an account that is first seen far overdue opens with back-dated instalments"),
        pytest.param("X0", ["owes 1"], id="months without a loan before are not told"),
        pytest.param("00", ["pays 1", "owes 1"], id="0 after 0 is paid and overdue again"),
        pytest.param("01", ["owes 2"], id="one bucket on brings only the next instalment"),
        pytest.param("05", ["owes 6"], id="a jump up brings back-dated instalments"),
        pytest.param("11", ["pays 1", "owes 2"], id="staying pays the oldest instalment"),
        pytest.param("41", ["pays 4", "owes 2"], id="rolling back pays the oldest instalments"),
        pytest.param("20", ["pays 3", "owes 1"], id="rolling back to the first bucket pays all that was owed"),
        pytest.param("55", ["pays 1", "owes 6"], id="staying in the top bucket keeps its six instalments"),
        pytest.param("3C", ["pays 4", "ends: paid"], id="paid off pays everything and closes"),
        pytest.param("3X", ["ends: no_loan"], id="no loan closes without a payment"),
        pytest.param("0X2", ["owes 3"], id="a loan after none opens again with fresh instalments"),
        pytest.param("0C1", ["owes 2"], id="a loan after paying off opens again with fresh instalments"),
        pytest.param("1_", ["ends: no_longer_reported"], id="rows that end early close in the month after"),
        pytest.param("0__1", ["pays 1", "owes 2"], id="after months without a row only what is owed now stays"),
    ],
)
def test_the_events_of_a_month(tmp_path: Path, chain: Chain, told: list[str]) -> None:
    if chain.endswith("_"):
        panel = panel_of(tmp_path, chain, "X" * len(chain))
        *_, (_, events) = months_of(panel)
        assert described(events) == told
    else:
        assert described_last_month(tmp_path, chain) == told


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param("XCX0"[:3], id="before the first month overdue"),
        pytest.param("0XC", id="when a loan that had ended is paid off"),
        pytest.param("0CC", id="when it stays paid off"),
        pytest.param("0XX", id="when there still is no loan"),
    ],
)
def test_nothing_is_told(tmp_path: Path, chain: Chain) -> None:
    *_, (_, events) = months_of(panel_of(tmp_path, chain))
    assert [type(sent.fact) for sent in events] == [BusinessDateAdvanced]


def test_a_loan_that_ended_is_not_dropped_again_when_its_rows_end(tmp_path: Path) -> None:
    *_, (_, events) = months_of(panel_of(tmp_path, "0C_", "000"))
    assert {sent.fact.loan_id for sent in events if isinstance(sent.fact, LoanOverdue | LoanClosed)} == {"A1"}


CHAINS = st.text("012345CX", min_size=1, max_size=61)


class Bank:
    """What a reader of the events knows of each account."""

    def __init__(self) -> None:
        self.unpaid: dict[str, set[Instalment]] = {}
        self.ended: dict[str, ClosingReason] = {}
        self.ids: Counter[str] = Counter()

    def hear(self, sent: Sent, business_date: date) -> None:
        self.ids[sent.event_id] += 1
        match sent.fact:
            case PaymentPosted() as paid:
                self._pay(paid)
            case LoanOverdue() as snapshot:
                assert snapshot.as_of == business_date == snapshot.posting_cut_off.date()
                known = self.unpaid.get(snapshot.loan_id, set())
                assert known <= set(snapshot.instalments), "what was owed and not paid is still owed"
                assert len({i.number for i in snapshot.instalments}) == len(snapshot.instalments)
                self.unpaid[snapshot.loan_id] = set(snapshot.instalments)
                self.ended.pop(snapshot.loan_id, None)
            case LoanClosed() as closing:
                assert closing.reason != "paid" or not self.unpaid[closing.loan_id]
                self.ended[closing.loan_id] = closing.reason
                self.unpaid[closing.loan_id] = set()
            case _:
                pass

    def _pay(self, paid: PaymentPosted) -> None:
        owed = sorted(self.unpaid[paid.loan_id], key=lambda i: i.due_on)
        assert paid.settled_due_on == owed[0].due_on
        left = paid.amount
        while left:
            left -= owed[0].principal + owed[0].interest
            assert left >= 0, "payments are of whole instalments that are owed"
            self.unpaid[paid.loan_id].remove(owed.pop(0))

    def bucket(self, account: str, on: date) -> str:
        if account in self.ended:
            return {"paid": "C", "no_loan": "X"}[self.ended[account]]
        oldest = min((i.due_on for i in self.unpaid.get(account, ())), default=None)
        if oldest is None:
            return "X"
        days = (on - oldest).days
        return next(name for name, (first, last) in BUCKETS.items() if first <= days <= last)


@settings(max_examples=60, deadline=None)
@given(chains=st.lists(CHAINS, min_size=1, max_size=6))
def test_at_each_month_end_every_account_stands_in_the_bucket_of_its_status(
    tmp_path_factory: pytest.TempPathFactory, chains: Sequence[Chain]
) -> None:
    file = panel_of(tmp_path_factory.mktemp("panel"), *chains)
    bank, longest = Bank(), max(map(len, chains))
    for age, (business_date, events) in zip(range(longest - 1, -1, -1), months_of(file), strict=True):
        for sent in events:
            bank.hear(sent, business_date)
        for number, chain in enumerate(chains):
            if len(chain) > age:
                told = bank.bucket(f"A{number}", business_date)
                status = chain[len(chain) - 1 - age]
                assert told == status if status in BUCKETS else told in "CX"
    assert set(bank.ids.values()) == {1}


def test_each_depth_lies_in_its_bucket_at_the_end_of_every_month(tmp_path: Path) -> None:
    for status, (first, last) in BUCKETS.items():
        for business_date, events in months_of(panel_of(tmp_path, status * 61)):
            snapshot = next(sent.fact for sent in events if isinstance(sent.fact, LoanOverdue))
            days = (business_date - min(i.due_on for i in snapshot.instalments)).days
            assert first <= days <= last, (business_date, status)


def test_the_newest_month_is_always_the_same_and_months_have_no_holes(tmp_path: Path) -> None:
    dates = [business_date for business_date, _ in months_of(panel_of(tmp_path, "0" * 32))]
    assert (dates[-1], dates[-7], dates[0]) == (date(2026, 9, 30), date(2026, 3, 31), date(2024, 2, 29))
    assert len(dates) == 32


def test_a_month_begins_with_its_business_date_and_goes_on_in_the_order_of_the_day(tmp_path: Path) -> None:
    *_, (business_date, events) = months_of(panel_of(tmp_path, "0C"))
    assert events[0].fact == BusinessDateAdvanced(lender_id="card-bank", business_date=business_date)
    assert [sent.time.isoformat() for sent in events[1:]] == ["2026-09-30T10:00:00+08:00", "2026-09-30T14:00:00+08:00"]
    assert [sent.event_id for sent in events[1:]] == [
        "card-bank/A0/2026-09/payment",
        "card-bank/A0/2026-09/closing",
    ]


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    chains = ["X0123C", "000", "5432100", "0X0"]
    told = [months_of(panel_of(tmp_path, *chains, shuffled=seed)) for seed in range(4)]
    assert all(months == told[0] for months in told)
    assert msgspec.json.encode(told[0]) == msgspec.json.encode(told[1])


def test_months_need_not_be_listened_to(tmp_path: Path) -> None:
    panel = CardPanel(panel_of(tmp_path, "00123C", "0101"))
    whole = [list(month.events) for month in panel.months()]
    later: list[Month] = list(panel.months())
    assert [list(month.events) for month in reversed(later)] == whole[::-1]


def test_accounts_are_taken_whole_and_in_order_of_their_ids(tmp_path: Path) -> None:
    file = panel_of(tmp_path, "000", "010", "0XC", "00_", shuffled=3)
    whole, some = months_of(file), months_of(file, accounts=2)
    kept = [
        (day, [sent for sent in events if getattr(sent.fact, "loan_id", "A0") in ("A0", "A1")]) for day, events in whole
    ]
    assert some == kept
    assert CardPanel(file, accounts=2).accounts == 2
    assert CardPanel(file, accounts=9).accounts == 4


def test_a_zip_is_read_as_the_file_in_it(tmp_path: Path) -> None:
    file = panel_of(tmp_path, "01", "0C")
    with zipfile.ZipFile(tmp_path / "panel.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, "folder/credit_record.CSV")
        archive.writestr("readme.txt", "not a panel")
    assert months_of(tmp_path / "panel.zip") == months_of(file)


GOOD = f"{HEADER}\nA,0,0\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("ID,STATUS\nA,0\n", ", line 1, column MONTHS_BALANCE: is missing", id="a column is missing"),
        pytest.param("ID,ID,MONTHS_BALANCE,STATUS\n", ", line 1, column ID: occurs twice", id="a column occurs twice"),
        pytest.param("", ", line 1, column ID: is missing", id="the file is empty"),
        pytest.param(HEADER + "\n", ": has no rows", id="there are no rows"),
        pytest.param(
            GOOD + "A,-1,7\n", ", line 3, column STATUS: is none of 0, 1, 2, 3, 4, 5, C, X", id="an unknown status"
        ),
        pytest.param(GOOD + "A,-1,\n", ", line 3, column STATUS: is none of 0, 1, 2, 3, 4, 5, C, X", id="no status"),
        pytest.param(
            GOOD + "A,one,0\n",
            ", line 3, column MONTHS_BALANCE: is no whole number from -600 to 0",
            id="a month that is no number",
        ),
        pytest.param(
            GOOD + "A,1,0\n",
            ", line 3, column MONTHS_BALANCE: is no whole number from -600 to 0",
            id="a month in the future",
        ),
        pytest.param(
            GOOD + "A,-601,0\n",
            ", line 3, column MONTHS_BALANCE: is no whole number from -600 to 0",
            id="a month too long ago",
        ),
        pytest.param(GOOD + "A,-1\n", ", line 3, column STATUS: is missing", id="a row is too short"),
        pytest.param(
            GOOD + "Herr A,-1,0\n",
            ", line 3, column ID: is no account id of letters, digits and ._:/@+-",
            id="an id with a blank",
        ),
        pytest.param(
            GOOD + "B,0,0\nA,0,1\n",
            ", line 4, column ID: the account has another row for this month",
            id="a month occurs twice",
        ),
        pytest.param(GOOD + '"A,-1,0\n', ": is not a CSV file: unexpected end of data", id="a quote is not closed"),
        pytest.param(GOOD + "A" * 20_000, ", line 3: is too long for this kind of file", id="a line that never ends"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_the_place(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "panel.csv"
    file.write_text(content)
    with pytest.raises(PanelFileError) as refused:
        CardPanel(file)
    assert str(refused.value) == f"panel.csv{complaint}"


def test_other_encodings_than_utf_8_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "panel.csv"
    file.write_bytes(f"{GOOD}Ä,-1,0\n".encode("utf-16"))
    with pytest.raises(PanelFileError, match=r"^panel.csv: is not UTF-8 text$"):
        CardPanel(file)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    file = tmp_path / "panel.csv"
    file.write_text(GOOD, encoding="utf-8-sig")
    assert CardPanel(file).accounts == 1


def zipped(file: Path, **members: str) -> bytes:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.csv", content)
    return file.read_bytes()


def test_a_truncated_or_ambiguous_zip_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "panel.zip"
    whole = zipped(file, one=GOOD)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PanelFileError, match=r"^panel.zip: is not a whole .zip file that can be read$"):
        CardPanel(file)
    zipped(file, one=GOOD, two=GOOD)
    with pytest.raises(PanelFileError, match=r"^panel.zip: holds 2 .csv files instead of one$"):
        CardPanel(file)


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "panel.zip"
    whole = bytearray(zipped(file, one=GOOD + "".join(f"B{n},0,X\n" for n in range(5_000))))
    whole[2_000] ^= 0xFF
    file.write_bytes(whole)
    with pytest.raises(PanelFileError, match=r"^panel.zip"):
        CardPanel(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PanelFileError, match=r"^panel.csv: cannot be read: No such file or directory$"):
        CardPanel(tmp_path / "panel.csv")


def test_no_accounts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PanelFileError, match=r"at least one account is needed, not 0$"):
        CardPanel(panel_of(tmp_path, "0"), accounts=0)


@pytest.mark.slow
def test_the_whole_real_panel_gives_the_events_that_its_rows_imply() -> None:
    told: Counter[str] = Counter()
    for month in CardPanel(card_panel()).months():
        for sent in month.events:
            told[type(sent.fact).__name__] += 1
            if isinstance(sent.fact, LoanClosed):
                told[sent.fact.reason] += 1
    assert told == implied_by_rows()


def implied_by_rows() -> Counter[str]:
    """The events counted from the file alone, account by account."""
    accounts: dict[str, dict[int, str]] = {}
    with zipfile.ZipFile(card_panel()) as archive:
        for line in archive.read("credit_record.csv").decode().split()[1:]:
            account, age, status = line.split(",")
            accounts.setdefault(account, {})[int(age)] = status
    told: Counter[str] = Counter(BusinessDateAdvanced=61)
    for months in accounts.values():
        before = "X"
        for month in range(min(months), 1):
            status = months.get(month, "gone")
            opened, ended = status in BUCKETS, before in BUCKETS and status not in BUCKETS
            told["LoanOverdue"] += opened
            told["PaymentPosted"] += before in BUCKETS and (status == "C" or (opened and status <= before))
            told["LoanClosed"] += ended
            if ended:
                told[{"C": "paid", "X": "no_loan", "gone": "no_longer_reported"}[status]] += 1
            before = status
    return told
