"""Where calls go, and how long they may take: arguments and environment variables."""

import os
from dataclasses import dataclass

from yarl import URL

from producer_tools.errors import ConfigurationError

BASE_URL_VARIABLE = "ACEDATACLOUD_API_BASE_URL"
TIMEOUT_VARIABLE = "PRODUCER_REQUEST_TIMEOUT"

_SERVICE = "https://api.acedata.cloud"
_PLATFORM = "https://platform.acedata.cloud"
_TIMEOUT = 1800.0


@dataclass(frozen=True)
class Settings:
    """The settings of a client.

    Attributes:
        base_url: where the endpoints' paths are appended.
        request_timeout: seconds for one paid request.
        lookup_timeout: seconds for one look-up of tasks.
        poll_interval: seconds between two look-ups of one unfinished task.
        max_paid_in_flight: how many paid requests of each token may be in flight at once.
        require_user_token: whether the application's own token is never used.
        platform_base_url: where the price list is.
        failures_until_down: after how many failures in a row paid calls stop for a minute.

    Raises:
        ConfigurationError: a setting is not valid.
    """

    base_url: str
    request_timeout: float
    lookup_timeout: float
    poll_interval: float
    max_paid_in_flight: int
    require_user_token: bool = False
    platform_base_url: str = _PLATFORM
    failures_until_down: int = 3

    def __post_init__(self) -> None:
        base_url, platform = (url.rpartition("@")[2] for url in (self.base_url, self.platform_base_url))
        checks = {
            f"base_url, or {BASE_URL_VARIABLE}, {_PLAIN_URL} {base_url!r}.": _is_plain_url(self.base_url),
            f"platform_base_url {_PLAIN_URL} {platform!r}.": _is_plain_url(self.platform_base_url),
            f"request_timeout {_ABOVE_0} {self.request_timeout!r}.": _is_number(self.request_timeout, above=0),
            f"lookup_timeout {_ABOVE_0} {self.lookup_timeout!r}.": _is_number(self.lookup_timeout, above=0),
            f"poll_interval must be a number of seconds, 0 or more; it is {self.poll_interval!r}.": _is_number(
                self.poll_interval, least=0
            ),
            f"max_paid_in_flight must be 1 or more; it is {self.max_paid_in_flight!r}.": _is_number(
                self.max_paid_in_flight, least=1
            ),
            f"failures_until_down must be 1 or more; it is {self.failures_until_down!r}.": _is_number(
                self.failures_until_down, least=1
            ),
        }
        if problem := next((problem for problem, is_met in checks.items() if not is_met), None):
            raise ConfigurationError("configuration", problem)


_ABOVE_0 = "must be a number of seconds above 0; it is"
_PLAIN_URL = "must be an http(s) URL with a valid host, and without a user or a password; it is"


def _is_plain_url(text: str) -> bool:
    """Whether aiohttp can use it. It would raise at the first request, with the token in its frames."""
    try:
        url = URL(text)
        # Encoded as for the look-up of the host, which refuses empty and overlong labels.
        (url.raw_host or "").encode("idna")
    except ValueError:  # a UnicodeError too
        return False
    return url.scheme in ("http", "https") and bool(url.host) and url.user is None and url.password is None


def _is_number(value: object, *, least: float = float("-inf"), above: float = float("-inf")) -> bool:
    """Whether it is a finite number in the range; a text that looks like one is none."""
    return isinstance(value, int | float) and value >= least and above < value < float("inf")


def default_base_url() -> str:
    """``ACEDATACLOUD_API_BASE_URL``, else the service's address."""
    return os.environ.get(BASE_URL_VARIABLE) or _SERVICE


def default_platform(base_url: str) -> str:
    """Where the price list is: at the service, on a host of its own; else, as in the sandbox, where the API is."""
    return _PLATFORM if base_url == _SERVICE else base_url


def default_timeout() -> float:
    """``PRODUCER_REQUEST_TIMEOUT`` in seconds, else 1800 (the MCP server's figure).

    Raises:
        ConfigurationError: the variable is not a number of seconds above zero.
    """
    value = os.environ.get(TIMEOUT_VARIABLE)
    if not value:
        return _TIMEOUT
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(
            "configuration", f"{TIMEOUT_VARIABLE} must be a number of seconds above 0; it is {value!r}."
        )
    return seconds
