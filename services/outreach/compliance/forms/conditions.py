"""Rules of standing, of whom and of preconditions, as a pack's file has them."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from services.outreach.compliance.domain import needs as kinds
from services.outreach.compliance.domain import parties, standing
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.words import Channel, Outcome, Party
from services.outreach.compliance.forms.base import (
    PARTY,
    ContradictionError,
    Positive,
    RuleForm,
    Setting,
    Words,
    zone_of,
    zones_of,
)
from shared.data_files import Form


class BlockForm(RuleForm, frozen=True, kw_only=True, tag="block"):
    """No contact while a flag stands."""

    flag: str

    def rule(self, setting: Setting) -> Rule:
        """A Block."""
        return standing.Block(**self.shared(setting), flag=self.flag)


class MoratoriumForm(RuleForm, frozen=True, kw_only=True, tag="moratorium"):
    """No contact for some days from the day after a flag's date."""

    flag: str
    days: Positive
    zone: str

    def rule(self, setting: Setting) -> Rule:
        """A Moratorium."""
        return standing.Moratorium(**self.shared(setting), flag=self.flag, days=self.days, zone=zone_of(self.zone))


class OptOutForm(RuleForm, frozen=True, kw_only=True, tag="optout"):
    """No contact by a channel that the person has closed."""

    def rule(self, setting: Setting) -> Rule:
        """An OptOut."""
        return standing.OptOut(**self.shared(setting))


class BanForm(RuleForm, frozen=True, kw_only=True, tag="ban"):
    """No contact at all."""

    def rule(self, setting: Setting) -> Rule:
        """A Ban."""
        return standing.Ban(**self.shared(setting))


class PolicyForm(RuleForm, frozen=True, kw_only=True, tag="policy"):
    """Nothing that an attempt can break."""

    def rule(self, setting: Setting) -> Rule:
        """A Policy."""
        return standing.Policy(**self.shared(setting))


class PartyRuleForm(RuleForm, frozen=True, kw_only=True, tag="party_rule"):
    """Who is contacted as the debtor is, and who only through a gate."""

    as_debtor: tuple[Party, ...]
    gated: tuple[Party, ...] = ()

    def rule(self, setting: Setting) -> Rule:
        """A PartyRule."""
        both = sorted(set(self.as_debtor) & set(self.gated))
        if both:
            raise ContradictionError(f"has {both[0]} both as the debtor and gated")
        return parties.PartyRule(
            **self.shared(setting), as_debtor=frozenset(self.as_debtor), gated=frozenset(self.gated)
        )


class ContactGateForm(RuleForm, frozen=True, kw_only=True, tag="contact_gate"):
    """When somebody else may be asked."""

    failures: Positive
    tried: tuple[Channel, ...]
    unanswered: tuple[Outcome, ...]
    reached: tuple[Outcome, ...]
    flags: Words
    refusal: str
    content: Words
    offer: str
    offer_content: Words

    def rule(self, setting: Setting) -> Rule:
        """A ContactGate."""
        both = sorted(set(self.unanswered) & set(self.reached))
        if both:
            raise ContradictionError(f"has {both[0]} both unanswered and reached")
        return parties.ContactGate(
            **self.shared(setting),
            failures=self.failures,
            tried=frozenset(self.tried),
            unanswered=frozenset(self.unanswered),
            reached=frozenset(self.reached),
            flags=self.flags,
            refusal=self.refusal,
            content=frozenset(self.content),
            offer=self.offer,
            offer_content=frozenset(self.offer_content),
        )


class _NeedForm(Form, frozen=True):
    at_least: int | None = None
    within_days: int | None = None


Needs = Mapping[str, bool | str | _NeedForm]


def _needs(forms: Needs) -> tuple[kinds.Need, ...]:
    return tuple(_need(attribute, form) for attribute, form in forms.items())


def _need(attribute: str, form: bool | str | _NeedForm) -> kinds.Need:  # noqa: FBT001
    match form:
        case _NeedForm(at_least=int(least), within_days=None):
            return kinds.AtLeast(attribute, least)
        case _NeedForm(at_least=None, within_days=int(days)):
            return kinds.Recent(attribute, days)
        case _NeedForm():
            raise ContradictionError(f"needs of {attribute} either at_least or within_days")
        case value:
            return kinds.Equal(attribute, value)


class _RequireForm(RuleForm, frozen=True, kw_only=True):
    needs: Needs
    zone: str = PARTY

    def required(self) -> tuple[kinds.Need, ...]:
        """The needs. Raises ContradictionError where there are none."""
        if not self.needs:
            raise ContradictionError("needs nothing")
        return _needs(self.needs)


class RequireForm(_RequireForm, frozen=True, kw_only=True, tag="require"):
    """What must be so."""

    if_true: Mapping[str, Needs] = msgspec.field(default_factory=dict)

    def rule(self, setting: Setting) -> Rule:
        """A Require."""
        if_true = tuple((attribute, _needs(forms)) for attribute, forms in self.if_true.items())
        return kinds.Require(**self.shared(setting), needs=self.required(), if_true=if_true, zones=zones_of(self.zone))


class AgencyGateForm(_RequireForm, frozen=True, kw_only=True, tag="agency_gate"):
    """What must be so of an agency."""

    def rule(self, setting: Setting) -> Rule:
        """An AgencyGate."""
        return kinds.AgencyGate(**self.shared(setting), needs=self.required(), zones=zones_of(self.zone))


class WaitForm(RuleForm, frozen=True, kw_only=True, tag="wait"):
    """Days that must have passed."""

    since: str
    days: Positive
    needs: Needs = msgspec.field(default_factory=dict)
    zone: str = PARTY

    def rule(self, setting: Setting) -> Rule:
        """A Wait."""
        return kinds.Wait(
            **self.shared(setting),
            since=self.since,
            days=self.days,
            needs=_needs(self.needs),
            zones=zones_of(self.zone),
        )


class DeadlineForm(RuleForm, frozen=True, kw_only=True, tag="deadline"):
    """Days after which something must have been sent."""

    after: str
    sent: str
    days: Positive
    zone: str = PARTY

    def rule(self, setting: Setting) -> Rule:
        """A Deadline."""
        return kinds.Deadline(
            **self.shared(setting), after=self.after, sent=self.sent, days=self.days, zones=zones_of(self.zone)
        )


class ContentBanForm(RuleForm, frozen=True, kw_only=True, tag="content_ban"):
    """Contents that are not allowed while an attribute is true."""

    while_true: str
    banned: Annotated[Words, msgspec.Meta(min_length=1)]

    def rule(self, setting: Setting) -> Rule:
        """A ContentBan."""
        return kinds.ContentBan(**self.shared(setting), when=self.while_true, banned=frozenset(self.banned))
