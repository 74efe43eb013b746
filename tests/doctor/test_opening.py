"""A program opens only a ledger that exists, says in one line why it cannot, and never shows a password."""

import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from producer_tools.doctor.__main__ import main as doctor
from producer_tools.doctor.ledger import main
from tests.doctor.ledger_file import of_each_kind, write

PASSWORD = "hunter2secret"
Printed = pytest.CaptureFixture[str]


def _of_something_else(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cookies (name TEXT)")


def _of_a_later_version(path: Path) -> None:
    write(path, of_each_kind()[:1])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _with_a_damaged_row(path: Path) -> None:
    write(path, of_each_kind()[:1])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE submissions SET details = replace(details, 'jazz', 'rock')")


def _named_pipe(path: Path) -> None:
    os.mkfifo(path)  # to open it would wait until another program writes


def _with_a_damaged_page(path: Path) -> None:
    write(path, of_each_kind()[:1])
    path.write_bytes(path.read_bytes()[:100] + bytes(4000))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "There is no file"),
        (Path.mkdir, "is a directory"),
        (Path.touch, "is empty"),
        (lambda path: path.write_text("no database"), "is not a SQLite file"),
        (_of_something_else, "has no ledger in it"),
        (_of_a_later_version, "schema version 99"),
        (_with_a_damaged_row, "damaged"),
        (_with_a_damaged_page, "damaged"),
        pytest.param(_named_pipe, "is not a file", marks=pytest.mark.skipif(os.name != "posix", reason="no pipes")),
    ],
    ids=["absent", "directory", "empty", "text", "other", "later", "row", "page", "pipe"],
)
def test_what_is_no_ledger_is_left_as_it_is(
    make: Callable[[Path], object], message: str, tmp_path: Path, capsys: Printed
) -> None:
    """A tool that makes a ledger out of another program's file, or of a typing error, does harm."""
    path = tmp_path / "songs.sqlite"
    make(path)
    before = path.read_bytes() if path.is_file() else path.exists()
    assert main([str(path), "--all"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("producer-ledger: ")
    assert error.count("\n") == 1
    assert (path.read_bytes() if path.is_file() else path.exists()) == before


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://operator:{PASSWORD}@127.0.0.1:1/songs",
        f"postgres://127.0.0.1:1/songs?password={PASSWORD}",
        f"postgresql://operator:a/{PASSWORD}@127.0.0.1:1/songs",
        f"postgresql://operator:a@{PASSWORD}@127.0.0.1:1/songs",
        f"postgresql://operator:%zz{PASSWORD}@127.0.0.1:1/songs",
        f"postgresql://127.0.0.1:1/songs?passwort={PASSWORD}",
        f"POSTGRESQL://operator:{PASSWORD}@127.0.0.1:1/songs",
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_the_password(url: str, capsys: Printed) -> None:
    """Psycopg quotes parts of a URL that it cannot read, or takes a part of the password for the host."""
    assert main([url]) == 2
    error = capsys.readouterr().err
    assert PASSWORD not in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("program", [main, doctor])
def test_a_wrong_command_line_is_told_without_the_password(
    program: Callable[[list[str]], int], capsys: Printed
) -> None:
    """Argparse quotes the arguments that it does not expect."""
    with pytest.raises(SystemExit) as exited:
        program(["show", f"postgresql://operator:{PASSWORD} @127.0.0.1/songs"])
    assert exited.value.code == 2
    assert PASSWORD not in capsys.readouterr().err


def test_without_psycopg_it_names_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert main([f"postgresql://operator:{PASSWORD}@127.0.0.1:1/songs"]) == 2
    assert "producer-tools[fleet]" in capsys.readouterr().err
