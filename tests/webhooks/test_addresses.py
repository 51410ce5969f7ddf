"""Which addresses webhooks may reach."""

import ipaddress
import socket

import pytest

from detection.webhooks import addresses
from detection.webhooks.addresses import AddressRefusedError

REFUSED = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::1",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::"]


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not addresses.is_permitted(address, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert addresses.is_permitted(address, ())


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3"])
def test_a_network_can_be_allowed(address: str) -> None:
    allowed = [ipaddress.ip_network("10.1.0.0/16")]
    assert addresses.is_permitted(address, allowed)
    assert not addresses.is_permitted("10.2.0.1", allowed)


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001"])
def test_all_ways_to_write_loopback_are_refused(host: str) -> None:
    with pytest.raises(AddressRefusedError, match="WEBHOOK_NETWORKS"):
        addresses.resolve(host, 80, ())


def test_only_the_public_addresses_of_a_name_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 80)) for each in ("10.0.0.1", "1.1.1.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
    assert addresses.resolve("two.example", 80, ()) == ["1.1.1.1"]


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("ftp://a.example/", id="another scheme"),
        pytest.param("https:///path", id="no host"),
        pytest.param("https://user@a.example/", id="a user"),
        pytest.param("https://a.example/#part", id="a fragment"),
        pytest.param("https://a.example/a b", id="a space"),
        pytest.param("https://a.example/\r\nX: y", id="lines of a header"),
        pytest.param("https://a.example:99999/", id="no port"),
    ],
)
def test_addresses_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        addresses.parsed(url)
