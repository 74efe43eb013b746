"""``python -m producer_tools.sandbox``: the stand-in for any client, until it is interrupted."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from producer_tools.sandbox import ProducerSandbox


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        SystemExit: With a line that says why: the port cannot be had, or an option makes no sense.
    """
    options = _parser().parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with ProducerSandbox(**vars(options)) as sandbox:
            line = f"ProducerSandbox (a local stand-in, not the service) on {sandbox.base_url}"
            print(f"{line} - token {sandbox.api_token}", flush=True)  # noqa: T201 - a program says where it is
            stopped.wait()
    except OSError as error:
        sys.exit(f"producer-sandbox: {error.strerror}")
    except ValueError as error:
        sys.exit(f"producer-sandbox: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="producer-sandbox", description="Serve a local stand-in of the Producer API. It is not the service."
    )
    parser.add_argument("--port", type=int, default=8080, help="port of 127.0.0.1; 0: any (default: %(default)s)")
    parser.add_argument("--api-token", metavar="TOKEN", help="the token to accept (default: one is made up)")
    parser.add_argument("--render-seconds", type=float, default=2.0, help="time a song takes (default: %(default)s)")
    parser.add_argument("--vocabulary", choices=["record", "state"], default="record", help="(default: %(default)s)")
    parser.add_argument("--balance", type=int, help="paid requests until the balance is used up (default: no end)")
    parser.add_argument(
        "--fault-rate", type=float, default=0.0, help="share of requests that go wrong, 0 to 1 (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, help="the same ids and faults each time (default: new ones)")
    return parser


if __name__ == "__main__":
    main()
