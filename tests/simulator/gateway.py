"""The gateway of a schedule, each call a step: it takes a key once, or as often as it is given, as its kind may be.

Whatever it takes has reached a person: what it took, when and under which permit is its own log, against which the
ledger is held.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.outreach.contacts.adapters.sandbox import SandboxGateway, Taken
from services.outreach.contacts.permits import Signer
from services.outreach.contacts.ports import Message, Receipt, UnansweredError
from tests.simulator.parts import Process, result_of

SIGNER = Signer(bytes(32))


@dataclass(eq=False)
class Provider:
    """The provider's side. `reached` is called with each message that has reached a person.

    presented: how often each permit was shown.
    """

    takes_once: bool
    reached: Callable[[Message], None] = print
    presented: Counter[str] = field(default_factory=Counter)
    taken: list[Taken] = field(default_factory=list)

    async def take(self, taken: Taken) -> Taken:
        """Keep a message, again or not."""
        known = await self.find(taken.key)
        if known is not None and self.takes_once:
            return known
        self.taken.append(taken)
        return taken

    async def find(self, key: str) -> Taken | None:
        """The first that was kept under a key."""
        return next((each for each in self.taken if each.key == key), None)

    async def drop(self, key: str) -> bool:
        """Whatever is taken has reached a person."""
        return False


@dataclass(frozen=True, eq=False)
class SimulatedGateway:
    """One process's way to the provider."""

    process: Process
    provider: Provider

    @property
    def takes_once(self) -> bool:
        """As the provider does."""
        return self.provider.takes_once

    async def send(self, message: Message) -> Receipt:
        """Arrive after whatever befalls the process meanwhile, and be judged by the provider's clock."""
        self.provider.presented[message.contact_id] += 1
        return await self.process.step("gateway.send", lambda: self._send(message), message)  # type: ignore[no-any-return]

    def _send(self, message: Message) -> Any:
        arrived = Message(**{name: getattr(message, name) for name in Message.__slots__} | {"sent_at": self._now()})
        before = len(self.provider.taken)
        receipt = result_of(SandboxGateway(self.provider, SIGNER.public_key).send, arrived)()
        if len(self.provider.taken) > before:
            self.provider.reached(arrived)
        return receipt

    def _now(self) -> Any:
        return self.process.world.now()

    async def look_up(self, key: str) -> Receipt | None:
        """Ask."""
        return await self.process.step("gateway.look_up", lambda: self._look_up(key), key)  # type: ignore[no-any-return]

    def _look_up(self, key: str) -> Any:
        return result_of(SandboxGateway(self.provider, SIGNER.public_key).look_up, key)()


def unanswered() -> UnansweredError:
    """Nobody knows; a new one each time, since an error keeps every frame that it passes."""
    return UnansweredError()
