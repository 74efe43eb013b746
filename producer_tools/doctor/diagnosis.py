"""Finds out what is wrong with a setup, without spending anything."""

import asyncio
import os
from pathlib import Path

from producer_tools.client import ProducerClient
from producer_tools.concurrency.clock import SystemClock
from producer_tools.concurrency.paths import from_home
from producer_tools.concurrency.sync import run_sync
from producer_tools.doctor.entries import state_of, without_claims
from producer_tools.doctor.opening import is_database, open_ledger
from producer_tools.doctor.results import CheckResult
from producer_tools.doctor.service import check_base_url, check_price, check_token
from producer_tools.doctor.versions import check_versions
from producer_tools.errors import LedgerError
from producer_tools.files.directory import why_unwritable
from producer_tools.files.downloads import DEFAULT_DIRECTORY
from producer_tools.http.safe_text import safe_text
from producer_tools.payment.ledger import guarded

_LONGEST_PATH = 1000


async def diagnose(
    client: ProducerClient,
    *,
    ledger: str | None = None,
    directory: str | os.PathLike[str] = DEFAULT_DIRECTORY,
) -> list[CheckResult]:
    """Check a setup. Nothing is paid for, and no file is left behind.

    Args:
        client: whose base URL, token and price list are checked.
        ledger: a ledger to check: the path of a SQLite file, or the URL of a PostgreSQL database.
        directory: where downloads are to go.

    Returns:
        What each check has found out. None of it has the token in it.
    """
    base_url, price = await asyncio.gather(check_base_url(client.base_url), check_price(client))
    if base_url.state == "good":
        token = await check_token(client)
    else:
        token = CheckResult("token", "not known", "It was not sent, because the base URL is not the API's.")
    directories = await asyncio.to_thread(_check_directory, from_home(directory))
    ledgers = [] if ledger is None else [await _check_ledger(ledger)]
    versions = await asyncio.to_thread(check_versions)
    return [*versions, base_url, token, *price, *ledgers, directories]


def diagnose_sync(
    client: ProducerClient,
    *,
    ledger: str | None = None,
    directory: str | os.PathLike[str] = DEFAULT_DIRECTORY,
) -> list[CheckResult]:
    """`diagnose` for sync code. It takes and returns the same."""
    return run_sync(lambda: diagnose(client, ledger=ledger, directory=directory))


async def _check_ledger(place: str) -> CheckResult:
    """Whether a ledger can be opened, and has no request whose outcome is unknown."""
    if not is_database(place) and not await asyncio.to_thread(os.path.lexists, from_home(place)):
        if reason := await asyncio.to_thread(_why_no_file, from_home(place).parent):
            return CheckResult("ledger", "bad", f"{safe_text(place, _LONGEST_PATH)} cannot be made: {reason}.")
        return CheckResult("ledger", "not known", f"There is no file {place} yet; the first paid call makes it.")
    try:
        async with open_ledger(place) as opened:
            unanswered = without_claims(await guarded(opened.entries(unanswered=True)))
    except LedgerError as error:
        return CheckResult("ledger", "bad", safe_text(error.message, _LONGEST_PATH))
    now = SystemClock().now()
    unknown = [entry for entry in unanswered if state_of(entry, now) == "unknown"]
    if unknown:
        how_many = f"{len(unknown)} request{'s have' if len(unknown) > 1 else ' has'} an unknown outcome"
        return CheckResult("ledger", "bad", f"It opens, but {how_many}. producer-ledger shows and settles them.")
    return CheckResult("ledger", "good", "It opens, and no request has an unknown outcome.")


def _why_no_file(directory: Path) -> str | None:
    """Why a paid call cannot make a ledger in this directory, which it does not make itself."""
    shown = safe_text(str(directory), _LONGEST_PATH)
    if not directory.is_dir():
        return f"there is no directory {shown}. Make it, or correct the path"
    reason = why_unwritable(directory)
    return reason and f"{shown} cannot be written ({reason})"


def _check_directory(directory: Path) -> CheckResult:
    """Whether files can be written into a directory, or into the one where it will be made."""
    shown = safe_text(str(directory), _LONGEST_PATH)
    if reason := why_unwritable(directory):
        return CheckResult("directory", "bad", f"{shown} cannot be written: {reason}.")
    later = "" if os.path.lexists(directory) else " It does not exist yet; the first download makes it."
    return CheckResult("directory", "good", f"{shown} can be written.{later}")
