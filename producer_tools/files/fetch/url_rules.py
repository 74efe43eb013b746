"""Which addresses a file may come from: public ones over https, so that no URL reaches into a private network."""

import ipaddress
import socket
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from producer_tools.concurrency.threads import addresses_of
from producer_tools.errors import DownloadError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST_NAME = 254  # 253 characters of a DNS name, and the dot at its end
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def read_url(text: str) -> URL:
    """The URL in this text.

    Raises:
        DownloadError: ``forbidden_url``: there is none.
    """
    try:
        return URL(text)
    except (ValueError, IndexError):  # yarl raises the latter for some hosts of which nothing is left
        raise _forbidden("it cannot be read") from None


@dataclass(frozen=True)
class UrlRules:
    """Checks each URL, and each address that a connection is made to.

    Args:
        loopback: whether loopback is allowed too, also over http. It is if the API itself is on loopback.
    """

    loopback: bool = False

    @classmethod
    def beside(cls, base_url: str) -> "UrlRules":
        """The rules for files of the API at ``base_url``."""
        try:
            return cls(loopback=_is_loopback(_host(URL(base_url))))
        except ValueError:
            return cls()

    def check(self, url: URL) -> None:
        """Check the URL itself. A host name is checked when it is resolved.

        Raises:
            DownloadError: ``forbidden_url``: the URL is not allowed.
        """
        host = _host(url)
        if not host:
            raise _forbidden("it names no host")
        if not _can_be_resolved(host):
            raise _forbidden("its host is no valid name")
        if url.user is not None or url.password is not None:
            # aiohttp would send it as an Authorization header, and a user name can look like the host.
            raise _forbidden("it carries a user name or password")
        if url.scheme != "https" and not (url.scheme == "http" and self.loopback and _is_loopback(host)):
            raise _forbidden("it is not https")
        if _looks_numeric(host) and not self.allows(host):
            raise _forbidden(f"{host} is no public address")

    def allows(self, address: str) -> bool:
        """Whether a connection may be made to this IP address, which must be in canonical form."""
        try:
            ip = _innermost(ipaddress.ip_address(address))
        except ValueError:
            return False
        if ip.is_loopback:
            return self.loopback
        if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_UNICAST:
            return False
        # "Global" excludes private, link-local, reserved and shared (CGNAT) addresses, but not multicast.
        return ip.is_global and not ip.is_multicast


class CheckedResolver(AbstractResolver):
    """Resolves host names to allowed addresses only.

    aiohttp connects to exactly these addresses, so it does not help an attacker to change the name's address between
    the check and the connection.
    """

    def __init__(self, rules: UrlRules) -> None:
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The allowed addresses of ``host``.

        Raises:
            DownloadError: ``forbidden_url``: it has none.
            OSError: the name cannot be resolved.
        """
        found = await addresses_of(host, port, family)
        allowed = [address for address in found if self._rules.allows(address.ip)]
        if not allowed:
            raise _forbidden(f"{host} has no public address")
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=ip, port=port, family=kind, proto=protocol, flags=numeric)
            for kind, protocol, ip in allowed
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _innermost(ip: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for (NAT64, mapped, 6to4), else the address itself."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def _host(url: URL) -> str:
    """The host as aiohttp will connect to it."""
    return url.raw_host or ""


def _can_be_resolved(host: str) -> bool:
    """Whether the system's resolver accepts the name. It raises UnicodeError for a label that is empty or too long."""
    try:
        return len(host) <= _LONGEST_NAME and "\0" not in host and bool(host.encode("idna"))
    except UnicodeError:
        return False


def _looks_numeric(host: str) -> bool:
    """Whether aiohttp treats the host as an address and skips the resolver, also for spellings such as 2130706433."""
    return ":" in host or host.replace(".", "").isdigit()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return _innermost(ipaddress.ip_address(host)).is_loopback
    except ValueError:
        return False


def _forbidden(why: str) -> DownloadError:
    return DownloadError("forbidden_url", f"The file's URL is not allowed: {why}.")
