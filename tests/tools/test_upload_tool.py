"""The upload tool: by default it takes addresses only; with a folder, a model may name files in it and no others."""

import asyncio
import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from producer_tools import (
    Budget,
    InvalidArgumentError,
    MemoryLedger,
    ProducerClient,
    ProducerError,
    ProducerToolkit,
    ProducerUploadAudio,
    budget,
)
from producer_tools.approval import describe, interrupt_on
from producer_tools.errors import ConfigurationError
from producer_tools.files.uploads.recordings import Recording, read_inside
from producer_tools.requests.media import UploadAudioOrFile
from producer_tools.sandbox import ProducerSandbox
from producer_tools.tools import media
from tests.files.own_recordings import wav
from tests.langgraph.fake_model import FakeModel

SHA = hashlib.sha256(wav()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings of ann"
    (folder / "demos").mkdir(parents=True)
    (folder / "demos/riff.wav").write_bytes(wav())
    (tmp_path / "secret.wav").write_bytes(wav(note=1))
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    (folder / "hard.wav").hardlink_to(tmp_path / "secret.wav")
    return folder


@pytest.fixture
def tool(client: ProducerClient, folder: Path) -> ProducerUploadAudio:
    return ProducerUploadAudio(client=client, upload_dir=folder)


def call(call_id: str = "c1", **arguments: Any) -> Any:
    return {"type": "tool_call", "id": call_id, "name": "producer_upload_audio", "args": arguments}


def in_graph(call_id: str = "c1", reason: str = "tool_calls", **arguments: Any) -> Any:
    """A model's call inside a graph: the runtime says which message it is of, and how that ended."""
    message = AIMessage("", id="m", tool_calls=[call(call_id)], response_metadata={"finish_reason": reason})
    config = {"configurable": {"thread_id": "t"}}
    runtime = SimpleNamespace(config=config, tool_call_id=call_id, state={"messages": [message]}, store=None)
    return call(call_id, runtime=runtime, **arguments)


async def test_a_file_of_the_folder_is_uploaded(tool: ProducerUploadAudio, sandbox: ProducerSandbox) -> None:
    message = await tool.ainvoke(call(path="demos/riff.wav"))
    content = json.loads(message.content)
    assert (message.status, content["state"], content["success"]) == ("success", "complete", True)
    assert content["results"][0]["audio_id"]
    assert "note" not in content
    assert [file.content for file in sandbox.file_hosts.received] == [wav()]


async def test_an_address_is_uploaded_as_without_a_folder(
    tool: ProducerUploadAudio, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A thread that goes on after the application has set a folder must not pay for its upload again."""
    plain = ProducerUploadAudio(client=client)
    for each in (plain, tool):
        await each.ainvoke(in_graph(audio_url="https://audio.example/a.mp3"))
    assert [charge.request for charge in sandbox.charges] == [{"audio_url": "https://audio.example/a.mp3"}]
    assert json.loads(await tool.ainvoke("https://audio.example/b.mp3"))["state"] == "complete"


def test_without_a_folder_a_model_sees_and_uploads_no_files(sandbox: ProducerSandbox, client: ProducerClient) -> None:
    """Whoever did not ask for it must not have files sent away, nor pay for a longer schema in each turn."""
    (tool,) = (each for each in ProducerToolkit(client=client).get_tools() if each.name == "producer_upload_audio")
    parameters = convert_to_openai_tool(tool)["function"]["parameters"]
    assert list(parameters["properties"]) == parameters["required"] == ["audio_url"]
    refused = tool.invoke(call(path="/etc/passwd"))
    assert refused.status == "error"
    assert "upload_dir" in refused.content
    tool.args_schema = UploadAudioOrFile
    assert "no upload_dir" in tool.invoke(call(path="pyproject.toml")).content, "not the current directory"
    assert not sandbox.requests
    assert not sandbox.file_hosts.received


def test_with_a_folder_a_model_sees_both(folder: Path, client: ProducerClient) -> None:
    toolkit = ProducerToolkit(client=client, upload_dir=folder, download_dir=folder)
    (tool,) = (each for each in toolkit.get_tools() if isinstance(each, ProducerUploadAudio))
    assert tool.before_submit is not None, "as every paid tool has with a download directory"
    parameters = convert_to_openai_tool(tool)["function"]["parameters"]
    assert list(parameters["properties"]) == ["audio_url", "path"]
    assert "25 MB" in parameters["properties"]["path"]["description"]
    assert str(folder) not in json.dumps(parameters) + repr(tool)


@pytest.mark.parametrize(
    "arguments", [{}, {"audio_url": "https://x.example/a.mp3", "path": "demos/riff.wav"}, {"path": None}, {"path": " "}]
)
async def test_exactly_one_is_given(
    arguments: dict[str, Any], tool: ProducerUploadAudio, sandbox: ProducerSandbox
) -> None:
    message = await tool.ainvoke(call(**arguments))
    assert message.status == "error"
    assert message.content.startswith("bad_request: ")
    assert not sandbox.requests
    assert not sandbox.file_hosts.received


@pytest.mark.parametrize(
    "path", ["link.wav", "hard.wav", "../secret.wav", "../gone.wav", "gone.wav", "/etc/passwd", "demos"]
)
async def test_a_model_gets_nothing_else_and_learns_nothing(
    path: str, tool: ProducerUploadAudio, sandbox: ProducerSandbox, folder: Path
) -> None:
    """A model that was talked into it would publish the user's files."""
    message = await tool.ainvoke(call(path=path))
    assert message.status == "error"
    assert str(folder) not in message.content
    assert "ann" not in message.content
    assert "Correct the arguments and call again" in message.content
    assert sandbox.file_hosts.received == ()


def test_a_folder_without_a_name_is_refused(client: ProducerClient) -> None:
    """A variable of the environment that is not set would let a model publish the recordings of the current folder."""
    with pytest.raises(InvalidArgumentError, match=r"upload_dir: .*empty"):
        ProducerToolkit(client=client, upload_dir="")
    with pytest.raises(ValueError, match="empty"):
        ProducerUploadAudio(client=client, upload_dir="")


async def test_a_folder_that_is_gone_ends_the_run(client: ProducerClient, tmp_path: Path) -> None:
    """A model cannot make it; it would try one name after the other."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("gone", "loop"):
        tool = ProducerUploadAudio(client=client, upload_dir=tmp_path / name)
        with pytest.raises(ConfigurationError, match="upload_dir"):
            await tool.ainvoke(call(path="a.wav"))


async def test_each_content_is_paid_once_and_each_call_keeps_its_task(
    tool: ProducerUploadAudio, sandbox: ProducerSandbox, folder: Path
) -> None:
    """A retried call, and a model that uploads the same file again, get the first task."""
    tasks = [
        json.loads((await tool.ainvoke(in_graph(call_id, path="demos/riff.wav"))).content)["task_id"]
        for call_id in ("c1", "c1", "c2")
    ]
    assert len(set(tasks)) == len(sandbox.charges) == 1
    (folder / "demos/riff.wav").write_bytes(wav(note=2))
    changed = await tool.ainvoke(in_graph("c1", path="demos/riff.wav"))
    assert changed.content.startswith("key_reused: ")
    assert tasks[0] in changed.content
    (folder / "demos/riff.wav").unlink()
    gone = await tool.ainvoke(in_graph("c1", path="demos/riff.wav"))
    assert json.loads(gone.content)["task_id"] == tasks[0], "a resumed graph would lose what it has paid for"
    assert len(sandbox.charges) == len(sandbox.file_hosts.received) == 1


@pytest.mark.parametrize("path", ["demos/riff.wav", "demos/ri"])
async def test_a_call_that_was_cut_off_sends_nothing(
    path: str, tool: ProducerUploadAudio, sandbox: ProducerSandbox
) -> None:
    """The path may be cut off too: the model must be told that, and not that there is no such file."""
    message = await tool.ainvoke(in_graph(reason="length", path=path))
    assert message.content.startswith("cut_off: ")
    assert sandbox.file_hosts.received == ()


async def test_an_application_can_keep_a_file_from_being_sent(
    client: ProducerClient, sandbox: ProducerSandbox, folder: Path
) -> None:
    async def refuse() -> None:
        raise ProducerError("closed", "not now")

    options: dict[str, Any] = {"client": client, "upload_dir": folder, "before_submit": refuse}
    with pytest.raises(ProducerError, match="not now"):
        await ProducerUploadAudio(**options).ainvoke(call(path="demos/riff.wav"))
    assert sandbox.file_hosts.received == ()
    await client.upload(folder / "demos/riff.wav")
    assert (await ProducerUploadAudio(**options).ainvoke(call(path="demos/riff.wav"))).status == "success"


async def test_it_counts_in_the_budget_of_a_run(tool: ProducerUploadAudio, sandbox: ProducerSandbox) -> None:
    with budget(Budget(max_calls=0)):
        message = await tool.ainvoke(call(path="demos/riff.wav"))
    assert message.content.startswith("budget_exceeded: ")
    assert sandbox.charges == ()


def test_the_approval_names_the_file_its_size_and_the_price(tool: ProducerUploadAudio, folder: Path) -> None:
    """A person decides by this text. The hash lets them see later whether another file was sent."""
    text = describe(tool, call(path="demos/riff.wav"))
    assert text == (
        "producer_upload_audio: about 0.010 US dollars, estimated by the provider's last price list "
        "(an old page of its FAQ, since withdrawn), read in November 2026\n"
        f"path: demos/riff.wav\nfile: 844 bytes of audio/wav, SHA-256 {SHA[:12]}"
    )
    for path in ("../secret.wav", "gone.wav"):
        refused = describe(tool, call(path=path))
        assert "will refuse this call, at no cost" in refused
        assert str(folder) not in refused
    assert "at no cost" in describe(tool, call())


async def test_an_approval_may_be_described_in_a_running_event_loop(
    tool: ProducerUploadAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LangChain's middleware describes an async agent's calls there: a drive that does not answer would stop all."""
    monkeypatch.setattr(media, "_LONGEST_READ", 200)  # a busy machine may take longer than a second
    assert SHA[:12] in describe(tool, call(path="demos/riff.wav"))
    assert "will refuse this call, at no cost" in describe(tool, call(path="gone.wav"))
    may_read = threading.Event()

    def slowly(*given: Any) -> Recording:
        may_read.wait()
        return read_inside(*given)

    monkeypatch.setattr(media, "read_inside", slowly)
    monkeypatch.setattr(media, "_LONGEST_READ", 0.01)
    try:
        text = describe(tool, call(path="demos/riff.wav"))
    finally:
        may_read.set()
    assert text.endswith("\nfile: not read within 0.01 s, so its type, size and hash are not known")
    assert SHA[:12] in await asyncio.to_thread(describe, tool, call(path="demos/riff.wav"))


async def test_an_approval_may_be_described_just_before_the_submit(
    tool: ProducerUploadAudio, sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync call runs ``before_submit`` in the package's own event loop, and any text of it may be shown there."""
    monkeypatch.setattr(media, "_LONGEST_READ", 200)  # as above
    told: list[str] = []

    async def ask() -> None:
        told.append(describe(tool, call(path="demos/riff.wav")))

    asking = tool.model_copy(update={"before_submit": ask})
    message = await asyncio.to_thread(asking.invoke, call(path="demos/riff.wav"))
    assert message.status == "success"
    assert len(sandbox.charges) == 1
    assert SHA[:12] in told[0]


@pytest.mark.parametrize(("decision", "sent"), [({"type": "approve"}, 1), ({"type": "reject", "message": "no"}, 0)])
async def test_nothing_is_sent_before_a_person_agrees(
    decision: dict[str, Any], sent: int, tool: ProducerUploadAudio, sandbox: ProducerSandbox
) -> None:
    """The file would be public by then."""
    answers = [AIMessage("", tool_calls=[call(path="demos/riff.wav")]), AIMessage("done")]
    model = FakeModel(answers=[lambda _: answers[0], lambda _: answers[1]])
    middleware = [HumanInTheLoopMiddleware(interrupt_on=interrupt_on([tool]))]
    agent: Any = create_agent(model, [tool], middleware=middleware, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    state = await asyncio.to_thread(agent.invoke, {"messages": [HumanMessage("upload my riff")]}, config)
    assert "844 bytes" in state["__interrupt__"][0].value["action_requests"][0]["description"]
    assert sandbox.file_hosts.received == ()
    await asyncio.to_thread(agent.invoke, Command(resume={"decisions": [decision]}), config)
    assert len(sandbox.file_hosts.received) == len(sandbox.charges) == sent


@pytest.mark.parametrize("made", [lambda tool: tool, lambda tool: ProducerUploadAudio(client=tool.client)])
async def test_an_address_without_tls_is_noted(
    made: Callable[[ProducerUploadAudio], ProducerUploadAudio], tool: ProducerUploadAudio
) -> None:
    """If the upload fails, the model can ask the user for an https address."""
    tool = made(tool)
    insecure = call(audio_url="http://audio.example/a.mp3")
    note = "The audio_url begins with http://, and some of the service's upstreams fetch https:// only."
    assert json.loads((await tool.ainvoke(insecure)).content)["note"] == note
    assert f"\nwarning: {note}" in describe(tool, insecure)


async def test_the_ledger_of_the_graph_is_used(folder: Path, sandbox: ProducerSandbox) -> None:
    """Its entries outlive the client."""
    ledger = MemoryLedger()
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        tool = ProducerUploadAudio(client=client, upload_dir=folder)
        await tool.ainvoke(in_graph(path="demos/riff.wav"))
    (entry,) = [each for each in await ledger.entries() if not each.is_claim]
    assert (entry.key.partition("/")[2], entry.thread) == (f"recording {SHA}", "")
