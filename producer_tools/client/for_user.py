"""Public calls of a client whose token is a function."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from producer_tools.http.transport import Transport

P = ParamSpec("P")
T = TypeVar("T")


class _HasTransport(Protocol):
    _transport: Transport


Client = TypeVar("Client", bound=_HasTransport)


def for_user(
    method: Callable[Concatenate[Client, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Client, P], Coroutine[Any, Any, T]]:
    """Make a public call get its token from the client's function once, at its start, and keep that token to its end.

    Every async method of a client that needs a token has this decorator.
    """

    @wraps(method)
    async def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._transport.token_of_call():
            return await method(self, *args, **kwargs)

    return call
