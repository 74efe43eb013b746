"""Which URLs files may come from, which names they get, and how their type is recognised."""

import functools
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_tools import Downloader, DownloadError, ProducerClient
from producer_tools.files.fetch.url_rules import CheckedResolver, UrlRules, read_url
from producer_tools.files.formats.types import detect
from producer_tools.tasks.results import Kind
from tests.clocks import InstantClock
from tests.files.song_server import song_at

PUBLIC = ["8.8.8.8", "142.250.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "192.168.1.1",  # private
    "169.254.169.254", "fe80::1", "fe80::1%1",  # link-local, such as the metadata service of a cloud
    "100.64.0.1", "100.127.255.254",  # shared by the customers of an internet provider
    "224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1",  # multicast
    "0.0.0.0", "::", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "2001:db8::1",  # noqa: S104 - reserved
    "fc00::1", "fd12::1", "fec0::1", "100::1", "4000::1",  # not global
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1",  # IPv4 inside IPv6
    "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:a00:1::1", "2001:0:a00:1::1",  # IPv4 behind NAT64, 6to4 and Teredo
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    """Files are served from public addresses; none could be downloaded."""
    assert UrlRules().allows(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address: str) -> None:
    """Routers, databases and a cloud's credentials are there: anyone who gets a URL into a result could read them."""
    assert not UrlRules().allows(address)
    assert not UrlRules(loopback=True).allows(address)


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_allowed_only_if_the_api_is_on_loopback(address: str) -> None:
    """The sandbox serves its files on loopback; for the real service, loopback is the user's own machine."""
    assert not UrlRules().allows(address)
    assert UrlRules(loopback=True).allows(address)


@pytest.mark.parametrize(
    ("base_url", "loopback"),
    [
        ("http://127.0.0.1:8080", True), ("http://localhost:1", True), ("http://[::1]:1", True),
        ("https://api.acedata.cloud", False), ("http://10.0.0.1", False), ("http://127.0.0.1.example.com", False),
        ("http://[", False),
    ],
)  # fmt: skip
def test_which_base_urls_are_on_loopback(base_url: str, *, loopback: bool) -> None:
    """A remote API that counts as local would open the user's own machine to its URLs."""
    assert UrlRules.beside(base_url).loopback is loopback


FORBIDDEN = [
    "http://example.com/x.m4a", "ftp://example.com/x", "file:///etc/passwd", "https:///x", "example.com/x", "",
    "https://user@example.com/x", "https://user:secret@example.com/x", "https://example.com@10.0.0.1/x",
    "http://127.0.0.1/x", "https://127.0.0.1/x", "https://[::1]/x", "https://[::ffff:7f00:1]/x", "https://0/x",
    "https://2130706433/x", "https://127.1/x", "https://0177.0.0.1/x", "https://127.0.0.1./x", "https://10.0.0.1:443/",
    f"https://{'a' * 64}.example/x", f"https://{'a' * 100_000}/x", f"https://{'a.' * 200}example/x", "https://a..b/x",
    "https://.example.com/x", "https://\u2024\u2024/x", "https://a\0b/x", "https://a\ud800.example/x", "https://\u00ad/x",
    "https://example.com:99999/x", "https://example.com:-1/x", "https://[::1/x", "https://@/x",
    "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/x", "https://[fe80::1%25eth0]/x", "https://169.254.169.254/latest/meta-data/",
]  # fmt: skip


@pytest.mark.parametrize("url", FORBIDDEN)
def test_forbidden_urls(url: str) -> None:
    """Each one leads to a private place, hides where it leads, or has a host that breaks the resolver."""
    with pytest.raises(DownloadError):
        UrlRules().check(read_url(url))


@pytest.mark.parametrize("url", FORBIDDEN)
async def test_no_connection_is_made_to_a_forbidden_url(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a connection without a request tells an attacker which private addresses exist."""

    async def no_connection(*_: Any, **__: Any) -> None:
        pytest.fail("a connection was attempted")

    monkeypatch.setattr("aiohttp.TCPConnector.connect", no_connection)
    async with ProducerClient("t") as client:
        downloads = await Downloader(client, tmp_path).save(song_at(url))
    assert [failed.error.code for failed in downloads.failed] == ["forbidden_url"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine may stand still
@given(st.text(alphabet="ab.-_%:@[]/\\?# \0\n\u00ad\u2024\u3002\uff11\u0301\ud800é", max_size=80))
def test_a_host_that_passes_can_be_looked_up(host: str) -> None:
    """The system's resolver raises UnicodeError for other names, and that is no error of a download."""
    try:
        url = read_url(f"https://{host}/x")
        UrlRules().check(url)
    except DownloadError:
        return
    assert url.raw_host
    assert "\0" not in url.raw_host
    assert url.raw_host.encode("idna")


def resolving_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Make the system's resolver return these addresses, one answer for each look-up, the last one again and again.

    Returns:
        The names that are looked up from now on.
    """
    names: list[str] = []

    def resolve(host: str, port: int, *_: int) -> list[Any]:
        names.append(host)
        addresses = answers[min(len(names), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return names


@pytest.mark.parametrize("host", ["music.example", "0x7f000001", "0x7f.1", "localhost", "localhost."])
async def test_no_connection_is_made_to_a_name_with_private_addresses(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolved address decides: a check of the name alone would let these names through."""
    names = resolving_to(monkeypatch, ["127.0.0.1", "10.0.0.1"])

    async def no_connection(*_: Any, **__: Any) -> None:
        pytest.fail("a connection was attempted")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", no_connection)
    async with ProducerClient("t") as client:
        downloads = await Downloader(client, tmp_path).save(song_at(f"https://{host}/x.m4a"))
    assert downloads.failed[0].error.code == "forbidden_url"
    assert "no public address" in downloads.failed[0].error.message
    assert len(names) == 1, "a retry cannot help"


async def test_dns_rebinding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public at first and private at the retry must not lead to a connection into the network."""
    names = resolving_to(monkeypatch, ["8.8.8.8", "192.168.0.1"], ["127.0.0.1"])
    connected_to: list[str] = []

    async def refuse(addr_infos: Any, **_: Any) -> None:
        connected_to.extend(info[4][0] for info in addr_infos)
        raise ConnectionRefusedError

    monkeypatch.setattr("aiohappyeyeballs.start_connection", refuse)
    # Without aiohttp's cache of ten seconds, the retry looks the name up again.
    monkeypatch.setattr(aiohttp, "TCPConnector", functools.partial(aiohttp.TCPConnector, use_dns_cache=False))
    async with ProducerClient("t", clock=InstantClock()) as client:
        downloads = await Downloader(client, tmp_path).save(song_at("https://music.example/x.m4a"))
    assert connected_to == ["8.8.8.8"]
    assert len(names) == 2
    assert downloads.failed[0].error.code == "forbidden_url"


async def test_the_resolver_drops_private_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP client connects to any address that the resolver returns."""
    resolving_to(monkeypatch, ["10.0.0.1", "8.8.8.8", "fe80::1%2", "127.0.0.1"])
    resolver = CheckedResolver(UrlRules())
    assert [found["host"] for found in await resolver.resolve("x", 443)] == ["8.8.8.8"]
    await resolver.close()


@pytest.mark.parametrize(
    ("kind", "head", "extension"),
    [
        ("audio", b"\0\0\0\x1cftypM4A ", "m4a"), ("audio", b"\0\0\0\x1cftypisom", "m4a"), ("audio", b"ID3\4\0", "mp3"),
        ("audio", b"\xff\xfb\x90\x64", "mp3"), ("audio", b"RIFF\x10\0\0\0WAVE", "wav"),
        ("wav", b"RIFF\x10\0\0\0WAVE", "wav"), ("video", b"\0\0\0\x1cftypisom", "mp4"), ("stems", b"PK\3\4", "zip"),
        ("cover", b"\xff\xd8\xff\xe0", "jpg"), ("cover", b"\x89PNG\r\n\x1a\n", "png"),
        ("cover", b"RIFF\x10\0\0\0WEBP", "webp"),
        ("audio", b"\xff\xf1\x50\x80", None), ("audio", b"\xff\xff\xff\xff", None), ("audio", b"\xff\xfe<\0h\0", None),
        ("audio", b"RIFF\x10\0\0\0WEBP", None), ("audio", b"\xff", None), ("wav", b"ID3\4\0", None),
        ("video", b"RIFF\x10\0\0\0AVI ", None), ("stems", b"PK\5\6", None), ("stems", b"\x1f\x8b", None),
        ("cover", b"<svg xmlns=", None), ("cover", b"GIF89a", None), ("cover", b"", None),
    ],
)  # fmt: skip
def test_the_type_is_recognised_by_the_first_bytes(kind: Kind, head: bytes, extension: str | None) -> None:
    """A wrong extension makes a player refuse the file, and an unknown type must not be saved at all."""
    file_type = detect(kind, head)
    assert (file_type and file_type.extension) == extension
