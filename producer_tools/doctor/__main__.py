"""``python -m producer_tools.doctor`` or ``producer-doctor``: what is wrong with a setup, without spending anything."""

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

from producer_tools.client import ProducerClient
from producer_tools.concurrency.sync import run_sync
from producer_tools.doctor.diagnosis import diagnose
from producer_tools.doctor.opening import without_urls
from producer_tools.doctor.results import CheckResult
from producer_tools.doctor.service import LISTED_PRICE, shown
from producer_tools.doctor.song import REQUEST, make_song
from producer_tools.doctor.terminal import allow_any_text, is_confirmed, without_warnings
from producer_tools.errors import ConfigurationError
from producer_tools.files.downloads import DEFAULT_DIRECTORY
from producer_tools.http.safe_text import without_token
from producer_tools.http.tokens import resolve_token
from producer_tools.payment.prices import estimate
from producer_tools.sandbox import ProducerSandbox

GOOD, BAD, USAGE = 0, 1, 2

_PROGRAM = "producer-doctor"
_EPILOG = """\
exit codes:
  0  nothing is bad
  1  something is bad
  2  the command line, or a variable of the environment, is wrong
"""
_WIDTH = 79
_MARGIN = 27


class _Parser(argparse.ArgumentParser):
    """Its errors quote arguments, but never the URL of a database, which may have a password in it."""

    def error(self, message: str) -> NoReturn:
        super().error(without_urls(message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        The exit code: 0 nothing is bad, 1 something is bad, 2 the command line or the environment is wrong.
    """
    options = _parser().parse_args(arguments)
    allow_any_text()
    try:
        with without_warnings(), ExitStack() as stack:
            return _run(_client(stack, is_sandbox=options.sandbox), options)
    except ConfigurationError as error:
        print(f"{_PROGRAM}: {error.message}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return BAD


def _client(stack: ExitStack, *, is_sandbox: bool) -> ProducerClient:
    if not is_sandbox:
        return stack.enter_context(ProducerClient())
    sandbox = stack.enter_context(ProducerSandbox())
    return stack.enter_context(ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0.1))


def _run(client: ProducerClient, options: argparse.Namespace) -> int:
    where = f"{'the SANDBOX' if options.sandbox else 'the service'} at {shown(client.base_url)}"
    if not options.json:
        print(f"{_PROGRAM}: {where}")
        if options.sandbox:
            print("A local stand-in, not the service: nothing costs money, and nothing here is\nabout your account.")
        print()
    look = partial(diagnose, client, ledger=options.ledger, directory=options.directory)
    results = run_sync(look)
    _print(results, options)
    if options.song:
        of_song = _song(client, results, options)
        _print(of_song, options)
        results = [*results, *of_song]
    bad, unclear = ([each for each in results if each.state == state] for state in ("bad", "not known"))
    if options.json:
        checks = [each._asdict() for each in results]
        report = {"sandbox": options.sandbox, "base_url": shown(client.base_url), "checks": checks}
        print(_safe(json.dumps(report, indent=2)))
    else:
        print(f"\nGood: {len(results) - len(bad) - len(unclear)}. Bad: {len(bad)}. Not known: {len(unclear)}.")
    return BAD if bad else GOOD


def _song(client: ProducerClient, results: Sequence[CheckResult], options: argparse.Namespace) -> list[CheckResult]:
    """Make the paid song, if nothing is bad and a person confirms it."""
    if any(each.state == "bad" for each in results):
        return [CheckResult("song", "not known", "It was not made, because something is bad.")]
    listed = next((each.text for each in results if each.check == LISTED_PRICE and each.state == "good"), "nothing")
    about = (
        f"One song, {REQUEST.prompt!r}: an estimated {estimate(REQUEST):.2f} USD by the last published price. The "
        f"platform's list has: {listed}."
    )
    about = textwrap.fill(about, _WIDTH)
    who_pays = "The sandbox makes it, so nobody pays." if options.sandbox else "It is PAID FOR from your account."
    if options.yes:
        print(f"{about}\n{who_pays}", file=sys.stderr)
    elif not is_confirmed(f"\n{about}\n{who_pays}"):
        return [CheckResult("song", "not known", "It was not made, because you did not confirm it.")]
    # A song of the sandbox is not paid for, so it is not written to the ledger.
    ledger = None if options.sandbox else options.ledger
    say = partial(print, file=sys.stderr)
    return run_sync(partial(make_song, client, Path(options.directory), ledger, say))


def _print(results: Sequence[CheckResult], options: argparse.Namespace) -> None:
    for each in [] if options.json else results:
        state = each.state.upper() if each.state == "bad" else each.state
        lines = textwrap.wrap(each.text, _WIDTH - _MARGIN, break_on_hyphens=False, break_long_words=False)
        print(_safe(f"{state:<11}{each.check:<16}" + f"\n{' ' * _MARGIN}".join(lines)))


def _safe(text: str) -> str:
    """The text without the token: a last safeguard, whatever the service has answered."""
    with suppress(ConfigurationError):
        return without_token(text, resolve_token(None))
    return text


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM,
        description="Find out what is wrong with a setup. Without --song, nothing is paid for.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--ledger", metavar="LEDGER", help="check a ledger: a SQLite file, or postgresql://USER@HOST/DATABASE"
    )
    parser.add_argument(
        "--directory", default=str(DEFAULT_DIRECTORY), help="check where downloads are to go (default: %(default)s)"
    )
    parser.add_argument("--song", action="store_true", help="make one song, which is PAID FOR, after you type yes")
    parser.add_argument("--yes", action="store_true", help="with --song: do not ask")
    parser.add_argument("--sandbox", action="store_true", help="check a local stand-in instead of the service")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    return parser


if __name__ == "__main__":
    sys.exit(main())
