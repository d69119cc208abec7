"""People at work during a run, over REST: holds placed and lifted, dead letters replayed and given up.

Each write is repeated under its key until it is answered, and then once more: the second answer must be the first.
"""

import asyncio
import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.intake.connectors.synthetic_people import LENDER
from shared.settings import SERVICES
from shared.vault import Vault
from tests.chaos.bank import Bank
from tests.chaos.installation import Installation

AGAIN_AFTER = 0.5
PAUSE = 1.0
ROUNDS = 5


@dataclass
class Staff:
    """Works until told to stop; then nothing of it is left pending."""

    installation: Installation
    bank: Bank
    seed: int
    stopping: bool = False
    commands: int = 0
    holds: int = 0
    replayed: int = 0
    discarded: int = 0
    compared: int = 0
    differing: list[str] = field(default_factory=list)
    standing: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"staff {self.seed}")
        self._vault = Vault(self.installation.key)

    async def work(self) -> None:
        """Place and lift holds, and look after letters, at a person's pace."""
        while not self.stopping:
            await self._hold()
            await self.resolve_letters()
            await asyncio.sleep(PAUSE)

    # -- holds ---------------------------------------------------------------------------------------------------

    async def _hold(self) -> None:
        if self.standing and self._chance.random() < 0.45:
            debtor_id, hold_id = self.standing.pop(self._chance.randrange(len(self.standing)))
            await self._command("outreach", f"/v1/debtors/{debtor_id}/holds/{hold_id}/release", {"reason": "solved"})
        elif self.bank.parties:
            debtor_id = self._vault.pseudonym(LENDER, self._chance.choice(sorted(self.bank.parties)))
            answer = await self._command("outreach", f"/v1/debtors/{debtor_id}/holds", {"reason": "asked to wait"})
            if answer.status_code == 201:
                self.holds += 1
                self.standing.append((debtor_id, answer.json()["hold_id"]))

    async def lift_all(self) -> None:
        """Lift every hold that stands; that of a debtor in quarantine, who takes no command, in a second round."""
        for _ in range(ROUNDS):
            standing, self.standing = self.standing, []
            for debtor_id, hold_id in standing:
                path = f"/v1/debtors/{debtor_id}/holds/{hold_id}/release"
                answer = await self._command("outreach", path, {"reason": "solved"})
                if answer.status_code == httpx.codes.CONFLICT:
                    self.standing.append((debtor_id, hold_id))
            await self.resolve_letters()

    # -- dead letters --------------------------------------------------------------------------------------------

    async def resolve_letters(self) -> int:
        """Try each open letter again, and give up what cannot be applied; how many there were."""
        found = 0
        for service in SERVICES:
            for letter in await self._open_letters(service):
                found += 1
                path = f"/v1/dead-letters/{letter['id']}"
                self.replayed += (await self._command(service, f"{path}/replay", None)).status_code == 200
                await self._command(service, f"{path}/discard", {"reason": "sent by mistake"})
                self.discarded += 1
        return found

    async def _open_letters(self, service: str) -> list[dict[str, Any]]:
        answer = await self._ask("GET", service, "/v1/dead-letters?status=open&limit=50", None, {})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    # -- commands ------------------------------------------------------------------------------------------------

    async def _command(self, service: str, path: str, body: Mapping[str, str] | None) -> httpx.Response:
        self.commands += 1
        headers = {"Idempotency-Key": f"staff-{self.seed}-{self.commands}"}
        answer = await self._ask("POST", service, path, body, headers)
        if answer.status_code == httpx.codes.NOT_FOUND:  # of whom nothing is known yet, nothing is kept
            return answer
        again = await self._ask("POST", service, path, body, headers)
        self._compare(f"{path} again", _content(answer), _content(again))
        if body is not None:
            other = await self._ask("POST", service, path, {"reason": "another one"}, headers)
            self._compare(f"{path} with another body", 422, other.status_code)
        return answer

    def _compare(self, what: str, expected: object, found: object) -> None:
        self.compared += 1
        if expected != found:
            self.differing.append(f"{what}: {expected} and then {found}")

    async def _ask(
        self, method: str, service: str, path: str, body: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Ask one of the service's processes, and another one where it does not answer, until one does."""
        ports = [part.port for part in self.installation.parts if part.service == service]
        sent = {"Authorization": f"Bearer {self.installation.tokens['supervisor']}", **headers}
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            while True:
                url = f"http://127.0.0.1:{self._chance.choice(ports)}{path}"
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.request(method, url, json=body, headers=sent)
                    if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                        return answer
                await asyncio.sleep(AGAIN_AFTER)


def _content(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    """An answer without the name that each refusal has of its own."""
    content: dict[str, Any] = answer.json()
    return answer.status_code, {name: value for name, value in content.items() if name != "instance"}
