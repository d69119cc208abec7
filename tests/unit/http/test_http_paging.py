"""Pages by key."""

import base64

import httpx
import msgspec
import pytest

from shared.http.paging import decode_cursor, encode_cursor


async def test_following_the_cursors_shows_every_item_once(client: httpx.AsyncClient) -> None:
    seen, after = [], None
    while True:
        page = (await client.get("/v1/list", params={"limit": 3} | ({"after": after} if after else {}))).json()
        seen += page["items"]
        after = page["next"]
        if after is None:
            break
    assert seen == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("limit", [0, 501, "x"])
async def test_a_limit_out_of_range_is_named(client: httpx.AsyncClient, limit: object) -> None:
    response = await client.get("/v1/list", params={"limit": str(limit)})
    assert (response.status_code, response.json()["field"]) == (422, "limit")


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("!!!", id="not base64"),
        pytest.param("\u00e4", id="not ASCII"),
        pytest.param("", id="empty"),
        pytest.param("abcde", id="base64 of the wrong length"),
        pytest.param(base64.urlsafe_b64encode(msgspec.msgpack.encode(7)).decode(), id="not a text"),
        pytest.param(base64.urlsafe_b64encode(msgspec.msgpack.encode("a\x00")).decode(), id="holding a NUL"),
        pytest.param(encode_cursor("7") + "AAAA", id="with something behind it"),
        pytest.param(encode_cursor("7") + "!!!!", id="with marks that base64 has not"),
    ],
)
async def test_a_malformed_cursor_is_named(client: httpx.AsyncClient, cursor: str) -> None:
    response = await client.get("/v1/list", params={"after": cursor})
    assert (response.status_code, response.json()["field"]) == (422, "after")


@pytest.mark.parametrize("key", ["", "a", "ab", "abc", "debtor/7", "\u540d\u5b57", "?" * 300])
async def test_a_cursor_gives_its_key_back(key: str) -> None:
    cursor = encode_cursor(key)
    assert decode_cursor(cursor) == key
    assert cursor.replace("-", "").replace("_", "").isalnum()
