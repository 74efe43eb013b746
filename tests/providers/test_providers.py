"""All tools with the chat models of each provider's package: what is sent to the provider, and what its answer does.

``make providers`` installs the packages and runs these tests. ``make providers UPDATE=1`` writes the snapshots anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from langchain_core.messages import HumanMessage

from producer_tools import ProducerToolkit
from producer_tools.sandbox import ProducerSandbox
from tests.providers.endpoint import endpoint
from tests.providers.providers import PROVIDERS, Provider
from tests.providers.wire import Answer, arguments_on_the_wire, tools_on_the_wire

SNAPSHOTS = Path(__file__).parent / "snapshots"
CHOSEN = {"lyric": "[Verse]\nCity lights are fading", "title": "Lights", "weirdness": 0.7}
each_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)


def optional_arguments(tool: Any) -> list[str]:
    """The arguments that a model may leave out."""
    schema = tool.tool_call_schema.model_json_schema()
    return [name for name in schema.get("properties", {}) if name not in schema.get("required", ())]


def sent_tools(provider: Provider, tools: list[Any]) -> Any:
    """The body of a request of an agent that has all tools."""
    with endpoint(lambda _: provider.reply(Answer())) as server:
        provider.agent(server.url, tools).invoke({"messages": [HumanMessage("a song")]})
    return server.bodies[0]


@each_provider
def test_what_is_sent_is_the_snapshot(provider: Provider, toolkit: ProducerToolkit) -> None:
    """The diff of a snapshot shows a person what each provider's models read of a changed tool."""
    sent = json.dumps(tools_on_the_wire(sent_tools(provider, toolkit.get_tools())), indent=1, sort_keys=True) + "\n"
    snapshot = SNAPSHOTS / f"{provider.name}.json"
    if os.environ.get("UPDATE"):
        snapshot.write_text(sent)
    assert sent == snapshot.read_text(), "if this is wanted: make providers UPDATE=1"


@each_provider
def test_every_tool_is_sent_with_every_argument(provider: Provider, toolkit: ProducerToolkit) -> None:
    """A model never sees what a converter drops, so ranges and meanings must be in the descriptions."""
    tools = toolkit.get_tools()
    sent = arguments_on_the_wire(sent_tools(provider, tools))
    assert list(sent) == [tool.name for tool in tools]
    for tool in tools:
        shown = tool.tool_call_schema.model_json_schema().get("properties", {})  # type: ignore[union-attr]
        properties = sent[tool.name].get("properties") or {}
        assert {name: each["description"] for name, each in properties.items()} == {
            name: each["description"] for name, each in shown.items()
        }


@each_provider
def test_no_optional_argument_is_forced_on_a_model(provider: Provider, toolkit: ProducerToolkit) -> None:
    """If an argument is required and may not be null, the model invents a value, and the user pays for it."""
    tools = toolkit.get_tools()
    sent = arguments_on_the_wire(sent_tools(provider, tools))
    for tool in tools:
        properties, required = sent[tool.name].get("properties") or {}, set(sent[tool.name].get("required") or ())
        optional = optional_arguments(tool)
        assert required == (set(properties) if provider.strict else set(properties) - set(optional))
        for name in [] if provider.drops_null else optional:
            argument = Draft202012Validator(properties[name])
            may_be_false = properties[name].get("type") == "boolean"  # which is the same as left out
            assert argument.is_valid(None) or may_be_false, (tool.name, name)


@each_provider
async def test_a_call_pays_for_what_was_chosen(
    provider: Provider, toolkit: ProducerToolkit, sandbox: ProducerSandbox
) -> None:
    """A strict mode makes a model send nulls; one that reached the service would be refused, or change the song."""
    tools = {tool.name: tool for tool in toolkit.get_tools()}
    name = "producer_generate_custom_music"
    given = {**dict.fromkeys(optional_arguments(tools[name])), **CHOSEN}
    with endpoint(lambda number: provider.reply(Answer(name, given) if number == 0 else Answer())) as server:
        agent = provider.agent(server.url, list(tools.values()))
        state = agent.invoke({"messages": [HumanMessage("a song")]})
    (answer,) = (message for message in state["messages"] if message.type == "tool")
    assert answer.status == "success"
    (charge,) = sandbox.charges
    assert charge.request == {
        **CHOSEN, "action": "generate", "prompt": "", "model": "FUZZ-2.0", "instrumental": False, "custom": True,
        "async": True,
    }  # fmt: skip


@each_provider
async def test_a_call_that_was_cut_off_is_refused(
    provider: Provider, toolkit: ProducerToolkit, sandbox: ProducerSandbox
) -> None:
    """Each provider says in its own words that its length limit has ended a message; half a song would be paid for."""
    cut = Answer("producer_generate_custom_music", CHOSEN, cut_off=True)
    with endpoint(lambda number: provider.reply(cut if number == 0 else Answer())) as server:
        agent = provider.agent(server.url, toolkit.get_tools())
        if provider.fails_if_cut_off:
            with pytest.raises(Exception, match="length limit"):
                agent.invoke({"messages": [HumanMessage("a song")]})
        else:
            state = agent.invoke({"messages": [HumanMessage("a song")]})
            (answer,) = (message for message in state["messages"] if message.type == "tool")
            assert answer.text.startswith("cut_off: ")
    assert sandbox.requests == ()


@pytest.mark.parametrize(
    "provider", [provider for provider in PROVIDERS if provider.stream], ids=lambda provider: provider.name
)
def test_a_streamed_call_that_was_cut_off_is_refused(
    provider: Provider, toolkit: ProducerToolkit, sandbox: ProducerSandbox
) -> None:
    """LangChain repairs the arguments of a stream that ends in the middle of the lyrics: they look complete."""
    assert provider.stream is not None
    lyrics = "[Verse]\nCity lights are fading"
    cut = provider.stream(Answer("producer_generate_custom_music", {"title": "T", "lyric": lyrics}, cut_off=True))
    with endpoint(lambda _: cut) as server:
        agent = provider.agent(server.url, toolkit.get_tools())
        called: list[Any] = []
        for message, _ in agent.stream({"messages": [HumanMessage("a song")]}, stream_mode="messages"):
            called.append(message)
            if message.type == "tool":
                break
    assert called[-1].text.startswith("cut_off: ")
    assert server.bodies[0]["stream"] is True
    assert len(called) > 2, "the call came in parts"
    assert sandbox.requests == ()
