"""A made-up person, sealed as the edge seals them, and a writer with a desk in memory."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from services.intake.connectors.sealing import BlindIndex, Sealer
from services.outreach.contacts.points import chosen
from services.outreach.contacts.wording import Said
from services.outreach.sending.composing import Composer, Dossier
from services.outreach.sending.letters import KeptLetter
from services.outreach.sending.senders import read_senders
from services.outreach.templates.store import shipped
from shared.contracts import core_banking, outreach
from shared.contracts.core_banking import ContactKind, ContactPoint
from shared.contracts.envelope import Event
from shared.keys import FileKeys, LocalKms
from shared.profiles import HeldProfile
from shared.vault import Vault

DEBTOR, LENDER = "0123456789abcdef0123456789abcdef", "synthetic-bank"
NAME, MOBILE, EMAIL, ADDRESS = "测试安宁", "+8610099887766", "anna.ceshi@example.com", "上海市样例路17号\n黄浦区"
PERSONAL = (NAME, MOBILE, EMAIL, "样例路17号", "99887766")
NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
POINTS = (
    ContactPoint(kind=ContactKind.MOBILE, value=MOBILE, verified=True),
    ContactPoint(kind=ContactKind.EMAIL, value=EMAIL),
    ContactPoint(kind=ContactKind.ADDRESS, value=ADDRESS),
)


def profile_of(
    keys: FileKeys, *points: ContactPoint, name: str = NAME, language: str = "zh-CN", debtor_id: str = DEBTOR
) -> HeldProfile:
    """A profile as intake tells it."""
    said = core_banking.PartyProfile(
        lender_id=LENDER,
        party_id="p",
        updated_at=NOW,
        name=name,
        language=language,
        contacts=points or POINTS,
    )
    sealer = Sealer(Vault(bytes(32)), keys, BlindIndex(bytes(32)))
    return HeldProfile(LENDER, 1, NOW, sealer.profile(said, debtor_id).profile)


@dataclass
class MemoryDesk:
    """What the writer looks up and keeps."""

    found: Dossier | None = None
    letters: dict[str, KeptLetter] = field(default_factory=dict)

    async def dossier(self, debtor_id: str, plan_number: int) -> Dossier | None:
        return self.found

    async def kept(self, debtor_id: str, contact_id: str) -> KeptLetter | None:
        return self.letters.get(contact_id)

    async def keep(self, letter: KeptLetter) -> KeptLetter:
        return self.letters.setdefault(letter.contact_id, letter)


class Desk:
    """A debtor who is known, and a writer."""

    def __init__(self, *points: ContactPoint, name: str = NAME, language: str = "zh-CN") -> None:
        self.keys = FileKeys(LocalKms(bytes(32)))
        self.profile = profile_of(self.keys, *points, name=name, language=language)
        self.desk = MemoryDesk(Dossier("CN", 123_456, "CNY", date(2026, 2, 1), running=True, profile=self.profile))
        zones = {"CN": "Asia/Shanghai"}
        self.writer = Composer(self.desk, self.keys, read_senders(), zones, shipped())

    def known(self, **changes: object) -> None:
        """Change what is known of the debtor."""
        assert self.desk.found is not None
        self.desk.found = replace(self.desk.found, **changes)  # type: ignore[arg-type]

    def permit(self, channel: str, template: str, contact_id: str = "c" * 32) -> Event[outreach.ContactPermitted]:
        """A permit for the best contact point of a channel."""
        point = chosen(self.profile, channel)
        return Event(
            id="1",
            type="",
            lender_id=LENDER,
            debtor_id=DEBTOR,
            case_version=3,
            occurred_at=NOW,
            recorded_at=NOW,
            data=outreach.ContactPermitted(
                contact_id=contact_id,
                plan_number=1,
                step_number=1,
                channel=channel,
                template=template,
                purpose="collection",
                idempotency_key="a" * 32,
                tries=1,
                permitted_at=NOW,
                expires_at=NOW + timedelta(seconds=60),
                pack="CN",
                pack_version="1",
                point=point.id if point else "",
            ),
        )

    def write(self, channel: str, template: str, **of: str) -> Said:
        """What is said by a channel."""
        return asyncio.run(self.writer.write(self.permit(channel, template, **of)))
