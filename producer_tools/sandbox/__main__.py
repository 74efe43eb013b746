"""``python -m producer_tools.sandbox``: run the sandbox as a program, for a client in any language."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import get_args

from producer_tools.sandbox import ProducerSandbox
from producer_tools.sandbox.files import AudioFormat

TOKEN_VARIABLE = "PRODUCER_SANDBOX_API_TOKEN"  # noqa: S105 - the variable's name, not a token


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        SystemExit: The port is not available, an option is out of range, or it needs an extra; the message says which.
    """
    options = _parser().parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with ProducerSandbox(**vars(options)) as sandbox:
            line = f"ProducerSandbox (a local stand-in, not the service) on {sandbox.base_url}"
            print(f"{line} - token {sandbox.api_token}", flush=True)  # noqa: T201 - this is a program's output
            stopped.wait()
    except OSError as error:
        sys.exit(f"producer-sandbox: {error.strerror}")
    except (ImportError, ValueError) as error:
        sys.exit(f"producer-sandbox: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="producer-sandbox", description="Serve a local stand-in for the Producer API. It is not the service."
    )
    parser.add_argument(
        "--port", type=int, default=8080, help="port on 127.0.0.1; 0: any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--api-token",
        metavar="TOKEN",
        default=os.environ.get(TOKEN_VARIABLE) or None,
        help=f"the token to accept (default: {TOKEN_VARIABLE}, else a random one); other users of the machine can see "
        "what is on a command line, but not the variable",
    )
    parser.add_argument(
        "--render-seconds", type=float, default=2.0, help="seconds until a song is finished (default: %(default)s)"
    )
    parser.add_argument(
        "--vocabulary",
        choices=["record", "state"],
        default="record",
        help="how task records are written: as specified, or as released clients expect (default: %(default)s)",
    )
    parser.add_argument(
        "--audio-format",
        choices=get_args(AudioFormat),
        default="wav",
        help="format of songs; m4a (the service's) and mp3 need the extra sound (default: %(default)s)",
    )
    parser.add_argument("--balance", type=int, help="paid requests until the balance is used up (default: unlimited)")
    parser.add_argument(
        "--fault-rate", type=float, default=0.0, help="share of requests that fail, 0 to 1 (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, help="makes ids and faults repeatable (default: different every time)")
    return parser


if __name__ == "__main__":
    main()
