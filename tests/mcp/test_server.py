"""What a host gets from the server, with the official client in the same process."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from langchain_core.tools import BaseTool, tool
from mcp import ClientSession, types

from producer_tools import MemoryLedger, ProducerClient, ProducerGenerateMusic, ProducerToolkit
from producer_tools.http.transport import Transport
from producer_tools.mcp import server, to_mcp
from producer_tools.sandbox import ProducerSandbox
from producer_tools.tools import ProducerListPaidTasks
from tests.files.own_recordings import wav
from tests.mcp.hosts import Person, in_memory, text_of
from tests.payment.calls import PAID, Account

SONG = {"prompt": "a slow waltz"}

pytestmark = pytest.mark.usefixtures("silent_files")


@pytest.fixture
def tools(toolkit: ProducerToolkit, tmp_path: Any) -> list[BaseTool]:
    return toolkit.model_copy(update={"download_dir": tmp_path}).get_tools()


@tool
def shout(words: str) -> str:
    """Say it loudly."""
    return words.upper()


async def test_every_tool_is_listed_as_a_host_needs_it(tools: list[BaseTool]) -> None:
    """A host decides by the hints whether to ask its user, and must not see what only the application may set."""
    async with in_memory(to_mcp([*tools, shout])) as session:
        listed = {each.name: each for each in (await session.list_tools()).tools}
    assert set(listed) == {each.name for each in [*tools, shout]}
    for each in tools:
        shown, paid = listed[each.name], (each.metadata or {})["paid"]
        assert not {"runtime", "submission_key", "callback_url", "async"} & set(shown.inputSchema["properties"])
        assert shown.annotations is not None
        hints = shown.annotations
        assert (hints.destructiveHint, hints.idempotentHint) == (paid, not paid)
        assert hints.readOnlyHint == (not paid and each.name != "producer_download_results")
        assert shown.title
        assert shown.outputSchema is not None
        jsonschema.Draft202012Validator.check_schema(shown.outputSchema)


async def test_every_paid_tool_can_be_called(tools: list[BaseTool], sandbox: ProducerSandbox) -> None:
    """Other adapters refuse tools with injected arguments, which all paid ones have."""
    account = Account(sandbox)
    async with in_memory(to_mcp(tools)) as session:
        for each in PAID:
            arguments = account.arguments(each)
            del arguments["submission_key"]
            result = await session.call_tool(each.model_fields["name"].default, arguments)
            assert not result.isError, text_of(result)
    assert len(account.new_charges()) == len(PAID)


async def outputs(sandbox: ProducerSandbox, session: ClientSession) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Calls of each kind of tool, for tasks of each state."""
    song = (await session.call_tool("producer_generate_music", SONG)).structuredContent or {}
    lyrics = await session.call_tool("producer_generate_lyrics", SONG)
    yield "producer_generate_lyrics", lyrics.structuredContent or {}
    sandbox.spoil_next()
    part = (await session.call_tool("producer_generate_music", SONG)).structuredContent or {}
    with sandbox.outage("tasks_fail"):
        failed = (await session.call_tool("producer_generate_music", SONG)).structuredContent or {}
    sandbox.render_seconds = 1000
    pending = (await session.call_tool("producer_generate_music", SONG)).structuredContent or {}
    ids = [each["task_id"] for each in (song, part, failed, pending)]
    yield "producer_generate_music", pending
    for task_id in ids:
        yield "producer_get_task", await structured(session, "producer_get_task", task_id=task_id)
    yield "producer_get_tasks_batch", await structured(session, "producer_get_tasks_batch", task_ids=[*ids, "none"])
    waiting = {"task_ids": ids, "timeout_seconds": 0.1}
    yield "producer_wait_for_tasks", await structured(session, "producer_wait_for_tasks", **waiting)
    with sandbox.missing_files("cover"):
        yield "producer_download_results", await structured(session, "producer_download_results", task_id=ids[0])
    yield "producer_download_results", await structured(session, "producer_download_results", task_id=ids[1])
    for name in ("producer_list_models", "producer_list_actions", "producer_get_lyric_format_guide"):
        yield name, await structured(session, name)


async def structured(session: ClientSession, name: str, **arguments: Any) -> dict[str, Any]:
    result = await session.call_tool(name, arguments)
    assert not result.isError, text_of(result)
    return result.structuredContent or {}


async def test_every_output_is_what_its_schema_says(tools: list[BaseTool], sandbox: ProducerSandbox) -> None:
    """A host that checks an output would throw away the task of a song that was paid for."""
    seen = set()
    async with in_memory(to_mcp(tools)) as session:
        schemas = {each.name: each.outputSchema for each in (await session.list_tools()).tools}
        async for name, output in outputs(sandbox, session):
            jsonschema.validate(output, _without_other_keys(schemas[name]))
            seen |= {each["state"] for each in [output, *output.get("tasks", [])] if "state" in each}
            seen |= {f"some {key}" for key in ("partial_results", "failed") if output.get(key)}
    assert seen == {"pending", "complete", "failed", "some partial_results", "some failed"}


def _without_other_keys(schema: Any) -> Any:
    """The schema, which now also refuses a key that it does not name."""
    if isinstance(schema, Mapping):
        closed = {key: _without_other_keys(value) for key, value in schema.items()}
        return {**closed, "additionalProperties": False} if isinstance(schema.get("required"), list) else closed
    return schema


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("producer_generate_music", {"promt": "a song"}, "bad_request"),
        ("producer_generate_music", {**SONG, "runtime": "forged", "prompt": ""}, "bad_request"),
        ("producer_get_task", {"task_id": "none"}, "not_found"),
        ("producer_make_coffee", {}, "unknown_tool"),
    ],
)
async def test_an_error_is_an_error_with_our_text(
    name: str, arguments: dict[str, Any], code: str, tools: list[BaseTool], sandbox: ProducerSandbox
) -> None:
    """A model takes an error that is reported as a success for a song."""
    async with in_memory(to_mcp(tools)) as session:
        result = await session.call_tool(name, arguments)
    assert result.isError
    assert text_of(result).startswith(f"{code}: ")
    assert not sandbox.charges


async def test_a_missing_token_is_an_error_of_the_call() -> None:
    """A host without a token must hear what to do, and must not lose its session."""
    async with in_memory(to_mcp(ProducerToolkit().get_tools())) as session:
        assert text_of(await session.call_tool("producer_generate_music", SONG)).startswith("no_token: ")
        assert not (await session.call_tool("producer_list_models", {})).isError


async def test_a_tool_of_another_pack() -> None:
    """An application serves its own tools beside ours."""
    async with in_memory(to_mcp([shout])) as session:
        result = await session.call_tool("shout", {"words": "hello"})
    assert (text_of(result), result.structuredContent, result.isError) == ("HELLO", None, False)


async def test_a_host_cannot_forge_whose_call_it_is(tools: list[BaseTool], sandbox: ProducerSandbox) -> None:
    """With another call's key, a host would get that call's song; with a callback, it would send data away."""
    forged = {"submission_key": "k", "callback_url": "https://evil.example", "runtime": {"tool_call_id": "k"}}
    async with in_memory(to_mcp(tools)) as session:
        for _ in range(2):
            assert not (await session.call_tool("producer_generate_music", {**SONG, **forged})).isError
    assert len(sandbox.charges) == 2
    assert not any("callback_url" in charge.request for charge in sandbox.charges)


async def test_a_request_is_paid_for_once_in_each_session(tools: list[BaseTool], sandbox: ProducerSandbox) -> None:
    """A host that sends a request again must not pay twice, and another host's first request is a different one."""
    mcp = to_mcp(tools)

    async def first_request(session: ClientSession) -> str:
        session._request_id = 7  # noqa: SLF001 - the client itself never sends an id again
        return str((await structured(session, "producer_generate_music", **SONG))["task_id"])

    async with in_memory(mcp) as session, in_memory(mcp) as other:
        await session.list_tools()
        await other.list_tools()
        again = [await first_request(each) for each in (session, session, other)]
    assert again[0] == again[1] != again[2]
    assert len(sandbox.charges) == 2


async def test_a_session_lists_only_what_it_has_paid_for(sandbox: ProducerSandbox) -> None:
    """Everybody who reaches a server with a token of its own would see the songs of all others."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:
        mcp = to_mcp([ProducerGenerateMusic(client=client), ProducerListPaidTasks(client=client)])
        async with in_memory(mcp) as session, in_memory(mcp) as other:
            task = await structured(session, "producer_generate_music", **SONG)
            own = (await structured(session, "producer_list_paid_tasks"))["paid"]
            others = (await structured(other, "producer_list_paid_tasks"))["paid"]
    assert [paid["task_id"] for paid in own] == [task["task_id"]]
    assert others == []


async def test_a_waiting_call_reports_progress(
    tools: list[BaseTool], sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host gives up a call of which it hears nothing for a minute, and a song may take longer."""
    monkeypatch.setattr(server, "_BEAT_SECONDS", 0.01)
    sandbox.render_seconds = 1000
    reported: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        reported.append(progress)
        if len(reported) == 5:
            sandbox.finish_now()

    async with in_memory(to_mcp(tools)) as session:
        task = await structured(session, "producer_generate_music", **SONG)
        wait = {"task_ids": [task["task_id"]]}
        call = asyncio.create_task(session.call_tool("producer_wait_for_tasks", wait, progress_callback=on_progress))
        result = await asyncio.wait_for(call, 30)
    assert (result.structuredContent or {})["counts"]["complete"] == 1
    assert len(reported) >= 5
    assert reported == sorted(set(reported))


@pytest.mark.parametrize(("action", "paid"), [("accept", 1), ("decline", 0), ("cancel", 0)])
async def test_a_person_decides(action: str, paid: int, tools: list[BaseTool], sandbox: ProducerSandbox) -> None:
    """Without the person's yes nothing may be paid for, and nobody is bothered for a call that is free."""
    person = Person(action)
    async with in_memory(to_mcp(tools, approve=True), elicitation_callback=person) as session:
        result = await session.call_tool("producer_generate_music", SONG)
        await session.call_tool("producer_list_models", {})
    [question] = person.asked
    assert "about 0.080 US dollars" in question
    assert "prompt: a slow waltz" in question
    assert len(sandbox.charges) == paid
    assert result.isError == (not paid)


async def test_a_person_sees_the_file_that_would_be_sent(client: ProducerClient, tmp_path: Path) -> None:
    """A path alone does not tell which recording would become public."""
    (tmp_path / "riff.wav").write_bytes(wav())
    toolkit, person = ProducerToolkit(client=client, upload_dir=tmp_path, download_dir=tmp_path), Person("decline")
    async with in_memory(to_mcp(toolkit.get_tools(), approve=True), elicitation_callback=person) as session:
        await session.call_tool("producer_upload_audio", {"path": "riff.wav"})
    assert "file: 844 bytes of audio/wav" in person.asked[0]


async def test_a_host_that_cannot_ask_cannot_pay(tools: list[BaseTool], sandbox: ProducerSandbox) -> None:
    """The operator has asked for approvals: paying without one is worse than not working."""
    async with in_memory(to_mcp(tools, approve=True)) as session:
        result = await session.call_tool("producer_generate_music", SONG)
        assert not (await session.call_tool("producer_list_models", {})).isError
    assert result.isError
    assert text_of(result).startswith("cannot_ask: ")
    assert not sandbox.charges


async def test_a_cancelled_paid_call_keeps_its_task(sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who presses stop has paid for the song already: the ledger must know its task."""
    ledger, answered, is_stopped = MemoryLedger(), asyncio.Event(), asyncio.Event()
    post = Transport.post

    async def post_slowly(self: Transport, *arguments: Any, **options: Any) -> Any:
        answer = await post(self, *arguments, **options)
        answered.set()
        await is_stopped.wait()
        return answer

    monkeypatch.setattr(Transport, "post", post_slowly)
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        async with in_memory(to_mcp(ProducerToolkit(client=client).get_tools())) as session:
            call = asyncio.create_task(session.call_tool("producer_generate_music", SONG))
            await answered.wait()
            stop = types.CancelledNotification(params=types.CancelledNotificationParams(requestId=1))
            await session.send_notification(types.ClientNotification(stop))
            with pytest.raises(Exception, match="cancelled"):
                await call
            is_stopped.set()
    [entry] = await ledger.entries()
    [charge] = sandbox.charges
    assert charge.task_id in str(entry.answer)
