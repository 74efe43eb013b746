"""``producer-ledger``: shows the requests of a ledger whose outcome is unknown, and settles them."""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NoReturn

from producer_tools.client import ProducerClient
from producer_tools.concurrency.clock import SystemClock
from producer_tools.concurrency.sync import run_sync
from producer_tools.doctor import entries as in_words
from producer_tools.doctor.opening import open_ledger, without_urls
from producer_tools.doctor.terminal import allow_any_text, is_confirmed, without_warnings
from producer_tools.errors import ConfigurationError, LedgerError, ProducerError
from producer_tools.errors.missing_extra import how_to_install
from producer_tools.http.safe_text import safe_text
from producer_tools.http.tokens import resolve_token, token_id
from producer_tools.payment.entry import Entry
from producer_tools.payment.ledger import Ledger, guarded

DONE, NOT_DONE, NO_LEDGER = 0, 1, 2

_PROGRAM = "producer-ledger"
_RELEASE = """\
After a release, the same request may be sent again, and is then paid for. Its
outcome is unknown: if the service has carried it out, it will be
paid for twice. So look into the account first. If the song is there, use
adopt instead."""
_DESCRIPTION = "Show the paid requests of a ledger whose outcome is unknown, and settle them."
_EPILOG = """\
commands:
  (none)               the requests whose outcome is unknown
  show KEY             everything about one request
  adopt KEY TASK_ID    record which task the request became, as you have seen it
                       in the account; the same request then returns this task
  release KEY          let the request be sent again: it may be paid for twice;
                       asks first, unless --yes is given
  settle               search the account for the tasks; needs the token in
                       ACEDATACLOUD_API_TOKEN; nothing is ever sent again

A KEY may be given with or without the account before it.

exit codes:
  0  done
  1  not done: no such request, its outcome is known, it is being sent now, you
     did not confirm, there is no token, settle left an outcome unknown, or the
     table needs the extra cli
  2  the command line is wrong, or the ledger cannot be opened
"""


class _NotDoneError(Exception):
    """The command cannot be carried out; the message says why."""


class _Parser(argparse.ArgumentParser):
    """Its errors quote arguments, but never the URL of a database, which may have a password in it."""

    def error(self, message: str) -> NoReturn:
        super().error(without_urls(message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        The exit code: 0 done, 1 not done, 2 a wrong command line or a ledger that cannot be opened.
    """
    options = _parser().parse_args(arguments)
    allow_any_text()
    try:
        with without_warnings():
            return run_sync(partial(_run, options))
    except (_NotDoneError, ProducerError) as error:
        text = error.message if isinstance(error, LedgerError | ConfigurationError) else str(error)
        print(f"{_PROGRAM}: {safe_text(' '.join(text.split()), 1000)}", file=sys.stderr)
        return NO_LEDGER if isinstance(error, LedgerError) else NOT_DONE
    except KeyboardInterrupt:
        return NOT_DONE


async def _run(options: argparse.Namespace) -> int:
    if options.command is None and not options.json:
        _check_rich()
    async with open_ledger(options.ledger) as ledger:
        command: Callable[[Ledger, argparse.Namespace], Awaitable[int]] = options.run
        return await command(ledger, options)


async def _list(ledger: Ledger, options: argparse.Namespace) -> int:
    found = in_words.without_claims(await guarded(ledger.entries(unanswered=not options.all)))
    now = SystemClock().now()
    shown = [entry for entry in found if options.all or in_words.state_of(entry, now) == "unknown"]
    if options.json:
        _print_json([in_words.as_json(entry, now) for entry in shown])
        return DONE
    if shown:
        print(in_words.table(shown, now))
        if below := list(in_words.below_the_table(shown)):
            print(*below, sep="\n", end="\n\n")
    states = [in_words.state_of(entry, now) for entry in found]
    print(f"Requests with an unknown outcome: {states.count('unknown')}. Being sent now: {states.count('being sent')}.")
    return DONE


async def _show(ledger: Ledger, options: argparse.Namespace) -> int:
    entry, now = await _one(ledger, options.key), SystemClock().now()
    if options.json:
        _print_json(in_words.as_json(entry, now))
    else:
        print(*in_words.all_of(entry, now), sep="\n")
    return DONE


async def _adopt(ledger: Ledger, options: argparse.Namespace) -> int:
    task_id = options.task_id.strip()
    entry = await _one(ledger, options.key)
    await _changed(entry, _without_a_token().adopt(entry.key, task_id, ledger=ledger))
    _print_changed(options, entry, {"adopted": task_id}, f"It became the task {task_id}.")
    return DONE


async def _release(ledger: Ledger, options: argparse.Namespace) -> int:
    entry, now = await _one(ledger, options.key), SystemClock().now()
    if in_words.state_of(entry, now) == "unknown" and not options.yes:  # else release itself says what is wrong
        about = f"{in_words.shown_key(entry)}\n{in_words.in_short(entry)}, begun {in_words.age(entry, now)} ago"
        if not is_confirmed(f"{about}\n\n{_RELEASE}"):
            raise _NotDoneError("You did not confirm it, so nothing was changed.")
    await _changed(entry, _without_a_token().release(entry.key, ledger=ledger))
    _print_changed(options, entry, {"released": True}, "It may be sent again.")
    return DONE


async def _settle(ledger: Ledger, options: argparse.Namespace) -> int:
    async with ProducerClient() as client:
        account = token_id(resolve_token(None))
        if not options.json:
            print("Searching the account's tasks. This may take a minute ...", file=sys.stderr)
        settled = await client.settle(ledger=ledger)
    now = SystemClock().now()
    unknown = [each for each in await guarded(ledger.entries(unanswered=True)) if not each.is_being_sent(now)]
    others = len([each for each in unknown if each.account != account])
    if options.json:
        found = [{"key": each.key, **each.finding._asdict()} for each in settled]
        _print_json({"settled": found, "unknown_of_other_accounts": others})
    else:
        for each in settled:
            print(f"{in_words.in_a_line(each.key)}: {in_words.found_in_words(each.finding._asdict())}")
            print(*(f"  task {task_id}\n" for task_id in each.finding.task_ids), sep="", end="")
        print(f"Searched: {len(settled)}. Still unknown: {len(unknown)}, {others} of them of other accounts.")
    return NOT_DONE if unknown else DONE


async def _one(ledger: Ledger, key: str) -> Entry:
    """The entry that a person means.

    Args:
        ledger: the ledger.
        key: with or without the account before it.

    Raises:
        _NotDoneError: there is none, or more than one.
    """
    entries = in_words.without_claims(await guarded(ledger.entries()))
    found = [each for each in entries if each.key == key] or [each for each in entries if in_words.own_key(each) == key]
    if len(found) > 1:
        keys = ", ".join(each.key for each in found)
        raise _NotDoneError(f"Several accounts have this key. Nothing was changed. Give one of: {keys}")
    if not found:
        kept = f"{key} released"
        was_released = any(kept in (each.key, in_words.own_key(each)) for each in entries)
        what = f"was released before; its entry is now {kept!r}" if was_released else "is not in this ledger"
        raise _NotDoneError(f"The request {key} {what}. Nothing was changed.")
    return found[0]


async def _changed(entry: Entry, change: Awaitable[None]) -> None:
    """Wait for a change of an entry.

    Raises:
        _NotDoneError: the id of the task is none, or somebody else has released the request in the meantime.
        OutcomeKnownError, BeingSentError: its outcome is known, or it is being sent now.
    """
    try:
        await change
    except ValueError as fault:
        raise _NotDoneError(str(fault)) from None
    except KeyError:
        raise _NotDoneError(
            f"Somebody else has released the request {entry.key} in the meantime. Nothing was changed."
        ) from None


def _without_a_token() -> ProducerClient:
    """A client that changes entries under the keys that the ledger has, whatever is in the environment.

    With the token of an account, it would look for that account's keys first. It sends nothing.
    """
    return ProducerClient("", "http://localhost", request_timeout=1)


def _check_rich() -> None:
    """Check that the table can be shown.

    Raises:
        _NotDoneError: rich is not installed.
    """
    try:
        import rich  # noqa: F401, PLC0415 - rich is an extra
    except ImportError:
        raise _NotDoneError(
            f"The table needs rich: {how_to_install('cli')}. The option --json does without it."
        ) from None


def _print_changed(options: argparse.Namespace, entry: Entry, result: dict[str, object], sentence: str) -> None:
    if options.json:
        _print_json({"key": entry.key, **result})
    else:
        print(f"{in_words.shown_key(entry)}: {sentence}")


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, default=str))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=f"{_PROGRAM} LEDGER [COMMAND ...] [--all] [--json]",
    )
    parser.add_argument("ledger", metavar="LEDGER", help="a SQLite file, or postgresql://USER@HOST/DATABASE")
    parser.add_argument("--all", action="store_true", help="list every request, not only the unknown ones")
    parser.set_defaults(run=_list)
    shared = _Parser(add_help=False)
    for each, default in ((parser, False), (shared, argparse.SUPPRESS)):  # it may stand before and after the command
        each.add_argument("--json", action="store_true", default=default, help="print JSON, for scripts")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title=argparse.SUPPRESS, help=argparse.SUPPRESS)
    for name, run in (("show", _show), ("adopt", _adopt), ("release", _release), ("settle", _settle)):
        command = commands.add_parser(name, parents=[shared], prog=f"{_PROGRAM} LEDGER {name}")
        command.set_defaults(run=run)
        if name != "settle":
            command.add_argument("key", metavar="KEY")
        if name == "adopt":
            command.add_argument("task_id", metavar="TASK_ID")
        if name == "release":
            command.add_argument("--yes", action="store_true", help="do not ask")
    return parser


if __name__ == "__main__":
    sys.exit(main())
