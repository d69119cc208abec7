"""What the rows of a file are, by its header; and how rows become an event."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, TypeAlias

import msgspec

from services.intake.connectors import drafting
from services.intake.connectors.sending import Sent
from shared.contracts.core_banking import (
    ContactKind,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PartyProfile,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Fact
from shared.service import Rejected

Row: TypeAlias = Mapping[str, str]
_INSTALMENT: Final = tuple(field.name for field in msgspec.structs.fields(Instalment))
_CONTACTS: Final = tuple(str(kind) for kind in ContactKind)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file.

    at: the column that says when it happened. instants: columns of a date with its time. grouped: whether the rows of a
    loan, one after the other, are one event.
    """

    name: str
    event: str
    at: str
    instants: frozenset[str]
    needs: frozenset[str]
    knows: frozenset[str]
    fields: Callable[[Sequence[Row]], dict[str, Any]]
    grouped: bool = False

    def event_of(self, rows: Sequence[Row], event_id: str, lender_id: str, zone: tzinfo) -> Sent:
        """The event that some rows say. Raises Rejected."""
        given = [{name: value for name, value in row.items() if value} for row in rows]
        fields = self.fields(given)
        for name in self.instants & fields.keys():
            fields[name] = drafting.instant(fields[name], name, zone)
        fact = drafting.drafted(self.event, {**fields, "lender_id": lender_id})
        return drafting.sent(event_id, getattr(fact, self.at), fact)


def kind_of(header: Sequence[str]) -> Kind:
    """The kind of file that a header announces. Raises Rejected, with the column that is in the way.

    A column is named by its number: a file without a header begins with somebody's data.
    """
    for place, column in enumerate(header, 1):
        if column in header[: place - 1]:
            raise Rejected("occurs twice", field=f"column {place}")
    found = next((kind for kind in KINDS if kind.needs <= set(header)), None)
    if found is None:
        best = max(KINDS, key=lambda kind: len(kind.needs & set(header)))
        missing = ", ".join(sorted(best.needs - set(header)))
        raise Rejected(f"is no file of {', '.join(kind.name for kind in KINDS)}: for {best.name} it lacks {missing}")
    for place, column in enumerate(header, 1):
        if column not in found.knows:
            raise Rejected(f"is none that a file of {found.name} has", field=f"column {place}")
    return found


def _is_instant(field: msgspec.structs.FieldInfo) -> bool:
    return datetime in (field.type, getattr(field.type, "__origin__", None), *getattr(field.type, "__args__", ()))


def _plain(rows: Sequence[Row]) -> dict[str, Any]:
    return dict(rows[0])


def _profile(rows: Sequence[Row]) -> dict[str, Any]:
    """A profile, with a contact point from each column of one; several in a column stand between semicolons."""
    row = rows[0]
    contacts = [
        {"kind": kind, "value": value.strip()}
        for kind in _CONTACTS
        for value in row.get(kind, "").split(";")
        if value.strip()
    ]
    zones = {"time_zones": row["time_zones"].split(";")} if "time_zones" in row else {}
    return {name: value for name, value in row.items() if name not in _CONTACTS} | {"contacts": contacts} | zones


def _snapshot(rows: Sequence[Row]) -> dict[str, Any]:
    """All instalments of a loan; what is said of the loan itself is the same in each row."""
    of_loan = [{name: value for name, value in row.items() if name not in _INSTALMENT} for row in rows]
    for place, other in enumerate(of_loan[1:], 1):
        differing = sorted(name for name in {*other, *of_loan[0]} if other.get(name) != of_loan[0].get(name))
        if differing:
            raise Rejected("differs from the loan's first row", field=f"instalments[{place}].{differing[0]}")
    return {**of_loan[0], "instalments": [_instalment(row, place) for place, row in enumerate(rows)]}


def _instalment(row: Row, place: int) -> dict[str, Any]:
    found: dict[str, Any] = {name: row[name] for name in _INSTALMENT if name in row}
    if not (found.get("number", "").isascii() and found.get("number", "").isdecimal()):
        raise Rejected("is no whole number", field=f"instalments[{place}].number")
    return found | {"number": int(found["number"][:9])}


def _kind(
    name: str,
    event: str,
    fact: type[Fact],
    at: str,
    *,
    without: Iterable[str] = (),
    more: Iterable[str] = (),
    fields: Callable[[Sequence[Row]], dict[str, Any]] = _plain,
    grouped: bool = False,
) -> Kind:
    """A kind whose columns are the fields of its event: those without a default are needed."""
    own = [field for field in msgspec.structs.fields(fact) if field.name not in {"lender_id", *without}]
    needs = {field.name for field in own if field.required} | ({"number", "due_on"} if grouped else set())
    knows = {field.name for field in own} | set(more)
    instants = frozenset(field.name for field in own if _is_instant(field))
    return Kind(name, event, at, instants, frozenset(needs), frozenset(knows), fields, grouped)


KINDS: Final = (
    _kind("reversals", "core-banking.payment-reversed.v1", PaymentReversed, "reversed_at"),
    _kind("payments", "core-banking.payment-posted.v1", PaymentPosted, "posted_at"),
    _kind("closings", "core-banking.loan-closed.v1", LoanClosed, "closed_at"),
    _kind(
        "overdue instalments",
        "core-banking.loan-overdue.v1",
        LoanOverdue,
        "posting_cut_off",
        without=["instalments"],
        more=_INSTALMENT,
        fields=_snapshot,
        grouped=True,
    ),
    _kind(
        "profiles",
        "core-banking.party-profile.v1",
        PartyProfile,
        "updated_at",
        without=["contacts"],
        more=_CONTACTS,
        fields=_profile,
    ),
)
"""Each kind of file, those first whose columns include another's."""
