"""Which token a call carries: that of an ``api_token`` block, that of the client, or that of the environment."""

import os
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from inspect import isawaitable
from types import FunctionType
from typing import NamedTuple

from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import var_child_runnable_config
from pydantic import SecretStr

from producer_tools.errors import ConfigurationError, MissingTokenError
from producer_tools.http.faults import type_and_line

TOKEN_VARIABLE = "ACEDATACLOUD_API_TOKEN"  # noqa: S105 - the variable's name, not a token

NO_USER_TOKEN = "no_user_token"  # noqa: S105 - an error's code, not a token
"""The error's code where a call is for a user, and there is no user's token."""

_WRAPPED = re.compile(r"""["'`]|bearer\s""", re.IGNORECASE)
"""How a token begins that was copied with its surroundings, from a header or from a file of variables."""

TokenFunction = Callable[[RunnableConfig], str | SecretStr | Awaitable[str | SecretStr | None] | None]
"""Returns the token of the user for whom a LangGraph run is, given the run's config; ``None`` if there is none."""

OwnToken = SecretStr | TokenFunction | None
"""What a client was given: a token, a function that returns one for each call, or nothing."""


class _Answer(NamedTuple):
    """What a client's function has answered for the call that is under way, in the run with this config."""

    function: TokenFunction
    config: RunnableConfig | None
    token: SecretStr


_token_of_block: ContextVar[SecretStr | None] = ContextVar("producer_tools_api_token", default=None)
_token_of_call: ContextVar[_Answer | None] = ContextVar("producer_tools_token_of_call", default=None)


@contextmanager
def api_token(token: str | SecretStr) -> Iterator[None]:
    """Use ``token`` for every call made inside the block, so that one process can serve many users.

    It also holds in tasks started inside the block and in sync calls. It takes precedence over the client's token and
    the environment's. A thread that you start yourself does not know the block, unless you run its function with
    ``contextvars.copy_context().run``.

    Args:
        token: the API token of the user whose account pays for the calls.

    Raises:
        ConfigurationError: it is neither a text nor a SecretStr.
    """
    if not isinstance(token, str | SecretStr):
        kind = type(token).__name__
        del token  # a traceback shows this frame's variables
        raise ConfigurationError("configuration", f"api_token takes a text or a SecretStr; it was given a {kind}.")
    token = secret(token) or SecretStr("")  # a traceback shows this frame's variables
    reset = _token_of_block.set(token)
    try:
        yield
    finally:
        _token_of_block.reset(reset)


@contextmanager
def token_of_call(function: TokenFunction, token: SecretStr) -> Iterator[None]:
    """Use what a client's function has answered for every request of this client made inside the block.

    Other clients do not use it: theirs may be another service. Nor do other runs that are started inside the block, for
    example by a function that is told of progress: theirs may be another user.
    """
    reset = _token_of_call.set(_Answer(function, var_child_runnable_config.get(), token))
    try:
        yield
    finally:
        _token_of_call.reset(reset)


def is_in_block() -> bool:
    """Whether an ``api_token`` block surrounds the call. Then no client's function is asked."""
    return _token_of_block.get() is not None


def is_answered(function: TokenFunction) -> bool:
    """Whether a `token_of_call` block of this function surrounds the call."""
    return _answered(function) is not None


def resolve_token(own: OwnToken, *, require_user_token: bool = False) -> SecretStr:
    """The token of a call: that of the surrounding ``api_token`` block, else the client's, else the environment's.

    Args:
        own: the client's token, if it has one; or its function, which must have been asked before.
        require_user_token: whether it must be that of a block or of the client's function.

    Raises:
        MissingTokenError: there is none.
        ConfigurationError: it contains characters that an HTTP header cannot carry.
    """
    of_user = _token_of_block.get()
    if callable(own) and of_user is None:
        of_user = _answered(own) or SecretStr("")
    if require_user_token and not of_user:
        raise MissingTokenError(
            NO_USER_TOKEN,
            "This client only acts for a user, and there is no user's token here, so nothing was sent. Wrap the call "
            "in `with producer_tools.api_token(...)`. A plain thread does not know the block around its start: inside "
            "the block, start it with `contextvars.copy_context().run` as its target and the function as argument.",
        )
    # A blank token counts as given: if one user's token is missing, the call must not go to another's account.
    candidates = (of_user, None if callable(own) else own, secret(os.environ.get(TOKEN_VARIABLE)))
    token = next((candidate for candidate in candidates if candidate is not None), SecretStr(""))
    if not token and of_user is not None:
        raise MissingTokenError(
            NO_USER_TOKEN,
            "The user's token is blank, so nothing was sent. No other token is used in its place. Give the user's "
            "token to `producer_tools.api_token(...)`, or to an MCP server in the header `Authorization: Bearer`.",
        )
    if not token:
        raise MissingTokenError(
            "no_token",
            f"There is no API token, so nothing was sent. Set {TOKEN_VARIABLE}, pass ProducerClient(api_token=...), or "
            "wrap the call in `with producer_tools.api_token(...)`. To try without one, use "
            "producer_tools.sandbox.ProducerSandbox.",
        )
    if not (token.get_secret_value().isascii() and token.get_secret_value().isprintable()):
        raise ConfigurationError("invalid_token", "The API token contains characters that an HTTP header cannot carry.")
    if _WRAPPED.match(token.get_secret_value()):
        raise ConfigurationError(
            "invalid_token",
            "The API token begins with 'Bearer ' or with a quotation mark, so nothing was sent. Give the token alone.",
        )
    return token


async def ask(function: TokenFunction) -> SecretStr:
    """Ask a client's function for the token of the run in which this is called.

    Raises:
        MissingTokenError: it raised an error, or it returned no token.
    """
    token = await _answer_of(function)
    if isinstance(token, SecretStr):
        return token
    problem = token  # raised here, where no variable holds what the function returned or raised: it may be a token
    raise MissingTokenError(
        NO_USER_TOKEN,
        f"The function given as ProducerClient(api_token=...) {problem}, so nothing was sent. It gets the run's config "
        "and must return the user's token. Outside of a run, the config names no user: wrap the call in "
        "`with producer_tools.api_token(...)`.",
    )


def token_id(token: str | SecretStr) -> str:
    """A hash of a token, for what is kept for each token: the token itself is not kept there.

    Args:
        token: the API token.

    Returns:
        The first 16 hexadecimal characters of its SHA-256.
    """
    token = secret(token) or SecretStr("")  # a traceback shows this frame's variables
    return sha256(token.get_secret_value().encode()).hexdigest()[:16]


def own_token(given: str | SecretStr | TokenFunction | None) -> OwnToken:
    """What a client was given, with a token wrapped so that no repr shows it.

    Raises:
        ConfigurationError: it is something else.
    """
    if given is None or isinstance(given, str | SecretStr):
        return secret(given)
    if not callable(given):
        kind = type(given).__name__
        raise ConfigurationError(
            "configuration", f"api_token must be a text, a SecretStr or a function; it is of type {kind}."
        )
    return given


def picklable(own: OwnToken) -> TokenFunction | None:
    """What a pickle may hold of what a client was given: never a token.

    Raises:
        ConfigurationError: it is a function that is pickled with what it holds, which may be tokens.
    """
    if not callable(own):
        return None
    if isinstance(own, FunctionType) and "<" not in own.__qualname__:  # pickled by its name
        return own
    raise ConfigurationError(
        "configuration",
        "A client can only be pickled if its api_token is a function of a module: others would be pickled with what "
        "they hold, which may be tokens.",
    )


def bearer_token(header: str) -> SecretStr:
    """The token in a header ``Authorization``; blank if it holds something else, such as a password for a proxy."""
    scheme, _, token = header.partition(" ")
    return SecretStr(token.strip() if scheme.lower() == "bearer" else "")


def secret(token: str | SecretStr | None) -> SecretStr | None:
    """The token wrapped so that no repr shows it, without the white space that comes with pasting."""
    if token is None:
        return None
    value = token if isinstance(token, str) else token.get_secret_value()
    return SecretStr(value.strip())


def _answered(function: TokenFunction) -> SecretStr | None:
    answer = _token_of_call.get()
    if answer is None or answer.config is not var_child_runnable_config.get():
        return None
    # Equal and not identical: each access to a method makes a new object.
    return answer.token if answer.function == function else None


async def _answer_of(function: TokenFunction) -> SecretStr | str:
    """The token that a client's function returns, or what is wrong with its answer."""
    try:
        answer = function(ensure_config())
        if isawaitable(answer):
            answer = await answer
    except Exception as error:
        if any(kind.__name__ == "GraphBubbleUp" for kind in type(error).__mro__):
            raise  # LangGraph's, which core does not need: the function has asked the user to log in, by an interrupt
        # Its message may hold a token, so only its place is shown.
        return f"raised {type_and_line(error)}"
    if answer is not None and not isinstance(answer, str | SecretStr):
        return f"returned an object of the type {type(answer).__name__}"
    return secret(answer) or "returned no token"
