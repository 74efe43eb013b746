"""``producer-ledger``: a person sees what is unknown, and settles it, without writing code and without a token."""

import io
import json
import sys
from pathlib import Path

import pytest

from producer_tools import ProducerClient, SqliteLedger, SubmissionUnknownError
from producer_tools.doctor.ledger import main
from producer_tools.http.tokens import token_id
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.doctor.ledger_file import ACCOUNT, CANDIDATES, OTHER, entry, of_each_kind, read, write

REQUEST = GenerateMusic(prompt="late-night jazz trio")
Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """A file with one request of each kind, written now: one of them is being sent for another minute only."""
    return write(tmp_path / "songs.sqlite", of_each_kind())


@pytest.fixture
def lost(sandbox: ProducerSandbox, tmp_path: Path) -> str:
    """A file with one request that was carried out and charged, and whose answer was lost."""
    path = tmp_path / "songs.sqlite"
    sandbox.listing.answer = "forbidden"
    with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=SqliteLedger(path)) as client:
        sandbox.fail_next(Fault.RESET_AFTER_WORK)
        with pytest.raises(SubmissionUnknownError):
            client.submit_sync(REQUEST, key="order-1")
    sandbox.listing.answer = "works"
    return str(path)


def test_the_table_has_what_is_unknown(ledger: str, capsys: Printed) -> None:
    """A person who sees too little, or what needs no decision, decides wrongly."""
    assert main([ledger]) == 0
    printed = capsys.readouterr().out
    for shown in ("unknown", "searched", ACCOUNT[:8], "2 h", "late-night", "First Day of", *CANDIDATES):
        assert shown in printed
    for hidden in ("answered", "in-flight", "freed", "t-answered"):
        assert hidden not in printed
    assert "unknown outcome: 2. Being sent now: 1." in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_all_lists_the_others_too_but_not_the_marks_of_searches(ledger: str, capsys: Printed) -> None:
    assert main([ledger, "--all", "--json"]) == 0
    states = {each["own_key"]: each["state"] for each in json.loads(capsys.readouterr().out)}
    assert states == {
        "unknown": "unknown",
        "searched": "unknown",
        "in-flight": "being sent",
        "answered": "answered",
        "freed released": "released",
    }
    assert main([ledger, "--all"]) == 0
    assert "task t-answered" in capsys.readouterr().out


def test_json_has_the_candidates(ledger: str, capsys: Printed) -> None:
    assert main([ledger, "--json"]) == 0
    found = {each["own_key"]: each for each in json.loads(capsys.readouterr().out)}
    assert list(found) == ["unknown", "searched"] or list(found) == ["searched", "unknown"]
    assert found["searched"]["candidates"] == CANDIDATES
    assert 7100 < found["unknown"]["age_seconds"] < 7500


@pytest.mark.parametrize("key", ["searched", f"{ACCOUNT}/searched"])
def test_show_has_everything(key: str, ledger: str, capsys: Printed) -> None:
    assert main([ledger, "show", key]) == 0
    printed = capsys.readouterr().out
    for shown in (ACCOUNT, "/producer/audios", '"title": "First Day of Summer"', *CANDIDATES):
        assert shown in printed
    assert main([ledger, "show", key, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["finding"]["state"] == "several"


def test_text_of_a_request_cannot_command_the_terminal(tmp_path: Path, capsys: Printed) -> None:
    """A prompt may come from a stranger: neither its control characters nor its markup may have an effect."""
    request = {"action": "generate", "prompt": "[red]a\x1b[31m\nb"}
    place = write(tmp_path / "songs.sqlite", [entry("key", request=request)])
    for arguments in ([place], [place, "--json"]):
        assert main(arguments) == 0
        printed = capsys.readouterr().out
        assert "\x1b" not in printed
        assert "[red]a" in printed


@pytest.mark.parametrize("prefix", ["", "account"])
def test_after_adopt_the_same_request_returns_the_task(prefix: str, lost: str, sandbox: ProducerSandbox) -> None:
    """There is no token in the environment, and settings that a client would refuse."""
    (charge,) = sandbox.charges
    key = f"{token_id(sandbox.api_token)}/order-1" if prefix else "order-1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRODUCER_REQUEST_TIMEOUT", "soon")
        patch.setenv("ACEDATACLOUD_API_BASE_URL", "nowhere")
        patch.setenv("ACEDATACLOUD_API_TOKEN", "\N{SNOWMAN}")
        assert main([lost, "adopt", key, charge.task_id]) == 0
    with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=SqliteLedger(lost)) as client:
        assert client.submit_sync(REQUEST, key="order-1").task_id == charge.task_id
    assert len(sandbox.charges) == 1


def test_after_release_the_same_request_is_sent_again(lost: str, sandbox: ProducerSandbox, capsys: Printed) -> None:
    assert main([lost, "release", "order-1", "--yes"]) == 0
    with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=SqliteLedger(lost)) as client:
        client.submit_sync(REQUEST, key="order-1")
    assert len(sandbox.charges) == 2
    capsys.readouterr()
    assert main([lost, "--all", "--json"]) == 0
    states = [each["state"] for each in json.loads(capsys.readouterr().out)]
    assert sorted(states) == ["answered", "released"]


@pytest.mark.parametrize(("typed", "is_released"), [("yes\n", True), ("y\n", False), ("", False)])
def test_release_asks_first(
    typed: str, is_released: bool, ledger: str, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    """Who releases must have read that the song may be paid for twice. A script without a terminal types nothing."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert main([ledger, "release", "unknown"]) == (0 if is_released else 1)
    assert "paid for twice" in capsys.readouterr().err
    assert (f"{ACCOUNT}/unknown" not in read(ledger)) == is_released


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["adopt", "answered", "t1"], "was answered (task_id t-answered)"),
        (["release", "answered", "--yes"], "Nothing was changed"),
        (["adopt", "in-flight", "t1"], "is being sent"),
        (["release", "in-flight", "--yes"], "is being sent"),
        (["adopt", "no-such", "t1"], "is not in this ledger"),
        (["show", "task t-answered"], "is not in this ledger"),
        (["release", "freed", "--yes"], "was released before"),
        (["adopt", "unknown", " "], "is not a task id"),
        (["adopt", "unknown", "t1\x1b"], "is not a task id"),
        (["settle"], "no API token"),
    ],
)
def test_what_cannot_be_done_changes_nothing(arguments: list[str], message: str, ledger: str, capsys: Printed) -> None:
    before = read(ledger)
    assert main([ledger, *arguments]) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.startswith("producer-ledger: ")
    assert printed.err.count("\n") == 1
    assert read(ledger) == before


def test_a_key_of_two_accounts_must_be_given_with_the_account(tmp_path: Path, capsys: Printed) -> None:
    """Otherwise the wrong user's request might be sent again."""
    place = write(tmp_path / "songs.sqlite", [entry("order-1"), entry("order-1", OTHER)])
    assert main([place, "release", "order-1", "--yes"]) == 1
    error = capsys.readouterr().err
    assert f"{ACCOUNT}/order-1" in error
    assert f"{OTHER}/order-1" in error
    assert main([place, "release", f"{OTHER}/order-1", "--yes"]) == 0
    assert set(read(place)) == {f"{ACCOUNT}/order-1", f"{OTHER}/order-1 released"}


def test_settle_finds_the_task(
    lost: str, sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)
    (charge,) = sandbox.charges
    assert main([lost, "settle"]) == 0
    printed = capsys.readouterr().out
    assert charge.task_id in printed
    assert "Still unknown: 0" in printed
    assert sandbox.api_token not in printed
    assert len(sandbox.charges) == 1


def test_settle_says_what_belongs_to_other_accounts(
    sandbox: ProducerSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)
    place = write(tmp_path / "songs.sqlite", [entry("order-1")])
    assert main([place, "settle", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"settled": [], "unknown_of_other_accounts": 1}


def test_without_rich_it_names_the_extra(ledger: str, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    """Only the table needs it."""
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main([ledger]) == 1
    assert "producer-tools[cli]" in capsys.readouterr().err
    assert main([ledger, "--json"]) == 0
    assert main([ledger, "show", "unknown"]) == 0


@pytest.mark.parametrize("command", [[], ["show"], ["adopt", "t1"], ["release", "--yes"], ["release"], ["settle"]])
def test_a_key_cannot_give_the_terminal_orders(
    command: list[str], sandbox: ProducerSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    """A key may hold what a user typed: it could rename the window, or overwrite or reorder what is printed."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    sandbox.listing.answer = "forbidden"
    key = "\x1b]0;title\x07order\u202e1"
    place = write(tmp_path / "songs.sqlite", [entry(key, token_id(sandbox.api_token))])
    name, rest = command[:1], command[1:]
    main([place, *name, *([key] if name not in ([], ["settle"]) else []), *rest])
    printed = "".join(capsys.readouterr())
    assert "order" in printed
    assert not {"\x1b", "\x07", "\u202e"} & set(printed)
