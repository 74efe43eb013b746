"""An agent whose model sees only the tools for which the conversation has an id."""

import time
from collections.abc import Sequence
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import Field

from producer_tools import ProducerToolkit
from producer_tools.langgraph.usable_tools import UsableToolsMiddleware
from producer_tools.sandbox import ScriptedChatModel
from tests.langgraph.runner import MODES

TASK = "1a6ac2ad-10f2-4e2b-b500-66ec27fe82ad"
NEEDING_NO_ID = {
    "generate_music", "generate_custom_music", "generate_lyrics", "upload_audio",
    "list_models", "list_actions", "get_lyric_format_guide",
}  # fmt: skip
NEEDING_A_TASK = {"wait_for_tasks", "get_task", "get_tasks_batch", "download_results"}


class WatchingModel(ScriptedChatModel):
    """The scripted model, with the names of the tools, and the system message, of each of its turns."""

    seen: list[set[str]] = Field(default_factory=list)
    told: list[SystemMessage | None] = Field(default_factory=list)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        names = (each["function"]["name"] for each in kwargs.get("tools", ()))
        self.seen.append({name.removeprefix("producer_") for name in names})
        system = messages[0] if isinstance(messages[0], SystemMessage) else None
        self.told.append(system)
        return super()._generate(messages[1:] if system else messages, *args, **kwargs)


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}."


@tool
def old_songs(user: str) -> str:
    """The songs that a user has made before."""
    return f'{{"song": "{TASK}", "user": "{user}"}}'


def agent(toolkit: ProducerToolkit, model: WatchingModel, system: SystemMessage | None = None) -> Any:
    middleware = [UsableToolsMiddleware()]
    return create_agent(model, [*toolkit.get_tools(), weather], system_prompt=system, middleware=middleware)


async def tools_seen(toolkit: ProducerToolkit, *messages: BaseMessage) -> set[str]:
    """The tools that a model sees in its first turn."""
    model = WatchingModel()
    await agent(toolkit, model).ainvoke({"messages": list(messages)})
    return model.seen[0]


@pytest.mark.parametrize("mode", MODES)
async def test_tools_are_shown_when_there_is_an_id_for_them(toolkit: ProducerToolkit, mode: str) -> None:
    """A model that cannot see the tool that waits would never get its song; one that sees all pays for all."""
    model = WatchingModel()
    given = {"messages": [HumanMessage("a slow waltz")]}
    await agent(toolkit, model).ainvoke(given) if mode == "ainvoke" else agent(toolkit, model).invoke(given)
    everything = {each.name.removeprefix("producer_") for each in toolkit.get_tools()} | {"weather"}
    submitting, waiting, *after = model.seen
    assert submitting == NEEDING_NO_ID | {"weather"}
    assert waiting == NEEDING_NO_ID | NEEDING_A_TASK | {"weather"}
    assert after == [everything, everything]  # it saves the song, and answers


async def test_the_system_message_names_the_tools_that_are_not_shown(toolkit: ProducerToolkit) -> None:
    """Else a model that is asked for a cover says that it makes none, or makes a new song in its place."""
    model = WatchingModel()
    await agent(toolkit, model).ainvoke({"messages": [HumanMessage("a slow waltz")]})
    first, second, third, _ = (message.text if message else "" for message in model.told)
    for name in {each.name for each in toolkit.get_tools()}:
        is_shown = name.removeprefix("producer_") in NEEDING_NO_ID
        assert (name in first) is not is_shown
    assert "producer_cover_music" in second
    assert "producer_get_task" not in second
    assert not third


async def test_the_system_prompt_stays_as_the_application_wrote_it(toolkit: ProducerToolkit) -> None:
    """Its blocks may carry a provider's marks, such as where a cached prompt ends."""
    block = {"type": "text", "text": "You make music.", "cache_control": {"type": "ephemeral"}}
    model = WatchingModel()
    await agent(toolkit, model, SystemMessage([block])).ainvoke({"messages": [HumanMessage("a slow waltz")]})
    first, *_, last = model.told
    assert first is not None
    assert first.content[0] == block
    assert len(first.content) == 2
    assert last is not None
    assert last.content == [block]


async def test_a_system_prompt_that_is_a_text_stays_a_text(toolkit: ProducerToolkit) -> None:
    """Some providers take no list here, and two sentences without a space between them are hard to read."""
    model = WatchingModel()
    await agent(toolkit, model, SystemMessage("You make music.")).ainvoke({"messages": [HumanMessage("a slow waltz")]})
    first, *_, last = model.told
    assert first is not None
    assert isinstance(first.content, str)
    assert first.content.startswith("You make music.\n\nYou get more tools")
    assert last is not None
    assert last.content == "You make music."


async def test_a_mark_that_is_no_standard_block_stays_in_the_system_prompt(toolkit: ProducerToolkit) -> None:
    """Bedrock marks with a block of its own where a cached prompt ends, and takes it in no other form."""
    content: list[Any] = [{"type": "text", "text": "You make music."}, {"cachePoint": {"type": "default"}}]
    model = WatchingModel()
    await agent(toolkit, model, SystemMessage(content)).ainvoke({"messages": [HumanMessage("a slow waltz")]})
    first = model.told[0]
    assert first is not None
    assert first.content[:2] == content


@pytest.mark.parametrize(
    "said",
    [
        [HumanMessage(f"What became of {TASK}?")],
        [HumanMessage("What became of song_7f3a9b21?")],
        [HumanMessage(f"Here is a summary: the song {TASK} is finished."), HumanMessage("Extend it.")],
        [AIMessage(f"Your song has the id {TASK}."), HumanMessage("Extend it.")],
        [
            AIMessage("", tool_calls=[{"name": "producer_get_task", "args": {"task_id": TASK}, "id": "1"}]),
            ToolMessage("[cleared]", tool_call_id="1"),
            HumanMessage("Is it ready?"),
        ],
    ],
)
async def test_an_id_that_no_tool_has_returned_may_be_of_either_kind(
    toolkit: ProducerToolkit, said: Sequence[BaseMessage]
) -> None:
    """A user may come back with the id of an old song; or the results of the tools may be summarised, or cleared."""
    assert len(await tools_seen(toolkit, *said)) == len(toolkit.get_tools()) + 1


async def test_an_id_from_a_tool_of_another_package_may_be_of_either_kind(toolkit: ProducerToolkit) -> None:
    """A model that has found an old song in the application's database would never see the tools for it."""
    call = AIMessage("", tool_calls=[{"name": "old_songs", "args": {"user": "Ada"}, "id": "1"}])
    found = await old_songs.ainvoke({**call.tool_calls[0], "type": "tool_call"})
    assert len(await tools_seen(toolkit, HumanMessage("Extend my waltz."), call, found)) == len(toolkit.get_tools()) + 1


async def test_a_result_without_an_id_shows_no_more_tools(toolkit: ProducerToolkit) -> None:
    """The lists of models and actions speak of ids, but have none."""
    call = AIMessage("", tool_calls=[{"name": "producer_list_actions", "args": {}, "id": "1"}])
    list_actions = next(each for each in toolkit.get_tools() if each.name == "producer_list_actions")
    said = [HumanMessage("hello"), call, await list_actions.ainvoke(call.tool_calls[0]), HumanMessage("a slow waltz")]
    assert await tools_seen(toolkit, *said) == NEEDING_NO_ID | {"weather"}


async def test_a_long_message_is_searched_in_no_time(toolkit: ProducerToolkit) -> None:
    """One user's text would hold up the event loop, and all other users, for minutes."""
    began = time.process_time()
    assert await tools_seen(toolkit, HumanMessage("a-" * 20_000)) == NEEDING_NO_ID | {"weather"}
    assert time.process_time() - began < 20


class Choosing(AgentMiddleware[Any, Any, Any]):
    """Makes the model call one tool."""

    async def awrap_model_call(self, request: ModelRequest[Any], handler: Any) -> Any:
        return await handler(request.override(tool_choice={"type": "tool", "name": "producer_get_task"}))


async def test_a_tool_that_must_be_called_is_shown(toolkit: ProducerToolkit) -> None:
    """A provider refuses a request whose ``tool_choice`` names a tool that is not in it."""
    model = WatchingModel()
    middleware = [Choosing(), UsableToolsMiddleware()]
    choosing: Any = create_agent(model, toolkit.get_tools(), middleware=middleware)
    await choosing.ainvoke({"messages": [HumanMessage("How is my song?")]})
    assert model.seen[0] == NEEDING_NO_ID | {"get_task"}
