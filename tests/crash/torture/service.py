"""A sandbox in a process of its own, so that its memory and sockets are not counted as the client's."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple

from producer_tools.sandbox import Charge, ProducerSandbox
from tests.crash.processes import quick_starts

ListingAnswer = Literal["works", "forbidden"]
"""Whether the service lists an account's tasks, or refuses to."""


class Truth(NamedTuple):
    """What the sandbox knows and a client does not.

    Attributes:
        charges: The charged requests.
        faults: How many requests met a fault.
    """

    charges: tuple[Charge, ...]
    faults: int


class Service:
    """The connection to that process."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection
        self.base_url, self.api_token = connection.recv()

    def truth(self) -> Truth:
        self._connection.send("truth")
        return Truth(*self._connection.recv())


@contextmanager
def serving(listing: ListingAnswer, **options: Any) -> Iterator[Service]:
    """Run a `ProducerSandbox` with these options for the block."""
    context = quick_starts()
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, listing, options), daemon=True)
    process.start()
    theirs.close()
    try:
        with ours:
            yield Service(ours)
    finally:
        process.join()


def _serve(connection: "Connection[Any, Any]", listing: ListingAnswer, options: dict[str, Any]) -> None:
    logging.disable(logging.WARNING)  # each callback that does not arrive
    with ProducerSandbox(**options) as sandbox:
        sandbox.listing.answer = listing
        connection.send((sandbox.base_url, sandbox.api_token))
        try:
            while connection.recv():
                connection.send((sandbox.charges, len(sandbox.faults)))
        except EOFError:
            pass  # the block has ended
