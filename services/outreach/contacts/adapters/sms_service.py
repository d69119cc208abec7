"""Short messages through a service over HTTP that takes each idempotency key once, and can be asked about it.

`POST /messages` with `{"to", "text"}` and an `Idempotency-Key` answers 2xx with `{"id", "status"}`; `GET /messages/KEY`
the same, or 404; `DELETE /messages/KEY` 2xx where the message is certain not to be delivered any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec

from services.outreach.contacts.ports import Message, NotTakenError, Receipt, RefusedError, UnansweredError

_BUSY: Final = {429, 503}
_OUR_FAULT: Final = {401, 403, 404, 405, 407}
_CONFLICT: Final = {408, 409, 425}
_NOT_FOUND: Final = 404
_SHORTEST_NUMBER: Final = 5
_LONGEST_WAIT: Final = 3600.0


class _Taken(msgspec.Struct, frozen=True):
    """What the service says of a message; its other fields are not read."""

    id: str


@dataclass(frozen=True, slots=True)
class SmsServiceGateway:
    """The service behind a client that has its address, our credentials, and a time limit."""

    client: httpx.AsyncClient
    takes_once: bool = True

    async def send(self, message: Message) -> Receipt:
        """Have a message taken. Raises RefusedError, NotTakenError, UnansweredError."""
        body = {"to": _number(message.recipient), "text": message.text}
        try:
            answer = await self.client.post("messages", json=body, headers={"Idempotency-Key": message.key})
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise NotTakenError("the service cannot be reached") from None
        except httpx.HTTPError:
            raise UnansweredError from None
        if answer.is_success:
            return _receipt(answer)
        raise _failure(answer)

    async def look_up(self, key: str) -> Receipt | None:
        """What became of a message. Raises UnansweredError."""
        answer = await self._asked("GET", key)
        if answer.status_code == _NOT_FOUND:
            return None
        if not answer.is_success:
            raise UnansweredError
        return _receipt(answer)

    async def pull(self, key: str) -> bool:
        """Have a message not delivered. Raises UnansweredError."""
        return (await self._asked("DELETE", key)).is_success

    async def _asked(self, method: str, key: str) -> httpx.Response:
        try:
            return await self.client.request(method, f"messages/{key}")
        except httpx.HTTPError:
            raise UnansweredError from None


def _number(written: str) -> str:
    """A number without what people write between its digits. Raises RefusedError."""
    digits = "".join(sign for sign in written if sign.isascii() and sign.isdecimal())
    if len(digits) < _SHORTEST_NUMBER:
        raise RefusedError("the contact point is no telephone number")
    return f"+{digits}" if written.lstrip().startswith("+") else digits


def _receipt(answer: httpx.Response) -> Receipt:
    """The service's word that it has the message; without its id nobody knows what was meant."""
    try:
        return Receipt(reference=f"sms/{msgspec.json.decode(answer.content, type=_Taken).id}", outcome="sent")
    except msgspec.DecodeError:
        raise UnansweredError from None


def _failure(answer: httpx.Response) -> Exception:
    """What an answer says of the message. Its text may name somebody, and is left out."""
    code = answer.status_code
    if code in _BUSY and (code == httpx.codes.TOO_MANY_REQUESTS or "retry-after" in answer.headers):
        return NotTakenError(f"the service is busy ({code})", _retry_after(answer.headers))
    if code in _OUR_FAULT or answer.is_redirect:
        return NotTakenError(f"the service does not serve us ({code})")
    if answer.is_client_error and code not in _CONFLICT:
        return RefusedError(f"the service refuses the message ({code})")
    return UnansweredError()


def _retry_after(headers: Mapping[str, str]) -> float:
    """How many seconds the service asks us to wait: it may say so as a number or as an instant."""
    said = headers.get("retry-after", "")
    if said.isascii() and said.isdecimal():
        return min(float(said), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    left = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(0.0, left), _LONGEST_WAIT)
