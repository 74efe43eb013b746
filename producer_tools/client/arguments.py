"""Checks what a caller gives to the client: a mistake fails at once, with an error that says what was expected."""

import os
from typing import Any

from producer_tools.errors import ConfigurationError, InvalidArgumentError
from producer_tools.payment.budget import Budget
from producer_tools.payment.ledger import Ledger
from producer_tools.payment.sqlite_ledger import SqliteLedger
from producer_tools.requests import PaidRequest, Request
from producer_tools.requests.media import UploadAudioOrFile

_METHODS_OF_A_LEDGER = ("begin", "get", "replace", "entries")


def check_paid_request(request: Any) -> None:
    """Refuse what is not a paid request.

    Raises:
        InvalidArgumentError: it is not one.
    """
    if isinstance(request, UploadAudioOrFile):
        raise InvalidArgumentError({"request": "submit UploadAudio(audio_url=...), or call client.upload(path)"})
    if isinstance(request, PaidRequest):
        return
    if isinstance(request, Request):
        hint = f"{type(request).__name__} is free: use get_task, get_tasks or wait"
    else:
        hint = f"it is of the type {type(request).__name__}"
    expected = 'a paid request of producer_tools.requests was expected, such as GenerateMusic(prompt="a slow waltz")'
    raise InvalidArgumentError({"request": f"{expected}; {hint}"})


def check_key(key: Any) -> None:
    """Refuse an idempotency key that is blank: an empty one would count as none, and each call would be paid for.

    Raises:
        ConfigurationError: it is blank, or no text.
    """
    if key is not None and not (isinstance(key, str) and key.strip()):
        raise ConfigurationError(
            "configuration", f"An idempotency key must be text that is not blank, so nothing was sent; it is {key!r}."
        )


def check_budget(budget: Any) -> Budget | None:
    """The budget, as it is.

    Raises:
        ConfigurationError: it is no `Budget`.
    """
    if budget is None or isinstance(budget, Budget):
        return budget
    raise ConfigurationError("configuration", f"budget must be a Budget, such as Budget(max_usd=5); it is {budget!r}.")


def as_ledger(ledger: Any) -> Ledger | None:
    """The ledger; a path stands for a `SqliteLedger`.

    Raises:
        ConfigurationError: it is neither a ledger nor a path, or it is the address of a database.
    """
    if isinstance(ledger, str) and "://" in ledger:
        scheme = ledger.partition("://")[0]
        raise ConfigurationError(
            "configuration",
            f"ledger is an address ({scheme}://...), which the client cannot open. For PostgreSQL, open LangGraph's "
            'PostgresStore or AsyncPostgresStore, and give StoreLedger(store). A path, such as "songs.sqlite", '
            "opens a SqliteLedger.",
        )
    if isinstance(ledger, str | os.PathLike):
        return SqliteLedger(os.fspath(ledger))
    has_methods = all(callable(getattr(ledger, name, None)) for name in _METHODS_OF_A_LEDGER)
    if ledger is None or (has_methods and not isinstance(ledger, type)):
        return ledger
    raise ConfigurationError(
        "configuration",
        f"ledger must be a SqliteLedger, a StoreLedger, a MemoryLedger or a path; it is of the type "
        f"{type(ledger).__name__}.",
    )
