"""``python -m producer_tools.mcp`` as hosts run it: a process over stdio, and a server over HTTP."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession
from mcp.shared._httpx_utils import create_mcp_http_client

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.mcp.__main__ import main
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.files.own_recordings import wav
from tests.mcp.hosts import FAST_PROGRAM, MORNING_PROGRAM, Person, connected, http_program, stdio_program, text_of
from tests.saved_files import saved_files

SONG = {"prompt": "a slow waltz"}

pytestmark = pytest.mark.usefixtures("silent_files")


async def called(session: ClientSession, name: str, **arguments: Any) -> dict[str, Any]:
    """The structured content of an answer, which the client has checked against the tool's schema."""
    result = await session.call_tool(name, arguments)
    assert not result.isError, text_of(result)
    assert result.structuredContent is not None
    assert result.structuredContent == json.loads(text_of(result))
    return dict(result.structuredContent)


async def test_a_whole_song_over_stdio_in_three_calls(tmp_path: Path) -> None:
    """A desktop host must get from a prompt to a file, with a person's yes, and its log must not have the token."""
    errors, songs, person = tmp_path / "errors", tmp_path / "songs", Person("accept")
    (tmp_path / "riff.wav").write_bytes(wav())
    folders = ("--download-dir", str(songs), "--upload-dir", str(tmp_path))
    options: dict[str, Any] = {"module": FAST_PROGRAM, "errors": errors, "elicitation_callback": person}
    with ProducerSandbox(render_seconds=3600) as sandbox:
        async with stdio_program(sandbox, "--approve", *folders, **options) as session:
            assert len((await session.list_tools()).tools) >= 20
            submitted = await called(session, "producer_generate_music", **SONG)
            waiting = asyncio.create_task(called(session, "producer_wait_for_tasks", task_ids=[submitted["task_id"]]))
            while not any(request.endpoint == "/producer/tasks" for request in sandbox.requests):
                await asyncio.sleep(0.01)
            sandbox.finish_now()
            waited = await waiting
            saved = await called(session, "producer_download_results", task_id=submitted["task_id"])
            uploaded = await called(session, "producer_upload_audio", path="riff.wav")
            refused = await session.call_tool("producer_get_task", {"task_id": sandbox.api_token})
        token = sandbox.api_token
    assert len(person.asked) == 2
    assert waited["counts"]["complete"] == 1
    assert uploaded["results"]
    assert saved["files"]
    assert {file["path"] for file in saved["files"]} == {path.name for path in saved_files(songs)}
    assert refused.isError
    assert token not in errors.read_text()


async def test_two_processes_share_a_ledger_and_a_daily_budget(tmp_path: Path) -> None:
    """The ids of requests start anew in each process: the second would get the first one's song, or spend too much."""
    ledger = tmp_path / "songs.sqlite"
    options = ("--ledger", str(ledger), "--budget", "0.1")
    with ProducerSandbox(render_seconds=0) as sandbox:
        async with stdio_program(sandbox, *options, module=MORNING_PROGRAM) as session:
            task = await called(session, "producer_generate_music", **SONG)
        async with stdio_program(sandbox, *options, module=MORNING_PROGRAM) as session:
            second = await session.call_tool("producer_generate_music", SONG)
        assert second.isError
        assert text_of(second).startswith("budget_exceeded: ")
        async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=SqliteLedger(ledger)) as client:
            assert [each.task_id for each in (await client.spent()).calls] == [task["task_id"]]


async def test_a_host_that_goes_away_during_a_paid_call(tmp_path: Path) -> None:
    """The song is paid for: without an entry of its task it could not be found again."""
    ledger = tmp_path / "songs.sqlite"
    with ProducerSandbox(render_seconds=0) as sandbox:
        sandbox.fail_next(Fault.SLOW, endpoint="/producer/audios")
        async with stdio_program(sandbox, "--ledger", str(ledger)) as session:
            call = asyncio.create_task(session.call_tool("producer_generate_music", SONG))
            while not sandbox.charges:
                await asyncio.sleep(0.001)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        [entry] = await SqliteLedger(ledger).entries()
        assert entry.answer is not None
        assert sandbox.charges[0].task_id in json.dumps(entry.answer)


async def test_sessions_over_http_pay_apart_from_each_other(tmp_path: Path) -> None:
    """Both sessions number their requests alike: the second host would get the first one's song."""
    with (
        ProducerSandbox(render_seconds=0) as sandbox,
        http_program(sandbox, tmp_path / "errors", sandbox.api_token) as url,
    ):
        async with connected(url) as first, connected(url) as second:
            tasks = [(await called(each, "producer_generate_music", **SONG))["task_id"] for each in (first, second)]
        assert [charge.task_id for charge in sandbox.charges] == tasks
        async with create_mcp_http_client() as browser:
            rebound = await browser.post(url, headers={"Host": "evil.example"}, json={})
        assert rebound.status_code == 421
    assert f"Serving MCP at {url}" in (tmp_path / "errors").read_text(), "a person must know where to reach it"


async def test_each_user_pays_with_their_own_token_over_http(tmp_path: Path) -> None:
    """A server without a token of its own must never let one user pay for another, or anybody for nobody."""
    with ProducerSandbox(render_seconds=0) as sandbox:
        bob = sandbox.add_user()
        with http_program(sandbox, tmp_path / "errors") as url:
            async with connected(url, Authorization=f"Bearer {bob.api_token}") as session:
                await called(session, "producer_generate_music", **SONG)
            async with connected(url, Authorization=f"bearer {bob.api_token}") as session:  # as RFC 9110 allows
                await called(session, "producer_generate_music", **SONG)
            for headers in ({}, {"Authorization": "Basic Ym9iOnBhc3N3b3Jk"}):  # the latter is meant for a proxy
                sent = len(sandbox.requests)
                async with connected(url, **headers) as session:
                    nobody = await session.call_tool("producer_generate_music", SONG)
                assert text_of(nobody).startswith("no_user_token: ")
                assert len(sandbox.requests) == sent, "a password was sent to the service"
    assert [charge.user_id for charge in sandbox.charges] == [bob.user_id, bob.user_id]
    assert bob.api_token not in (tmp_path / "errors").read_text()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--budget", "two", r"max_usd must be a number of 0 or more; it is 'two'"),
        ("--ledger", "postgres://db/songs", r"ledger is an address \(postgres://"),
    ],
)
def test_a_wrong_setting_says_what_it_must_be(option: str, value: str, message: str) -> None:
    """Otherwise a typo gives a person a traceback, a server without a budget, or a ledger in a file of an odd name."""
    with pytest.raises(SystemExit, match=message):
        main([option, value])
