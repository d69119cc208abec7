"""The second evaluator: slow, plain, and written from the conventions and the pack's file alone.

It shares nothing with the engine. It reads YAML and vectors as they stand, asks each rule at one instant with datetimes
and loops, and finds the next allowed instant by trying every instant at which anything could change.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

Json = dict[str, Any]
ORDER = ["block", "moratorium", "contact_gate", "party_rule", "agency_gate", "ban", "optout", "require", "wait",
         "deadline", "content_ban", "policy", "window", "blackout", "cap", "cooldown"]  # fmt: skip
RANKS = [2, 4, 1, 5, 2, 2]  # how many of these are of each rank
LENDERS = ("FI", "lender", "creditor")


def rank(rule: Json) -> int:
    position = ORDER.index(rule["kind"])
    return next(index for index in range(len(RANKS)) if position < sum(RANKS[: index + 1]))


class Naive:
    """A pack's file, ready to judge vectors."""

    def __init__(self, file: Path) -> None:
        content = yaml.safe_load(file.read_text("utf-8"))
        self.zone, self.switches = content["zone"], content.get("switches", {})
        self.rules = sorted((rule for rule in content["rules"] if rule.get("enabled", True)), key=rank)
        weekly = any("weekdays" in rule.get("hours", {}) for rule in self.rules)
        self.beyond = timedelta(days=7 if weekly else 3)
        """How long after the last edge that is known the hours of a day, or a week, must have opened once."""

    def judge(self, vector: Json, until: datetime | None = None) -> tuple[list[str], datetime | None]:
        """The failing rules, and the next allowed instant, looked for until then; ([], None) where it is allowed."""
        if vector.get("dir") == "in":
            return [], None
        request = Request(vector)
        named = [rule for rule in self.rules if rule["id"] in vector["pack"] or "CN" in vector["pack"]]
        whole = [rule for rule in named if concerns(rule, request)]
        at = request.at.replace(microsecond=0)
        failing = [rule for rule in whole if not self.passes(rule, request, at)]
        if not failing:
            return [], None
        ordered = failing + [rule for rule in whole if rule not in failing]
        moments = sorted(moment for moment in self.moments(ordered, request, until) if moment > at)
        found = (moment for moment in moments if all(self.passes(rule, request, moment) for rule in ordered))
        return [rule["id"] for rule in failing], next(found, None)

    def passes(self, rule: Json, request: "Request", at: datetime) -> bool:
        """Whether one rule is not in the way at an instant."""
        if not self.in_force(rule, at):
            return True
        if request.purpose in rule.get("exempt_purposes", ()):
            return True
        if any(request.ctx.get(name) is True for name in rule.get("unless", ())):
            return True
        return bool(getattr(self, f"passes_{rule['kind']}")(rule, request, at))

    def in_force(self, rule: Json, at: datetime) -> bool:
        today = at.astimezone(ZoneInfo(self.zone)).date()
        return rule["effective"] <= today and not (rule.get("repealed") and rule["repealed"] <= today)

    # -- hours

    def passes_window(self, rule: Json, request: "Request", at: datetime) -> bool:
        zones = request.zones(rule)
        agreed = request.ctx.get(rule["agreed"]) if rule.get("agreed") else None
        return bool(zones) and all(self._is_open(rule, agreed, request, at.astimezone(zone)) for zone in zones)

    def _is_open(self, rule: Json, agreed: Any, request: "Request", local: datetime) -> bool:
        ranges = agreed if agreed is not None else hours_on(rule["hours"], local.date(), request.holidays)
        return any(inside(local.time(), opens, closes) for opens, closes in ranges)

    def passes_blackout(self, rule: Json, request: "Request", at: datetime) -> bool:
        closed = request.ctx.get(rule["closed"]) or []
        zones = request.zones(rule)
        return bool(zones) and not any(
            inside(at.astimezone(zone).time(), opens, closes) for zone in zones for opens, closes in closed
        )

    # -- counts

    def passes_cap(self, rule: Json, request: "Request", at: datetime) -> bool:
        if not request.can_count(rule):
            return False
        if rule.get("mode") and request.mode != rule["mode"]:
            return True
        limit = (request.ctx.get(rule["agreed"]) or {}).get(rule["id"], rule["limit"]) if "agreed" in rule else None
        counted = [entry for entry in request.hist if self._counts(rule, request, entry)]
        return all(self._in_period(rule, counted, at, zone) < (limit or rule["limit"]) for zone in request.zones(rule))

    def _in_period(self, rule: Json, counted: Sequence[Json], at: datetime, zone: ZoneInfo) -> int:
        number = 0
        for entry in counted:
            if rule["days"] is None:
                number += 1
            elif rule.get("rolling"):
                number += entry["at"] + timedelta(days=rule["days"]) > at
            else:
                age = (at.astimezone(zone).date() - entry["at"].astimezone(zone).date()).days
                number += 0 <= age < rule["days"]
        return number

    def passes_cooldown(self, rule: Json, request: "Request", at: datetime) -> bool:
        if not request.can_count(rule):
            return False
        for zone in request.zones(rule):
            for entry in request.hist:
                if self._counts(rule, request, entry) and entry["at"] <= at:
                    age = (at.astimezone(zone).date() - entry["at"].astimezone(zone).date()).days
                    if age < rule["days"]:
                        return False
        return True

    def _counts(self, rule: Json, request: "Request", entry: Json) -> bool:
        for scope, field in (("person", "to"), ("number", "num"), ("debt", "debt"), ("creditor", "creditor")):
            if scope in rule["scope"] and entry[field] != request.fields[field]:
                return False
        return any(self._is(counted, entry) for counted in rule["counts"])

    def _is(self, counted: Json, entry: Json) -> bool:
        if "when" in counted and not self.switches[counted["when"]]:
            return False
        if any(entry.get(mark) is True for mark in counted.get("not_marked", ())):
            return False
        modes = counted.get("modes")
        return (
            entry["ch"] in counted["channels"]
            and entry["dir"] in counted.get("directions", ["out"])
            and ("outcomes" not in counted or entry["o"] in counted["outcomes"])
            and (modes is None or (entry["mode"] or "unstated") in modes)
        )

    # -- standing

    def passes_block(self, rule: Json, request: "Request", at: datetime) -> bool:
        return not request.flag(rule["flag"], at)

    def passes_moratorium(self, rule: Json, request: "Request", at: datetime) -> bool:
        span = request.flags.get(rule["flag"])
        if span is None or (span[1] is not None and at >= span[1]):
            return True
        zone = ZoneInfo(rule["zone"])
        age = (at.astimezone(zone).date() - span[0].astimezone(zone).date()).days
        return not 1 <= age <= rule["days"]

    def passes_optout(self, rule: Json, request: "Request", at: datetime) -> bool:
        return request.channel not in (request.ctx.get("optouts") or [])

    def passes_ban(self, rule: Json, request: "Request", at: datetime) -> bool:
        return False

    def passes_policy(self, rule: Json, request: "Request", at: datetime) -> bool:
        return True

    # -- whom

    def passes_party_rule(self, rule: Json, request: "Request", at: datetime) -> bool:
        return request.party in rule["as_debtor"] + rule["gated"]

    def passes_contact_gate(self, rule: Json, request: "Request", at: datetime) -> bool:
        refused = request.flags.get(rule["refusal"])
        if refused is not None and refused[0] <= at:
            return False
        offers = request.flag(rule["offer"], at) or request.ctx.get(rule["offer"]) is True
        lost = any(request.flag(name, at) or request.ctx.get(name) is True for name in rule["flags"])
        if not offers and not lost and not self._tried_in_vain(rule, request):
            return False
        allowed = rule["content"] + (rule["offer_content"] if offers else [])
        content = request.ctx.get("content") or []
        return len(content) > 0 and all(each in allowed for each in content)

    def _tried_in_vain(self, rule: Json, request: "Request") -> bool:
        in_a_row = 0
        for entry in sorted(request.hist, key=lambda entry: (entry["at"], entry["o"] in rule["reached"])):
            theirs = entry["to"].split(":")[0] == "debtor" and entry["creditor"] == request.fields["creditor"]
            if not theirs or entry["at"] > request.at:
                continue
            if entry["o"] in rule["reached"]:
                in_a_row = 0
            elif entry["dir"] == "out" and entry["ch"] in rule["tried"] and entry["o"] in rule["unanswered"]:
                in_a_row += 1
        return in_a_row >= int(rule["failures"])

    def passes_agency_gate(self, rule: Json, request: "Request", at: datetime) -> bool:
        by = request.vector.get("by")
        if by is None and not any(request.ctx.get(name) is not None for name in rule["needs"]):
            return False
        return by in LENDERS or self.passes_require(rule, request, at)

    # -- preconditions

    def passes_require(self, rule: Json, request: "Request", at: datetime) -> bool:
        needed = [*rule["needs"].items()]
        for name, more in rule.get("if_true", {}).items():
            needed += more.items() if request.ctx.get(name) is True else []
        return all(self._met(wanted, request.ctx.get(name), request.zones(rule), at) for name, wanted in needed)

    def _met(self, wanted: Any, value: Any, zones: Sequence[ZoneInfo], at: datetime) -> bool:
        if value is None:
            return False
        if not isinstance(wanted, dict):
            return bool(value == wanted)
        if "at_least" in wanted:
            return bool(value >= wanted["at_least"])
        ages = [(at.astimezone(zone).date() - day_of(value, zone)).days for zone in zones]
        return bool(ages) and all(0 <= age <= wanted["within_days"] for age in ages)

    def passes_wait(self, rule: Json, request: "Request", at: datetime) -> bool:
        since, zones = request.ctx.get(rule["since"]), request.zones(rule)
        if since is None or not zones or not self.passes_require({"needs": {}, **rule}, request, at):
            return False
        return all((at.astimezone(zone).date() - day_of(since, zone)).days >= rule["days"] for zone in zones)

    def passes_deadline(self, rule: Json, request: "Request", at: datetime) -> bool:
        if rule["after"] not in request.ctx:
            return False
        after = request.ctx[rule["after"]]
        if after is None or request.ctx.get(rule["sent"]):
            return True
        zones = request.zones(rule)
        return bool(zones) and all(
            (at.astimezone(zone).date() - day_of(after, zone)).days <= rule["days"] for zone in zones
        )

    def passes_content_ban(self, rule: Json, request: "Request", at: datetime) -> bool:
        while_true, content = request.ctx.get(rule["while_true"]), request.ctx.get("content")
        if while_true is False:
            return True
        return while_true is True and content is not None and not set(content) & set(rule["banned"])

    # -- every instant at which anything could change

    def moments(self, rules: Sequence[Json], request: "Request", until: datetime | None) -> set[datetime]:
        zones = {zone for rule in rules for zone in request.zones(rule)} | {ZoneInfo(self.zone)}
        edges = {moment for rule in rules for moment in request.edges(rule, self.zone)}
        last = max(until or request.at, request.at + self.beyond, *(edge + self.beyond for edge in edges))
        times = {time(0), *(clock for rule in rules for clock in request.clocks(rule))}
        for zone in zones:
            edges.update(every(times, zone, request.at, last))
        return {edge for edge in edges if edge <= last}


class Request:
    """A vector, with its defaults filled in."""

    def __init__(self, vector: Json) -> None:
        self.vector = vector
        self.at = datetime.fromisoformat(vector["at"]).astimezone(UTC)
        self.channel, self.mode, self.purpose = vector["ch"], vector.get("mode"), vector.get("purpose")
        self.fields = filled(vector)
        self.party = self.fields["to"].split(":")[0]
        self.ctx: Json = vector.get("ctx") or {}
        self.holidays = [date.fromisoformat(day) for day in vector.get("holidays", [])]
        self.flags = {name: span_of(span) for name, span in self.ctx.get("flags", {}).items()}
        self.hist = [
            {**entry, **filled(entry), "at": datetime.fromisoformat(entry["t"]).astimezone(UTC).replace(microsecond=0)}
            for entry in vector.get("hist", [])
        ]

    def flag(self, name: str, at: datetime) -> bool:
        span = self.flags.get(name)
        return span is not None and span[0] <= at and (span[1] is None or at < span[1])

    def zones(self, rule: Json) -> list[ZoneInfo]:
        own = rule.get("zone", "party")
        return [ZoneInfo(name) for name in ([own] if own != "party" else self.vector.get("tz", []))]

    def can_count(self, rule: Json) -> bool:
        return bool(self.zones(rule)) and not (rule.get("mode") and self.mode is None)

    def edges(self, rule: Json, zone: str) -> Iterator[datetime]:
        for day in (rule["effective"], rule.get("repealed")):
            if day is not None:
                yield datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
        for begins, ends in self.flags.values():
            yield from (begins, *([ends] if ends else []), begins + timedelta(days=rule.get("days") or 0))
        for entry in self.hist:
            yield entry["at"] + timedelta(days=rule.get("days") or 0)
        if "since" in rule and self.ctx.get(rule["since"]):
            since = day_of(self.ctx[rule["since"]], ZoneInfo(zone))
            yield datetime.combine(since + timedelta(days=rule["days"]), time(), UTC)

    def clocks(self, rule: Json) -> Iterator[time]:
        ranges = [pair for pairs in rule.get("hours", {}).values() for pair in pairs]
        ranges += self.ctx.get(rule.get("agreed") or "", []) if rule["kind"] == "window" else []
        ranges += self.ctx.get(rule.get("closed") or "") or []
        yield from (time.fromisoformat(edge) for pair in ranges for edge in pair if edge != "24:00")


def concerns(rule: Json, request: Request) -> bool:
    for condition in rule.get("when", ()):
        value = request.ctx.get(condition["attribute"])
        if value is not None and "values" in condition and value not in condition["values"]:
            return False
        if value is not None and "at_most" in condition and value > condition["at_most"]:
            return False
    return request.channel in rule.get("channels", [request.channel]) and request.party in rule.get(
        "parties", [request.party]
    )


def filled(entry: Json) -> Json:
    defaults = {"to": "debtor", "num": "A", "debt": "D1", "creditor": "", "dir": "out", "mode": None}
    return {name: entry.get(name, value) for name, value in defaults.items()}


def span_of(span: Json) -> tuple[datetime, datetime | None]:
    ends = span.get("to")
    begins = datetime.fromisoformat(span["from"]).astimezone(UTC)
    return begins, datetime.fromisoformat(ends).astimezone(UTC) if ends else None


def day_of(value: str, zone: ZoneInfo) -> date:
    return datetime.fromisoformat(value).astimezone(zone).date() if "T" in value else date.fromisoformat(value)


def hours_on(hours: Json, day: date, holidays: Sequence[date]) -> list[list[str]]:
    if day in holidays and "holidays" in hours:
        return list(hours["holidays"])
    if "daily" in hours:
        return list(hours["daily"])
    return list(hours[(["weekdays"] * 5 + ["saturday", "sunday"])[day.weekday()]])


def inside(clock: time, opens: str, closes: str) -> bool:
    now = clock.isoformat("seconds")
    opens, closes = f"{opens}:00"[:8], f"{closes}:00"[:8]
    return opens <= now < closes if opens < closes else now >= opens or now < closes


def every(times: Iterable[time], zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """These times of each day in a zone, whichever way the clock is read; where it is changed, each quarter hour."""
    day = first.astimezone(zone).date()
    times = list(times)
    while (midnight := datetime.combine(day, time(), zone)).astimezone(UTC) <= last:
        following = datetime.combine(day + timedelta(days=1), time(), zone)
        changed = midnight.utcoffset() != following.utcoffset()
        for clock in times:
            for fold in (0, 1) if changed else (0,):
                yield datetime.combine(day, clock, zone).replace(fold=fold).astimezone(UTC)
        if changed:
            yield from (midnight.astimezone(UTC) + timedelta(minutes=15 * step) for step in range(26 * 4))
        day += timedelta(days=1)
