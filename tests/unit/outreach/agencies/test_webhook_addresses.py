"""Where a webhook may lead: to the public network, by https, and nowhere else."""

from collections.abc import Sequence

import pytest

from services.outreach.agencies.webhooks.addresses import InsideError, checked, pinned

OUTSIDE = ("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8")
INSIDE = (
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.1", "192.0.2.1", "198.18.0.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::1", "::", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%2", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
)  # fmt: skip


def resolver(*addresses: str) -> "Resolver":
    return Resolver(addresses)


class Resolver:
    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses, self.asked = addresses, list[tuple[str, int]]()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.addresses


@pytest.mark.parametrize("address", OUTSIDE)
async def test_a_name_of_the_public_network_is_pinned_to_its_address(address: str) -> None:
    asked = resolver(address)
    assert await pinned(checked("https://north.example/hook"), asked, 1) == address
    assert asked.asked == [("north.example", 443)]


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    with pytest.raises(InsideError, match="private network"):
        await pinned(checked("https://north.example/"), resolver(address), 1)


@pytest.mark.parametrize("address", INSIDE)
async def test_one_address_inside_among_others_is_enough(address: str) -> None:
    with pytest.raises(InsideError, match="private network"):
        await pinned(checked("https://north.example/"), resolver(OUTSIDE[0], address), 1)


@pytest.mark.parametrize("address", [each for each in INSIDE if "%" not in each])
def test_an_address_inside_is_refused_by_its_text(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(InsideError):
        checked(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://north.example/", "ftp://north.example/", "//north.example/", "north.example", "https:///hook", "",
        "https://user@north.example/", "https://user:pass@north.example/", "https://north.example:22/",
        "https://north.example:80/", "https://north.example:0/", "https://north.example:99999/",
        "https://north.example/#part", "https://north.example/ hook", "https://north.example/\nhook",
        "https://nörth.example/", "https://north.example/" + "x" * 500, "https://[north]/", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_what_is_no_address_for_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(InsideError):
        checked(url)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
async def test_an_address_in_disguise_is_what_it_resolves_to(host: str) -> None:
    with pytest.raises(InsideError):
        await pinned(checked(f"https://{host}/"), resolver("127.0.0.1"), 1)


@pytest.mark.parametrize("url", ["https://north.example", "https://north.example:8443/a?b=c", "https://8.8.8.8:443/"])
def test_what_is_an_address_for_a_webhook_is_taken(url: str) -> None:
    assert checked(url).scheme == "https"


async def test_another_attempt_tries_another_address() -> None:
    asked = resolver(*OUTSIDE[:2])
    assert [await pinned(checked("https://north.example"), asked, n) for n in (1, 2, 3)] == [
        OUTSIDE[0],
        OUTSIDE[1],
        OUTSIDE[0],
    ]


async def test_a_host_without_an_address_is_not_reached() -> None:
    with pytest.raises(OSError, match="no address"):
        await pinned(checked("https://north.example"), resolver(), 1)


def test_a_demo_may_call_this_machine_in_the_open() -> None:
    assert checked("http://127.0.0.1:8000/hook", to_private=True).port == 8000
    for url in ("http://user@127.0.0.1:8000/hook", "ftp://127.0.0.1/"):
        with pytest.raises(InsideError):
            checked(url, to_private=True)
