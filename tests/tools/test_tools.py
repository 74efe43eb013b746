"""The tools as LangChain, a model and an application see them."""

import json
import re
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from producer_tools import ConfigurationError, ProducerClient, ProducerGenerateMusic, ProducerToolkit
from producer_tools.requests import NoArguments
from producer_tools.sandbox import ProducerSandbox

AUDIOS = "/producer/audios"
PAID = {
    "producer_generate_music": AUDIOS,
    "producer_generate_custom_music": AUDIOS,
    "producer_extend_music": AUDIOS,
    "producer_cover_music": AUDIOS,
    "producer_variation_music": AUDIOS,
    "producer_swap_vocals": AUDIOS,
    "producer_swap_instrumentals": AUDIOS,
    "producer_replace_section": AUDIOS,
    "producer_stems_music": AUDIOS,
    "producer_generate_lyrics": "/producer/lyrics",
    "producer_upload_audio": "/producer/upload",
    "producer_generate_video": "/producer/videos",
    "producer_generate_wav": "/producer/wav",
}
FREE = {
    "producer_wait_for_tasks": "/producer/tasks",
    "producer_get_task": "/producer/tasks",
    "producer_get_tasks_batch": "/producer/tasks",
    "producer_download_results": "/producer/tasks",
    "producer_list_models": None,
    "producer_list_actions": None,
    "producer_get_lyric_format_guide": None,
}
NOT_IN_THE_MCP_SERVER = {"producer_wait_for_tasks", "producer_download_results"}
ARGUMENTS: dict[str, Any] = {
    "audio_id": "a1", "prompt": "p", "lyric": "l", "title": "t", "continue_at": 1, "replace_section_start": 1,
    "replace_section_end": 2, "audio_url": "https://x.example/a.mp3", "task_id": "t1", "task_ids": ["t1"],
}  # fmt: skip


@pytest.fixture
def tools(toolkit: ProducerToolkit) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in toolkit.get_tools()}


def test_each_tool_says_its_endpoint_and_whether_it_is_paid(tools: dict[str, BaseTool]) -> None:
    """An approval step, a budget or a router reads them: a paid tool marked as free would run without approval."""
    metadata = {name: tool.metadata for name, tool in tools.items()}
    expected = {name: {"paid": True, "endpoint": path} for name, path in PAID.items()}
    assert metadata == expected | {name: {"paid": False, "endpoint": path} for name, path in FREE.items()}


def test_metadata_of_the_application_is_kept() -> None:
    """Applications filter traces by it."""
    tool = ProducerGenerateMusic(metadata={"team": "radio"})
    assert tool.metadata == {"paid": True, "endpoint": AUDIOS, "team": "radio"}


def test_a_tool_that_submits_must_take_a_paid_request() -> None:
    """`interrupt_on` asks for an approval of paid tools: one that seemed free would be paid for without being asked."""

    class Jingle(ProducerGenerateMusic):
        name: str = "jingle"
        args_schema: type[BaseModel] = NoArguments

    with pytest.raises(ConfigurationError, match="The args_schema of jingle must be a PaidRequest"):
        Jingle()


def test_a_class_is_named_after_its_tool(tools: dict[str, BaseTool]) -> None:
    """A user who sees a tool's name in a trace finds its class by it."""
    for name, tool in tools.items():
        assert type(tool).__name__ == "".join(word.capitalize() for word in name.split("_"))


def test_the_schemas_are_short_and_hide_what_a_model_must_not_set(tools: dict[str, BaseTool]) -> None:
    """They are sent with every turn: at most 16,000 characters for the eighteen tools that the MCP server has too."""
    eighteen = [tool for name, tool in tools.items() if name not in NOT_IN_THE_MCP_SERVER]
    assert len(eighteen) == 18
    assert len(json.dumps([convert_to_openai_tool(tool) for tool in eighteen])) <= 16_000
    schema = json.dumps([convert_to_openai_tool(tool) for tool in tools.values()])
    assert "callback_url" not in schema
    assert "async" not in schema


FACTS = {  # what each description must contain
    "producer_generate_music": ["simplest", "lyrics, melody, style and arrangement", "producer_generate_custom_music"],
    "producer_generate_custom_music": ["Full control", "lyrics, title and style", "[Pre-Chorus]", "are ignored"],
    "producer_extend_music": ["too short", "bridge", "outro", "piece by piece", "not the task id", "keeps the song's"],
    "producer_cover_music": ["remix", "melody and lyrics stay", "acoustic", "unplugged", "0.2"],
    "producer_variation_music": ["slightly different", "structure kept", "several takes"],
    "producer_swap_vocals": ["same beat", "mash-up", "no second song"],
    "producer_swap_instrumentals": ["same voice", "mash-up", "no second song"],
    "producer_replace_section": ["rest unchanged", "verse or chorus", "after the start"],
    "producer_stems_music": ["one zip", "karaoke", "isolate vocals"],
    "producer_generate_lyrics": ["section markers", "title and lyrics", "producer_generate_custom_music"],
    "producer_upload_audio": ["extend, cover and replace", "uploaded=true", "Public http(s)"],
    "producer_generate_video": ["For sharing", "video platforms"],
    "producer_generate_wav": ["lossless", "Larger", "highest quality"],
    "producer_wait_for_tasks": ["after a submit", "in one call", "nothing is lost", "called again"],
    "producer_get_task": ["only state that means done", "streaming preview", "success is true", "never stop because"],
    "producer_get_tasks_batch": ["cheaper", "50", "streaming preview", "success is true"],
    "producer_download_results": ["audio, WAV, video, stems, cover", "previews are refused", "not downloaded again"],
    "producer_list_models": ["eight models", "which to pick"],
    "producer_list_actions": ["every tool", "workflows", "your own music"],
    "producer_get_lyric_format_guide": ["markers", "example", "tips"],
}


def test_each_description_states_its_facts(tools: dict[str, BaseTool]) -> None:
    """A model needs them to choose the right tool, and to know that a submit is paid and not finished."""
    for name, facts in FACTS.items():
        schema = json.dumps(convert_to_openai_tool(tools[name]), ensure_ascii=False)
        missing = [fact for fact in facts if fact not in schema]
        assert not missing, (name, missing)
    for name, endpoint in PAID.items():
        assert "Paid" in tools[name].description
        if endpoint == AUDIOS:
            for fact in ("task_id", "nothing is finished yet", "producer_wait_for_tasks", "Never repeat"):
                assert fact in tools[name].description


def test_a_description_begins_with_what_only_this_tool_does(tools: dict[str, BaseTool]) -> None:
    """Search by meaning reads a beginning only: tools that begin with the same words would all be found, or none."""
    beginnings = {" ".join(tool.description.split()[:5]) for tool in tools.values()}
    assert len(beginnings) == len(tools)


def test_a_description_names_only_tools_that_exist(tools: dict[str, BaseTool]) -> None:
    """A model that is sent to a tool that is gone, or misspelt, calls it and gets an error."""
    schemas = json.dumps([convert_to_openai_tool(tool) for tool in tools.values()])
    assert set(re.findall(r"producer_\w+", schemas)) == tools.keys()


def arguments_for(tool: BaseTool) -> dict[str, Any]:
    """A value for each argument that the tool requires."""
    required = convert_to_openai_tool(tool)["function"]["parameters"].get("required", [])
    return {name: ARGUMENTS[name] for name in required}


@pytest.mark.parametrize("name", [*PAID, *FREE])
async def test_sync_and_async_calls_return_the_same(name: str, tools: dict[str, BaseTool]) -> None:
    """A sync agent and an async one must get messages of the same form, from plain calls and from a model's."""
    tool, arguments = tools[name], arguments_for(tools[name])
    call = {"type": "tool_call", "id": "c1", "name": name, "args": arguments}
    sync, awaited = tool.invoke(call), await tool.ainvoke(call)
    assert sync.status == awaited.status
    assert sync.tool_call_id == "c1"
    if awaited.status == "success":
        content = json.loads(awaited.content)
        assert set(content) == set(json.loads(sync.content))
        assert json.loads(json.dumps(awaited.artifact)) == awaited.artifact
        assert isinstance(await tool.ainvoke(arguments), str)
    else:
        assert awaited.content.startswith(("not_found: ", "bad_request: "))


@pytest.mark.parametrize("name", [name for name, path in PAID.items() if path == AUDIOS])
async def test_only_an_application_sets_delivery_arguments(
    name: str, tools: dict[str, BaseTool], sandbox: ProducerSandbox
) -> None:
    """A model that is misled into setting a callback URL would have a user's songs sent to a stranger."""
    tool, arguments = tools[name], arguments_for(tools[name])
    url = "http://127.0.0.1:9/callback"
    await tool.ainvoke({**arguments, "callback_url": url})
    await tool.ainvoke({**arguments, "async": False})
    await tool.ainvoke({**arguments, "async_": False})
    by_model = {**arguments, "callback_url": url, "async": False, "async_": False}
    await tool.ainvoke({"type": "tool_call", "id": "c1", "name": name, "args": by_model})
    await tool.abatch([{"type": "tool_call", "id": "c2", "name": name, "args": by_model}])
    bodies = [request.body for request in sandbox.requests if request.endpoint == AUDIOS]
    delivery = [{key: body[key] for key in ("async", "callback_url") if key in body} for body in bodies]
    assert delivery == [{"callback_url": url}, {"async": False}, {"async": False}, {"async": True}, {"async": True}]
    assert by_model["async"] is False  # the caller's own dict is not changed


async def test_a_string_is_the_first_required_argument(tools: dict[str, BaseTool]) -> None:
    """LangChain passes a string to a tool in simple chains."""
    assert json.loads(await tools["producer_generate_lyrics"].ainvoke("rain"))["state"] == "complete"


async def test_a_song_from_submit_to_result(tools: dict[str, BaseTool]) -> None:
    """A submit that looked finished would be given to the user without a song."""
    submitted = json.loads(await tools["producer_generate_music"].ainvoke({"prompt": "a slow song", "seed": "7"}))
    assert {key: submitted[key] for key in ("state", "success", "results", "preview_urls")} == {
        "state": "pending", "success": None, "results": [], "preview_urls": [],
    }  # fmt: skip
    assert "producer_wait_for_tasks" in submitted["next_step"]
    done = json.loads(await tools["producer_get_task"].ainvoke({"task_id": submitted["task_id"]}))
    assert (done["task_id"], done["state"], done["success"]) == (submitted["task_id"], "complete", True)
    assert set(done["results"][0]) >= {"audio_id", "title", "audio_url", "duration_seconds", "image_url", "seed"}
    assert "nothing is left to do" in done["next_step"] or "producer_download_results" in done["next_step"]


@pytest.mark.parametrize("vocabulary", ["record", "state"])
async def test_every_paid_tool_makes_its_result(vocabulary: Any) -> None:
    """Each tool works on a song or an upload, with both forms of task records. An unread form would lose results."""
    with ProducerSandbox(render_seconds=0, vocabulary=vocabulary) as sandbox:
        async with ProducerToolkit(client=ProducerClient(sandbox.api_token, sandbox.base_url)) as toolkit:
            tools = {tool.name: tool for tool in toolkit.get_tools()}

            async def run(name: str, **arguments: Any) -> dict[str, Any]:
                content = json.loads(await tools[name].ainvoke(arguments))
                if content["state"] == "pending":
                    content = json.loads(await tools["producer_get_task"].ainvoke({"task_id": content["task_id"]}))
                assert (content["state"], content["success"]) == ("complete", True)
                result: dict[str, Any] = content["results"][0]
                return result

            song = await run("producer_generate_music", prompt="happy")
            own = await run("producer_upload_audio", audio_url="https://x.example/a.mp3")
            written = await run("producer_generate_lyrics", prompt="rain")
            custom = await run("producer_generate_custom_music", lyric=written["lyrics"], title="Mine")
            assert custom["title"] == "Mine"
            longer = await run("producer_extend_music", audio_id=song["audio_id"], continue_at=5)
            assert longer["duration_seconds"] > song["duration_seconds"]
            ids = {"audio_id": song["audio_id"]}
            section = {"replace_section_start": 2, "replace_section_end": 4}
            for name, arguments in {
                "producer_cover_music": {**ids, "prompt": "sad"}, "producer_variation_music": ids,
                "producer_swap_vocals": ids, "producer_swap_instrumentals": ids,
                "producer_replace_section": {**ids, **section},
            }.items():  # fmt: skip
                assert (await run(name, **arguments))["audio_url"].startswith(sandbox.base_url)
            await run("producer_extend_music", audio_id=own["audio_id"], continue_at=5, uploaded=True)
            await run("producer_cover_music", audio_id=own["audio_id"], uploaded=True)
            await run("producer_replace_section", audio_id=own["audio_id"], uploaded=True, **section)
            assert (await run("producer_stems_music", **ids))["stems_url"]
            assert (await run("producer_generate_video", **ids))["video_url"]
            assert (await run("producer_generate_wav", **ids))["file_url"]


async def test_a_synchronous_submit_returns_the_result(tools: dict[str, BaseTool]) -> None:
    """An answer with a result that is read as pending would be waited for without end."""
    content = json.loads(await tools["producer_generate_music"].ainvoke({"prompt": "x", "async": False}))
    assert (content["state"], content["success"]) == ("complete", True)
    assert content["results"][0]["audio_url"]


async def test_a_batch_with_an_unknown_task(tools: dict[str, BaseTool]) -> None:
    """In another order, a model would mix up the songs; without `not_found`, it would wait for an id without end."""
    ids = [
        json.loads(await tools["producer_generate_music"].ainvoke({"prompt": f"song {n}"}))["task_id"] for n in range(3)
    ]
    asked = [ids[2], "nobody", ids[0], ids[2], ids[1]]
    content = json.loads(await tools["producer_get_tasks_batch"].ainvoke({"task_ids": asked}))
    assert [task["task_id"] for task in content["tasks"]] == [ids[2], ids[0], ids[1]]
    assert content["not_found"] == ["nobody"]
    assert content["counts"] == {"pending": 0, "processing": 0, "complete": 3, "failed": 0, "not_found": 1}
    unknown = json.loads(await tools["producer_get_tasks_batch"].ainvoke({"task_ids": ["nobody"]}))
    assert "check the ids" in unknown["next_step"]


def test_the_reference_tools_need_no_token_and_no_network() -> None:
    """A model may read them before anything is set up."""
    reference = [tool for tool in ProducerToolkit().get_tools() if (tool.metadata or {}).get("endpoint") is None]
    assert {tool.name for tool in reference} == {name for name, path in FREE.items() if path is None}
    for tool in reference:
        assert json.loads(tool.invoke({}))
