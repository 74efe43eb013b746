"""The sandbox in a process of its own, since its work is not the client's."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

NEAR, DISTANT = "producer_tools.sandbox", "tests.bench.distant_sandbox"


class Server(NamedTuple):
    """A sandbox in a process of its own.

    Attributes:
        base_url: its address.
        api_token: the token that it accepts.
    """

    base_url: str
    api_token: str


@contextmanager
def sandbox_process(module: str = NEAR, *options: str) -> Iterator[Server]:
    """A sandbox whose songs are finished at once.

    Args:
        module: the sandbox itself, or the one that answers later.
        options: further ones of the program.
    """
    command = [sys.executable, "-m", module, "--port", "0", "--render-seconds", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            words = program.stdout.readline().split()
            yield Server(next(word for word in words if word.startswith("http:")), words[-1])
        finally:
            program.terminate()
