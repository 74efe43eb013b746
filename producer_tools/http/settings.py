"""Where calls go and with which token: arguments, environment variables, and the ``api_token`` block."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256

from pydantic import SecretStr
from yarl import URL

from producer_tools.errors import ConfigurationError, MissingTokenError

TOKEN_VARIABLE = "ACEDATACLOUD_API_TOKEN"  # noqa: S105 - the variable's name, not a token
BASE_URL_VARIABLE = "ACEDATACLOUD_API_BASE_URL"
TIMEOUT_VARIABLE = "PRODUCER_REQUEST_TIMEOUT"

NO_USER_TOKEN = "no_user_token"  # noqa: S105 - an error's code, not a token
"""The error's code where a call is for a user, and there is no user's token."""

_SERVICE = "https://api.acedata.cloud"
_PLATFORM = "https://platform.acedata.cloud"
_TIMEOUT = 1800.0

_token_of_calls: ContextVar[SecretStr | None] = ContextVar("producer_tools_api_token", default=None)


@dataclass(frozen=True)
class Settings:
    """The settings of a client.

    Attributes:
        base_url: where the endpoints' paths are appended.
        request_timeout: seconds for one paid request.
        lookup_timeout: seconds for one look-up of tasks.
        poll_interval: seconds between two look-ups of one unfinished task.
        max_paid_in_flight: how many paid requests of each token may be in flight at once.
        require_user_token: whether only the token of an ``api_token`` block is used.
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
        problem = None
        if not _is_plain_url(self.base_url):
            problem = f"base_url, or {BASE_URL_VARIABLE}, {_PLAIN_URL} {self.base_url.rpartition('@')[2]!r}."
        elif not self.request_timeout > 0:
            problem = f"request_timeout must be a number of seconds above 0; it is {self.request_timeout!r}."
        elif not self.lookup_timeout > 0:
            problem = f"lookup_timeout must be a number of seconds above 0; it is {self.lookup_timeout!r}."
        elif not self.poll_interval >= 0:
            problem = f"poll_interval must be a number of seconds, 0 or more; it is {self.poll_interval!r}."
        elif self.max_paid_in_flight < 1:
            problem = f"max_paid_in_flight must be 1 or more; it is {self.max_paid_in_flight!r}."
        elif not _is_plain_url(self.platform_base_url):
            problem = f"platform_base_url {_PLAIN_URL} {self.platform_base_url.rpartition('@')[2]!r}."
        elif self.failures_until_down < 1:
            problem = f"failures_until_down must be 1 or more; it is {self.failures_until_down!r}."
        if problem:
            raise ConfigurationError("configuration", problem)


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


@contextmanager
def api_token(token: str | SecretStr) -> Iterator[None]:
    """Use ``token`` for every call made inside the block, so that one process can serve many users.

    It also holds in tasks started inside the block and in sync calls. It takes precedence over the client's token and
    the environment's. A thread that you start yourself does not know the block, unless you run its function with
    ``contextvars.copy_context().run``.

    Args:
        token: the API token of the user whose account pays for the calls.
    """
    token = secret(token) or SecretStr("")  # a traceback shows this frame's variables
    reset = _token_of_calls.set(token)
    try:
        yield
    finally:
        _token_of_calls.reset(reset)


def resolve_token(own: SecretStr | None, *, require_user_token: bool = False) -> SecretStr:
    """The token of a call: that of the surrounding ``api_token`` block, else the client's, else the environment's.

    Args:
        own: the client's token, if it has one.
        require_user_token: whether it must be that of a block.

    Raises:
        MissingTokenError: there is none.
        ConfigurationError: it contains characters that an HTTP header cannot carry.
    """
    if require_user_token and not _token_of_calls.get():
        raise MissingTokenError(
            NO_USER_TOKEN,
            "This client only acts for a user, and there is no user's token here, so nothing was sent. Wrap the call "
            "in `with producer_tools.api_token(...)`. A plain thread does not know the block around its start: inside "
            "the block, start it with `contextvars.copy_context().run` as its target and the function as argument.",
        )
    # A blank token counts as given: if one user's token is missing, the call must not go to another's account.
    candidates = (_token_of_calls.get(), own, secret(os.environ.get(TOKEN_VARIABLE)))
    token = next((candidate for candidate in candidates if candidate is not None), SecretStr(""))
    if not token:
        raise MissingTokenError(
            "no_token" if _token_of_calls.get() is None else NO_USER_TOKEN,
            f"There is no API token, so nothing was sent. Set {TOKEN_VARIABLE}, pass ProducerClient(api_token=...), or "
            "wrap the call in `with producer_tools.api_token(...)`. To try without one, use "
            "producer_tools.sandbox.ProducerSandbox.",
        )
    if not (token.get_secret_value().isascii() and token.get_secret_value().isprintable()):
        raise ConfigurationError("invalid_token", "The API token contains characters that an HTTP header cannot carry.")
    return token


def token_id(token: str | SecretStr) -> str:
    """What stands for a token where something is kept for each token: the token itself must not be in memory there.

    Args:
        token: the API token.

    Returns:
        The first 16 hexadecimal characters of its SHA-256.
    """
    token = secret(token) or SecretStr("")  # a traceback shows this frame's variables
    return sha256(token.get_secret_value().encode()).hexdigest()[:16]


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


def secret(token: str | SecretStr | None) -> SecretStr | None:
    """The token wrapped so that no repr shows it, without the white space that comes with pasting."""
    if token is None:
        return None
    value = token if isinstance(token, str) else token.get_secret_value()
    return SecretStr(value.strip())
