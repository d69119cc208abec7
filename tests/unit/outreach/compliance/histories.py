"""Made-up attempts with their histories, as vectors; biased toward the edges of rules, where evaluators disagree."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
CHINA, LONDON = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/London")
EDGES = ("00:00:00", "07:59:59", "08:00:00", "12:00:00", "15:00:00", "18:59:59", "19:00:00", "20:30:00", "21:00:00",
         "21:59:59", "22:00:00", "22:59:59", "23:59:59")  # fmt: skip
CALLS = ("failed", "no_answer", "no_answer", "voicemail", "connected", "conversation")
WRITTEN = ("sent", "sent", "failed")


def china(rng: Random, rules: Sequence[str]) -> Json:
    """One for the pack of China. Half of them break no rule but those of hours and counts."""
    clean = rng.random() < 0.5
    first = rng.choice((date(2026, 12, 1), date(2026, 12, 1), date(2026, 1, 27), date(2025, 2, 24)))
    at = moment(rng, first + timedelta(days=rng.randrange(6)), CHINA)
    others = ("guarantor:G1", "co_debtor:C1", "unrelated:U1", "attorney:L")
    to = rng.choice(("debtor",) * 10 + ("contact:K1",) * 3 + (() if clean else others))
    return {
        "pack": ["CN"] if rng.random() < 0.4 else rng.sample(rules, rng.randrange(1, 5)),
        "at": at.isoformat(),
        "ch": rng.choice(("call",) * 5 + ("sms", "im", "visit", "email", "letter", "push")),
        "to": to,
        "num": rng.choice("AAAB"),
        "debt": rng.choice(("D1", "D2")),
        **some(rng, 1 if clean else 0.9, mode=rng.choice(("inform", "interactive"))),
        **some(rng, 1 if clean else 0.9, by=rng.choice(("FI", "FI", "AG1", "AG2"))),
        **some(rng, 0.2, purpose=rng.choice(("service", "dispute_reply", "payment_confirm"))),
        **some(rng, 0.1, creditor="other"),
        **some(rng, 0.02, dir="in"),
        "hist": course(rng, at, to, 16),
        "ctx": duties(rng, at, 1 if clean else 0.95)
        | agreements(rng, at, 0.02 if clean else 0.1)
        | words(rng, 1 if clean else 0.9 if to.startswith(("contact", "unrelated")) else 0.3),
    }


def duties(rng: Random, at: datetime, chance: float) -> Json:
    """What China's preconditions ask for."""
    names = ("recording", "identity_disclosed", "id_shown", "mandate_shown", "given_by_debtor", "on_published_list",
             "contract_valid", "training_current")  # fmt: skip
    evaluated = at.date() - timedelta(days=rng.choice((0, 40, 363, 364, 366) if chance < 1 else (0, 300)))
    return {
        **known(rng, names, chance),
        **some(rng, chance, crew=rng.choice((1, 2, 2, 2, 3)) if chance < 1 else 2),
        **some(rng, chance, last_evaluation=evaluated.isoformat()),
    }


def agreements(rng: Random, at: datetime, chance: float) -> Json:
    """What the person has agreed to, asked for or refused."""
    agreed = rng.choice(([["19:00", "23:00"]], [["22:00", "06:00"]], [["09:30", "11:00"]], []))
    names = ("plan_active", "dispute_open", "debtor_missing", "contact_refused", "contact_offers_to_pay")
    return {
        **some(rng, 3 * chance, enter_home=True, entry_consent=rng.random() < 0.5),
        **some(rng, 2 * chance, agreed=agreed),
        **some(rng, 2 * chance, consent_hours=rng.random() < 0.8),
        **some(rng, chance, agreed_limits={"CN-F1": rng.randrange(1, 6), "CN-F3": 2}),
        "flags": flags(rng, at, names, chance),
    }


def words(rng: Random, chance: float) -> Json:
    """What is to be said, if that is told: mostly what may be said to somebody else."""
    asked = rng.choice((("ask_to_relay",), ("ask_debtor_contact", "ask_to_relay"), ()))
    more = rng.choice(((), (), (), ("payment_information",), ("amount",)))
    return some(rng, chance, content=[*asked, *more])


ZONES = ("America/New_York", "America/Los_Angeles", "Europe/London", "Asia/Beirut", "America/Santiago", "Africa/Cairo",
         "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Guam", "Pacific/Chatham")  # fmt: skip
CHANGES = (date(2026, 3, 5), date(2026, 3, 26), date(2026, 4, 2), date(2026, 4, 22), date(2026, 9, 3),
           date(2026, 9, 25), date(2026, 10, 2), date(2026, 10, 22), date(2026, 10, 29))  # fmt: skip


def elsewhere(rng: Random, rules: Sequence[str]) -> Json:
    """One for the invented country, around a day on which some clock changes."""
    zones = rng.sample(ZONES, rng.choice((0, 1, 1, 1, 1, 1, 2, 2)))
    day = rng.choice(CHANGES) + timedelta(days=rng.randrange(6))
    at = moment(rng, day, ZoneInfo(zones[0]) if zones else LONDON)
    to = rng.choice(("debtor",) * 6 + ("third:N1", "contact:K1"))
    return {
        "pack": list(rules) if rng.random() < 0.3 else rng.sample(rules, rng.randrange(1, 6)),
        "at": at.isoformat(),
        "tz": zones,
        "ch": rng.choice(("call", "call", "call", "sms", "email", "visit", "letter", "credit_report")),
        "to": to,
        "debt": rng.choice(("D1", "D2")),
        **some(rng, 0.3, holidays=[(at.date() + timedelta(days=rng.randrange(3))).isoformat()]),
        **some(rng, 0.2, purpose=rng.choice(("legal_required", "complaint", "optout_confirm"))),
        "hist": course(rng, at, to, 9),
        "ctx": notices(rng, at) | wishes(rng, at),
    }


def notices(rng: Random, at: datetime) -> Json:
    """What was told, shown or found out before."""
    return {
        **known(rng, ("optout_notice",), 0.95),
        **some(rng, 0.9, verified_at=(at - timedelta(days=rng.randrange(8), hours=rng.randrange(24))).isoformat()),
        **some(rng, 0.9, time_barred=rng.random() < 0.5),
        **some(rng, 0.9, content=[rng.choice(("sue", "payment_options"))]),
        **some(rng, 0.95, first_contact=(at - timedelta(hours=rng.randrange(120))).isoformat()),
        **some(rng, 0.5, notice_sent=rng.choice((None, at.date().isoformat()))),
        **some(rng, 0.9, notice_date=(at.date() - timedelta(days=rng.randrange(7))).isoformat()),
        **some(rng, 0.9, undeliverable=rng.random() < 0.1),
        **some(rng, 0.2, spoke=True),
    }


def wishes(rng: Random, at: datetime) -> Json:
    """Where the person is, and what they asked for."""
    closed = rng.choice(([["08:00", "13:00"]], [["20:00", "02:30"]], [["00:00", "24:00"]]))
    return {
        **some(rng, 0.5, place=rng.choice(("work", "home"))),
        **some(rng, 0.5, dpd=rng.choice((14, 15, 16))),
        **some(rng, 0.1, consent_hours=True),
        **some(rng, 0.1, with_consent=True),
        **some(rng, 0.3, optouts=[rng.choice(("sms", "email"))]),
        **some(rng, 0.2, designated_blackouts=closed),
        "flags": flags(rng, at, ("workplace_prohibited", "cease_all", "breathing_space"), 0.15),
    }


def moment(rng: Random, day: date, zone: ZoneInfo) -> datetime:
    """An instant of a day: often on an edge."""
    if rng.random() < 0.5:
        return datetime.fromisoformat(f"{day}T{rng.choice(EDGES)}").replace(tzinfo=zone)
    return datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(seconds=rng.randrange(86_400))


def course(rng: Random, at: datetime, to: str, most: int) -> list[Json]:
    """A history; most contacts are of one kind, so that some counter fills, and now and then all are, in some hours."""
    usual = rng.choice(CALLS)
    if rng.random() < 0.3:
        whom = {"ch": "call", "o": usual, "to": rng.choice((to, "debtor"))}
        return [past(rng, at, 5, to, usual) | whom for _ in range(rng.randrange(2, 8))]
    return [past(rng, at, rng.choice((9, 30, 120)), to, usual) for _ in range(rng.randrange(most))]


def past(rng: Random, at: datetime, hours: int, to: str, usual: str) -> Json:
    """One entry of a history, at most some hours back."""
    channel = rng.choice(("call",) * 8 + ("sms", "im", "email", "visit"))
    back = rng.choice((timedelta(seconds=rng.randrange(hours * 3600)), timedelta(hours=rng.randrange(hours + 1))))
    outcome = rng.choice((usual,) * 8 + CALLS) if channel in {"call", "visit"} else rng.choice(WRITTEN)
    return {
        "t": (at - back).isoformat(),
        "ch": channel,
        "o": outcome,
        "to": rng.choice((to,) * 5 + ("debtor", "contact:K2")),
        "num": rng.choice("AAAAAAB"),
        "debt": rng.choice(("D1", "D2")),
        "by": rng.choice(("FI", "AG1", "AG2")),
        **some(rng, 0.8, mode=rng.choice(("inform", "interactive"))),
        **some(rng, 0.1, dir="in"),
        **some(rng, 0.1, with_consent=True),
        **some(rng, 0.05, creditor="other"),
    }


def flags(rng: Random, at: datetime, names: Sequence[str], chance: float) -> Json:
    """Flags that stand around an instant, some from later on, some without end."""
    found = {}
    for name in names:
        if rng.random() < chance:
            begins = at + timedelta(hours=rng.choice((-200, -30, -30, -3, 0, 20)))
            ends = begins + timedelta(hours=rng.choice((1, 30, 33, 210)), seconds=rng.choice((0, 1)))
            found[name] = {"from": begins.isoformat(), **some(rng, 0.7, to=ends.isoformat())}
    return found


def known(rng: Random, names: Sequence[str], chance: float) -> Json:
    """Attributes that are known and true with some chance."""
    return {name: rng.random() < chance for name in names if rng.random() < chance}


def some(rng: Random, chance: float, **values: Any) -> Json:
    """These values, or nothing."""
    return values if rng.random() < chance else {}
