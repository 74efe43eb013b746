"""Settings from the environment, and the API token of the calls inside a ``with`` block."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

from pydantic import SecretStr

from producer_tools.errors import ConfigurationError, MissingTokenError

Model = Literal[
    "FUZZ-2.0 Pro",
    "FUZZ-2.0",
    "FUZZ-2.0 Raw",
    "FUZZ-1.1 Pro",
    "FUZZ-1.0 Pro",
    "FUZZ-1.0",
    "FUZZ-1.1",
    "FUZZ-0.8",
]
"""The eight models of the API (spec)."""

TOKEN_VARIABLE = "ACEDATACLOUD_API_TOKEN"  # noqa: S105 - the variable's name, not a token
BASE_URL_VARIABLE = "ACEDATACLOUD_API_BASE_URL"
TIMEOUT_VARIABLE = "PRODUCER_REQUEST_TIMEOUT"
MODEL_VARIABLE = "PRODUCER_DEFAULT_MODEL"

_SERVICE = "https://api.acedata.cloud"
_MODEL: Model = "FUZZ-2.0"
_TIMEOUT = 1800.0

_token_of_calls: ContextVar[SecretStr | None] = ContextVar("producer_tools_api_token", default=None)


@contextmanager
def api_token(token: str | SecretStr) -> Iterator[None]:
    """Use ``token`` for every call made inside the block, so that one process serves many users.

    It holds across ``await``, in tasks started inside the block and in the sync bridge, wins over the token of
    the client and of the environment, and is gone when the block ends.

    Args:
        token: the API token of the user on whose account the calls run.
    """
    reset = _token_of_calls.set(secret(token))
    try:
        yield
    finally:
        _token_of_calls.reset(reset)


def resolve_token(own: SecretStr | None) -> SecretStr:
    """The token of a call: that of the surrounding ``api_token`` block, else the client's, else the environment's.

    Raises:
        MissingTokenError: there is none.
        ConfigurationError: it cannot stand in an HTTP header.
    """
    # A blank token counts as given: one tenant's missing token must not put the call on another's account.
    candidates = (_token_of_calls.get(), own, secret(os.environ.get(TOKEN_VARIABLE)))
    token = next((candidate for candidate in candidates if candidate is not None), SecretStr(""))
    value = token.get_secret_value()
    if not value:
        raise MissingTokenError(
            "no_token",
            f"No API token. Set {TOKEN_VARIABLE}, or pass ProducerClient(api_token=...), or wrap the call in "
            "`with producer_tools.api_token(...)`. To try without one, use producer_tools.sandbox.ProducerSandbox.",
        )
    if not (value.isascii() and value.isprintable()):
        raise ConfigurationError("invalid_token", "The API token has characters that no HTTP header can carry.")
    return token


def default_base_url() -> str:
    """``ACEDATACLOUD_API_BASE_URL``, else the service's address."""
    return os.environ.get(BASE_URL_VARIABLE) or _SERVICE


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
        raise ConfigurationError("configuration", f"{TIMEOUT_VARIABLE} must be seconds above 0, not {value!r}.")
    return seconds


def default_model() -> Model:
    """``PRODUCER_DEFAULT_MODEL``, else ``FUZZ-2.0`` (spec).

    Raises:
        ConfigurationError: the variable names no model of the API.
    """
    value = os.environ.get(MODEL_VARIABLE) or _MODEL
    for model in get_args(Model):
        if model == value:
            return model  # type: ignore[no-any-return]  # get_args is untyped
    raise ConfigurationError(
        "configuration", f"{MODEL_VARIABLE} must be one of {', '.join(get_args(Model))}, not {value!r}."
    )


def secret(token: str | SecretStr | None) -> SecretStr | None:
    """A token as given, wrapped so that no repr shows it and without the white space a paste brings along."""
    if token is None:
        return None
    value = token if isinstance(token, str) else token.get_secret_value()
    return SecretStr(value.strip())
