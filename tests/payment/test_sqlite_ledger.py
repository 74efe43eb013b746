"""The ledger's file: damaged, of another version, locked, full or raced for. Nothing is paid for twice."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr

from producer_tools import LedgerError, ProducerClient, SqliteLedger
from producer_tools.http.tokens import token_id
from producer_tools.payment import sqlite_schema
from producer_tools.payment.keys import fingerprint
from producer_tools.sandbox import ProducerSandbox
from tests.payment.ledgers import SONG, answered, entry, submit

ENTRIES = 60
FIRST_VERSION = "CREATE TABLE submissions (key TEXT PRIMARY KEY, fingerprint TEXT, answer TEXT)"


def execute(path: Path, *statements: str, values: tuple[Any, ...] = ()) -> None:
    """Change the file behind the ledger's back. The values are those of the last statement."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements[:-1]:
            connection.execute(statement)
        connection.execute(statements[-1], values)


def known_task(ledger: SqliteLedger, number: int) -> str:
    """What a submit under an old key gets."""
    key = f"account/key {number}"
    try:
        known = asyncio.run(ledger.begin(entry(key)))
    except LedgerError:
        return "error"
    return "begun anew" if known is None else str((known.answer or {}).get("task_id"))


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a ledger with answered entries."""
    path = tmp_path_factory.mktemp("intact") / "ledger.sqlite"

    async def fill() -> None:
        ledger = SqliteLedger(path)
        for number in range(ENTRIES):
            begun = entry(f"account/key {number}", begun_at=float(number), endpoint="/producer/audios")
            await ledger.begin(begun)
            await ledger.replace(begun, begun.changed(answer={"task_id": f"t{number}"}, source="answer"))

    asyncio.run(fill())
    return path.read_bytes()


@pytest.mark.parametrize("part", range(10))
def test_a_flipped_byte_never_lets_a_request_begin_anew(intact: bytes, path: Path, part: int) -> None:
    """A disk may damage any byte. A key that is not found any more would be paid for again, in silence."""
    random = Random(part)
    for position in [part * 10 + random.randrange(10), *(random.randrange(len(intact)) for _ in range(6))]:
        damaged = bytearray(intact)
        damaged[position] ^= random.choice((0x01, 0x20, 0xFF))
        path.write_bytes(damaged)
        for each in path.parent.glob("ledger.sqlite-*"):
            each.unlink()
        ledger = SqliteLedger(path)
        for number in random.sample(range(ENTRIES), 6):
            assert known_task(ledger, number) in (f"t{number}", "error"), f"byte {position}"


@pytest.mark.parametrize(
    "change",
    [
        'UPDATE submissions SET answer = \'{"task_id": "another"}\'',
        "UPDATE submissions SET answer = NULL",
        "UPDATE submissions SET details = replace(details, 't0', 't1')",
        "UPDATE submissions SET details = NULL",
        "UPDATE submissions SET checksum = NULL",
        "UPDATE submissions SET fingerprint = 'another'",
    ],
)
def test_a_row_that_contradicts_itself_is_an_error(intact: bytes, path: Path, change: str) -> None:
    """Half a row may be older than the rest, or written by another program: the caller would get another's song."""
    path.write_bytes(intact)
    execute(path, change)
    assert known_task(SqliteLedger(path), 0) == "error"


def first_version_file(path: Path, key: str, answer: dict[str, Any] | None) -> None:
    execute(path, "PRAGMA journal_mode = WAL", FIRST_VERSION)
    first_version_begins(path, key)
    if answer is not None:
        first_version_answers(path, key, answer)


def first_version_begins(path: Path, key: str) -> None:
    execute(path, "INSERT OR IGNORE INTO submissions (key, fingerprint) VALUES (?, ?)", values=(key, fingerprint(SONG)))


def first_version_answers(path: Path, key: str, answer: dict[str, Any]) -> None:
    values = (json.dumps(answer), key)
    execute(path, "UPDATE submissions SET answer = ? WHERE key = ? AND answer IS NULL", values=values)


async def test_a_file_of_the_first_version_is_brought_up_to_date(path: Path, sandbox: ProducerSandbox) -> None:
    """Its songs are paid for: after an upgrade of the package they would all be paid for again."""
    first_version_file(path, "k", {"task_id": "t1"})
    assert await submit(sandbox, path) == "t1"
    assert await submit(sandbox, path, "new") == await submit(sandbox, path, "new")
    assert await submit(sandbox, path) == "t1"
    assert len(sandbox.charges) == 1


async def test_a_process_of_the_first_version_may_go_on_writing(path: Path, sandbox: ProducerSandbox) -> None:
    """A fleet is updated one worker at a time, and all of them use one file."""
    first_version_file(path, "k", None)
    assert await submit(sandbox, path, "new")
    first_version_answers(path, "k", {"task_id": "t1"})
    first_version_begins(path, "later")
    first_version_answers(path, "later", {"task_id": "t2"})
    assert [await submit(sandbox, path, key) for key in ("k", "later")] == ["t1", "t2"]
    assert len(sandbox.charges) == 1
    first_version_begins(path, "unanswered")
    client = ProducerClient("t", sandbox.base_url, ledger=SqliteLedger(path))
    await client.adopt("unanswered", "t3")
    assert await submit(sandbox, path, "unanswered") == "t3"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["PRAGMA user_version = 3"], "schema version 3, and this .* reads 2. Use the version .* that wrote it"),
        (["PRAGMA user_version = 1"], "schema version 1"),
        (["PRAGMA user_version = 0"], "schema version 0"),
        (["ALTER TABLE submissions ADD COLUMN more TEXT"], "damaged .*the columns .*more.* Restore it from a backup"),
        (["ALTER TABLE submissions DROP COLUMN details"], "damaged .*the columns .* Restore it from a backup"),
        (["ALTER TABLE submissions RENAME COLUMN details TO detail"], "damaged .*the columns"),
        (["DROP TABLE submissions"], r"damaged .*the columns \(none\)"),
        (
            ["CREATE TABLE others AS SELECT * FROM submissions", "DROP TABLE submissions",
             "ALTER TABLE others RENAME TO submissions"], "damaged .*the columns key",
        ),
    ],
)  # fmt: skip
async def test_a_file_of_another_form_is_an_error_that_says_what_to_do(
    path: Path, intact: bytes, changes: list[str], message: str
) -> None:
    """Read as if it were of this version, entries could be missed and paid for again."""
    path.write_bytes(intact)
    execute(path, *changes)
    with pytest.raises(LedgerError, match=message):
        await SqliteLedger(path).begin(entry("account/key 0"))


def without_write_access(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def on_a_full_disk(connection: sqlite3.Connection) -> None:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    connection.execute("PRAGMA temp_store = MEMORY")


@pytest.mark.parametrize(
    ("condition", "message"),
    [(without_write_access, "readonly database"), (on_a_full_disk, "database or disk is full")],
)
async def test_a_file_that_cannot_be_written_stops_the_request(
    path: Path,
    sandbox: ProducerSandbox,
    monkeypatch: pytest.MonkeyPatch,
    condition: Callable[[sqlite3.Connection], None],
    message: str,
) -> None:
    """After a crash, nothing would show that it was sent."""
    ledger = SqliteLedger(path)
    await ledger.begin(entry())
    connect = sqlite_schema.connect

    def connect_on(path: Path, *, may_create: bool) -> sqlite3.Connection:
        connection = connect(path, may_create=may_create)
        condition(connection)
        return connection

    monkeypatch.setattr(sqlite_schema, "connect", connect_on)
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        with pytest.raises(LedgerError, match=f"ledger.sqlite cannot be used: .*{message}.* Nothing was sent"):
            await client.submit(SONG, key="k" * 4000)  # larger than what is left of the last page
    assert sandbox.charges == ()


async def test_a_file_that_stays_locked_stops_the_request(
    path: Path, sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup program may hold the lock for long: a request that is sent without an entry could be sent twice."""
    monkeypatch.setattr(sqlite_schema, "_LOCK_SECONDS", 0.01)
    await SqliteLedger(path).begin(entry())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match=r"database is locked.* Nothing was sent"):
            await submit(sandbox, path)
    assert sandbox.charges == ()
    assert await submit(sandbox, path)


@pytest.mark.parametrize("where", ["a directory", "a missing directory"])
async def test_a_path_that_is_no_file_stops_the_request(where: str, tmp_path: Path, sandbox: ProducerSandbox) -> None:
    path = tmp_path if where == "a directory" else tmp_path / "missing" / "ledger.sqlite"
    hint = (
        "It is a directory: name a file" if where == "a directory" else f"There is no directory {path.parent}: make it"
    )
    with pytest.raises(LedgerError, match=f"{path} cannot be used: unable to open.* {hint}.* Nothing was sent"):
        await submit(sandbox, path)
    assert sandbox.charges == ()


async def test_only_one_of_many_begins_and_replaces_an_entry(path: Path) -> None:
    """Processes race for one key: if two could begin it, both would send it."""
    ledgers = [SqliteLedger(path) for _ in range(8)]
    begun = [entry(fingerprint=f"of {number}") for number in range(8)]
    found = await asyncio.gather(*(ledger.begin(each) for ledger, each in zip(ledgers, begun, strict=True)))
    winner = begun[found.index(None)]
    assert [known for known in found if known is not None] == [winner] * 7
    changed = [winner.changed(answer={"task_id": f"t{number}"}) for number in range(7)] + [None]
    replaced = await asyncio.gather(
        *(ledger.replace(winner, each) for ledger, each in zip(ledgers, changed, strict=True))
    )
    assert sum(replaced) == 1
    assert await ledgers[0].get("key") == changed[replaced.index(True)]


async def test_each_account_finds_the_answer_of_its_own_key(path: Path, sandbox: ProducerSandbox) -> None:
    """The key that a ledger files has the account before it, so an old file must be read with both forms."""
    ledger = SqliteLedger(path)
    key = f"{token_id(SecretStr(sandbox.api_token))}/k"
    begun = entry(key, fingerprint(SONG))
    await ledger.begin(begun)
    await ledger.replace(begun, begun.changed(answer={"task_id": "own"}, source="answer"))
    await answered(ledger, "other account/k", "foreign")
    assert await submit(sandbox, path) == "own"


async def test_an_entry_that_is_cancelled_while_the_file_is_locked_does_not_appear_later(path: Path) -> None:
    """The end of an event loop withdraws it. If it appeared after that, it would stand for what was never sent."""
    ledger = SqliteLedger(path)
    assert await ledger.entries() == []
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        beginning = asyncio.create_task(ledger.begin(entry("k")))
        await asyncio.sleep(0.05)
        beginning.cancel()
        await asyncio.wait([beginning], timeout=0.05)
        other.rollback()
        await asyncio.wait([beginning])
    when_it_ended = await ledger.entries()
    await asyncio.sleep(0.1)
    assert await ledger.entries() == when_it_ended
