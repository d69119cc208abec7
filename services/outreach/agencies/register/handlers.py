"""Listing agencies, their conduct and their keys: one register decides, for all lanes, and tells them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from services.outreach.agencies.register.commands import (
    AddKey,
    AgencyTerms,
    ChangeAgency,
    IssueApiKey,
    ListAgency,
    RecordComplaint,
    RemoveKey,
    ResumeAgency,
    RevokeApiKey,
    SuspendAgency,
)
from services.outreach.agencies.register.domain import (
    API_KEY_LASTS,
    MOST_LIVE,
    Agency,
    AgencyFile,
    ApiKey,
    ClientKey,
    Entry,
    State,
    kept_as,
    wrong_with,
)
from shared.contracts.agencies import (
    AgencyApiKeyIssued,
    AgencyApiKeyRevoked,
    AgencyComplained,
    AgencyKeyAdded,
    AgencyKeyRemoved,
    AgencyListed,
    AgencyState,
)
from shared.contracts.envelope import Event, Fact, Moment, Told
from shared.frozen import replace
from shared.service import Handler, Rejected

Decision: TypeAlias = tuple[AgencyFile, Sequence[Told]]


def directive_of(fact: AgencyListed) -> str:
    """Under which name a lane keeps how an agency stands."""
    return kept_as(fact.agency_id)


def on_list(file: AgencyFile, event: Event[ListAgency], now: Moment) -> Decision:
    """Take an agency into the register. Raises Rejected."""
    if file.agency is not None:
        raise Rejected("there is an agency of this id already", field="agency_id")
    terms = _checked(event.data.terms, now)
    agency = Agency(
        **_fields(terms),
        state=State.ACTIVE,
        state_reason="",
        complaints=0,
        listed_by=event.actor,
        listed_at=now.instant,
        changed_by=event.actor,
        changed_at=now.instant,
    )
    return _listed(file, agency, event, now, "listed")


def on_change(file: AgencyFile, event: Event[ChangeAgency], now: Moment) -> Decision:
    """Have an agency stand in the register with other terms. Raises Rejected."""
    agency = _known(file)
    terms = _checked(event.data.terms, now)
    return _listed(file, replace(agency, **_fields(terms)), event, now, "changed")


def on_suspend(file: AgencyFile, event: Event[SuspendAgency], now: Moment) -> Decision:
    """Have an agency do nothing from now on. Raises Rejected."""
    agency = _known(file)
    if agency.state is State.SUSPENDED:
        raise Rejected("the agency is suspended already", field="agency_id")
    suspended = replace(agency, state=State.SUSPENDED, state_reason=event.data.reason)
    return _listed(file, suspended, event, now, "suspended")


def on_resume(file: AgencyFile, event: Event[ResumeAgency], now: Moment) -> Decision:
    """Let an agency work again. Raises Rejected."""
    agency = _known(file)
    if agency.state is State.ACTIVE:
        raise Rejected("the agency is not suspended", field="agency_id")
    resumed = replace(agency, state=State.ACTIVE, state_reason=event.data.reason)
    return _listed(file, resumed, event, now, "resumed")


def on_complaint(file: AgencyFile, event: Event[RecordComplaint], now: Moment) -> Decision:
    """Count a complaint about an agency. Raises Rejected."""
    agency = _known(file)
    counted = replace(agency, complaints=agency.complaints + 1)
    fact = AgencyComplained(agency_id=file.agency_id, complaints=counted.complaints, reason=event.data.reason)
    return _kept(replace(file, agency=counted), event, now, "complained", fact)


def on_add_key(file: AgencyFile, event: Event[AddKey], now: Moment) -> Decision:
    """Let an agency's clients sign with another key. Raises Rejected."""
    _known(file)
    asked = event.data
    if asked.kid in file.keys:
        raise Rejected("the agency has, or had, another key of this id", field="kid")
    if sum(key.removed_at is None for key in file.keys.values()) >= MOST_LIVE:
        raise Rejected(f"the agency has {MOST_LIVE} keys: remove one first", field="kid")
    if any(key.removed_at is None and key.jwk == asked.jwk for key in file.keys.values()):
        raise Rejected("the agency has this key under another id", field="x")
    key = ClientKey(kid=asked.kid, alg=asked.alg, jwk=asked.jwk, added_by=event.actor, added_at=now.instant)
    fact = AgencyKeyAdded(agency_id=file.agency_id, kid=key.kid, alg=key.alg)
    return _kept(replace(file, keys={**file.keys, key.kid: key}), event, now, "key added", fact)


def on_remove_key(file: AgencyFile, event: Event[RemoveKey], now: Moment) -> Decision:
    """Have nothing count that is signed with a key. Raises Rejected."""
    key = file.keys.get(event.data.kid)
    if key is None or key.removed_at is not None:
        raise Rejected("the agency has no key of this id", field="kid")
    removed = replace(key, removed_by=event.actor, removed_at=now.instant)
    fact = AgencyKeyRemoved(agency_id=file.agency_id, kid=key.kid, reason=event.data.reason)
    return _kept(replace(file, keys={**file.keys, key.kid: removed}), event, now, "key removed", fact)


def on_issue_api_key(file: AgencyFile, event: Event[IssueApiKey], now: Moment) -> Decision:
    """Have an API key open what its scopes say, until it expires. Raises Rejected."""
    asked, agency = event.data, _known(file)
    if asked.prefix in file.api_keys:
        raise Rejected("the agency has, or had, another key that begins so", field="prefix")
    live = [key for key in file.api_keys.values() if key.revoked_at is None and key.expires_at > now.instant]
    if len(live) >= MOST_LIVE:
        raise Rejected(f"the agency has {MOST_LIVE} API keys: revoke one first", field="prefix")
    if not now.instant < asked.expires_at <= now.instant + API_KEY_LASTS:
        raise Rejected("an API key expires later than now, and within a year", field="expires_at")
    if not set(asked.scopes) <= set(agency.scopes):
        raise Rejected("the agency itself may not do all of this", field="scopes")
    key = ApiKey(
        prefix=asked.prefix,
        sha256=asked.sha256,
        scopes=asked.scopes,
        expires_at=asked.expires_at,
        issued_by=event.actor,
        issued_at=now.instant,
    )
    fact = AgencyApiKeyIssued(
        agency_id=file.agency_id, prefix=key.prefix, scopes=tuple(map(str, key.scopes)), expires_at=key.expires_at
    )
    return _kept(replace(file, api_keys={**file.api_keys, key.prefix: key}), event, now, "api key issued", fact)


def on_revoke_api_key(file: AgencyFile, event: Event[RevokeApiKey], now: Moment) -> Decision:
    """Have an API key open nothing any more. Raises Rejected."""
    key = file.api_keys.get(event.data.prefix)
    if key is None or key.revoked_at is not None:
        raise Rejected("the agency has no API key that begins so", field="prefix")
    revoked = replace(key, revoked_by=event.actor, revoked_at=now.instant)
    fact = AgencyApiKeyRevoked(agency_id=file.agency_id, prefix=key.prefix, reason=event.data.reason)
    return _kept(replace(file, api_keys={**file.api_keys, key.prefix: revoked}), event, now, "api key revoked", fact)


HANDLERS: Mapping[type, Handler] = {
    ListAgency: on_list,
    ChangeAgency: on_change,
    SuspendAgency: on_suspend,
    ResumeAgency: on_resume,
    RecordComplaint: on_complaint,
    AddKey: on_add_key,
    RemoveKey: on_remove_key,
    IssueApiKey: on_issue_api_key,
    RevokeApiKey: on_revoke_api_key,
}

COMMANDS: Mapping[str, type] = {
    "list-agency": ListAgency,
    "change-agency": ChangeAgency,
    "suspend-agency": SuspendAgency,
    "resume-agency": ResumeAgency,
    "record-complaint": RecordComplaint,
    "add-agency-key": AddKey,
    "remove-agency-key": RemoveKey,
    "issue-api-key": IssueApiKey,
    "revoke-api-key": RevokeApiKey,
}


def _known(file: AgencyFile) -> Agency:
    if file.agency is None:
        raise Rejected("there is no agency of this id", field="agency_id")
    return file.agency


def _checked(terms: AgencyTerms, now: Moment) -> AgencyTerms:
    wrong = wrong_with(terms, now.instant.date())
    if wrong is not None:
        raise Rejected(wrong[1], field=wrong[0])
    return terms


def _fields(terms: AgencyTerms) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in AgencyTerms.__struct_fields__}


def _listed(file: AgencyFile, agency: Agency, event: Event[Any], now: Moment, step: str) -> Decision:
    """The register with an agency as it has become, told whole."""
    changed = replace(agency, changed_by=event.actor, changed_at=now.instant)
    fact = AgencyListed(
        agency_id=file.agency_id,
        name=changed.name,
        state=AgencyState(changed.state),
        licence_until=changed.licence_until,
        contract_from=changed.contract_from,
        contract_until=changed.contract_until,
        last_evaluation_on=changed.last_evaluation_on,
        trained_until=changed.trained_until,
        published=changed.published,
        capacity=changed.capacity,
        commission_ppm=changed.commission_ppm,
        reason=changed.state_reason,
    )
    return _kept(replace(file, agency=changed), event, now, step, fact)


def _kept(file: AgencyFile, event: Event[Any], now: Moment, step: str, fact: Fact) -> Decision:
    """The register with an entry of what was done, and the fact for every lane."""
    entry = Entry(step=step, actor=event.actor, at=now.instant, content=msgspec.to_builtins(event.data))
    return replace(file, entries=(*file.entries, entry)), (Told(fact, debtor_id=""),)
