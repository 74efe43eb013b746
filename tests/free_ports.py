"""Ports for programs that have to be told which one to listen on."""

import socket
from random import SystemRandom

# Below the ports that Linux and macOS give to connections, and to servers that ask for any port. One of those could be
# given to somebody else before the program listens on it, or while it is started again.
_PORTS = range(20_000, 32_000)
# pytest-randomly gives all processes the same random numbers.
_random = SystemRandom()


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    while True:
        port = _random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
