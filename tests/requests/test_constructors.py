"""A request is made by its constructor in a program, and by `model_validate` in LangChain: each has its own error."""

from inspect import signature
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from pydantic import ConfigDict, ValidationError

from producer_tools import InvalidArgumentError, ProducerToolkit
from producer_tools.requests import ExtendMusic, GenerateMusic, ReplaceSection
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel


def test_the_constructor_names_each_argument() -> None:
    """A program can tell the user which of its fields are wrong."""
    with pytest.raises(InvalidArgumentError) as caught:
        GenerateMusic(prompt=" ", weirdness=2)
    assert list(caught.value.problems) == ["prompt", "weirdness"]
    assert caught.value.code == "bad_request"
    with pytest.raises(InvalidArgumentError, match=r"arguments: .* must be after"):
        ReplaceSection(audio_id="a", replace_section_start=9, replace_section_end=4)


def test_pydantic_s_own_ways_raise_pydantic_s_error() -> None:
    """LangChain looks for this one, and shows a model what is wrong with its call."""
    with pytest.raises(ValidationError) as caught:
        GenerateMusic.model_validate({"prompt": " ", "weirdness": 2})
    assert {error["loc"][0] for error in caught.value.errors()} == {"prompt", "weirdness"}
    assert ExtendMusic.model_validate({"audio_id": "a", "continue_at": 1}).audio_id == "a"


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
async def test_an_agent_reads_what_to_correct(sync: bool, toolkit: ProducerToolkit, sandbox: ProducerSandbox) -> None:
    """The model corrects its call in the next turn; an exception would end the run."""
    tools = {tool.name: tool for tool in toolkit.get_tools()}
    call = {"type": "tool_call", "id": "c", "name": "producer_generate_music", "args": {"prompt": ""}}
    tool: Any = tools["producer_generate_music"]
    message = tool.invoke(call) if sync else await tool.ainvoke(call)
    expected = (
        "bad_request: prompt: String should have at least 1 character. "
        "Nothing was sent. Correct the arguments and call again; if they are refused again, tell the user."
    )
    assert (message.status, message.content) == ("error", expected)

    class EmptyPrompt(ScriptedChatModel):
        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            result = super()._generate(messages, *args, **kwargs)
            answer = result.generations[0].message
            if isinstance(answer, AIMessage) and answer.tool_calls and not isinstance(messages[-1], ToolMessage):
                answer.tool_calls[0]["args"] = {"prompt": ""}
            return result

    agent: Any = create_agent(EmptyPrompt(), toolkit.get_tools())
    asked = {"messages": [("user", "a waltz")]}
    state = agent.invoke(asked) if sync else await agent.ainvoke(asked)
    answers = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert answers[0].content == expected
    assert not sandbox.charges


def test_a_subclass_may_have_any_constructor() -> None:
    """An application that adds to a request could not even import its own class."""

    class Open(GenerateMusic):
        model_config = ConfigDict(extra="allow")

    class Positional(GenerateMusic):
        def __init__(self, callback_url: str, prompt: str) -> None:
            super().__init__(callback_url=callback_url, prompt=prompt)

    assert Open(prompt="a waltz", mood="calm").body()["mood"] == "calm"
    assert next(iter(signature(Open).parameters)) == "prompt"
    assert list(signature(Positional).parameters) == ["callback_url", "prompt"]
    assert Positional("https://example.com/done", "a waltz").prompt == "a waltz"
