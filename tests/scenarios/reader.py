"""A chat model that takes every text literally. It decides from the texts of the tools' messages alone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, PrivateAttr

from tests.scenarios.reading import Reading, content_of, read, told_in

NEWEST_AUDIO, NEWEST_TASK = "<newest audio_id>", "<newest task_id>"
"""Values of arguments: the ids that stand last in the conversation."""

MOST_TURNS = 150
"""A model that has not ended by then goes on for ever."""

End = Literal["gives", "gives, tells", "tells", "asks", "says nothing", "goes on for ever"]

_NEWEST = {NEWEST_AUDIO: re.compile(r'"audio_id":"([^"]+)"'), NEWEST_TASK: re.compile(r'"task_id":"([^"]+)"')}
_UNPAID = ("get_task", "wait_for_tasks", "download_results", "list_")
_RESULT_KEYS = ("audio_url", "video_url", "stems_url", "file_url", "lyrics", "path")


class Call(NamedTuple):
    """A call that the model makes for the user.

    Attributes:
        tool: the tool's name without ``producer_``.
        arguments: its arguments.
        corrected: the arguments of the next attempts, if a text says to change them.
        ends_by: why the provider ended the message.
    """

    tool: str
    arguments: Mapping[str, Any]
    corrected: tuple[Mapping[str, Any], ...] = ()
    ends_by: tuple[str, ...] = ()


class Ask(NamedTuple):
    """What the user says, and the calls that a model makes for it. A step begins if the one before ended well.

    Attributes:
        text: what the user says.
        steps: the calls of each step, which are made at once.
    """

    text: str
    steps: tuple[tuple[Call, ...], ...]


class Character(NamedTuple):
    """How a literal-minded model reads.

    Attributes:
        name: its name.
        is_impatient: looks again at once where it has the choice, and takes "later" for "now".
        is_stubborn: makes a call again after each error, unless the text says not to.
        is_generous: hands out everything under a key with ``url`` in its name, unless the text says that it is no
            result.
    """

    name: str
    is_impatient: bool = False
    is_stubborn: bool = False
    is_generous: bool = False


OBEDIENT = Character("obedient")
STUBBORN = Character("stubborn", is_stubborn=True)
CARELESS = Character("careless", is_impatient=True, is_stubborn=True, is_generous=True)
CHARACTERS = (
    OBEDIENT,
    Character("impatient", is_impatient=True),
    STUBBORN,
    Character("generous", is_generous=True),
    CARELESS,
)


class LiteralReader(BaseChatModel):
    """Does what the newest messages of tools say, and hands out to the user what they call results.

    Attributes:
        character: how it reads.
        asks: what it does for each message of the user.
        wants_files: whether the user wants files.
        turns: how often it was called.
        paid_calls: how many calls of paid tools it made.
        given: what it handed out to the user.
        told: what else it told the user.
        end: how the last answer ended.
    """

    character: Character
    asks: tuple[Ask, ...]
    wants_files: bool = False
    turns: int = 0
    paid_calls: int = 0
    given: list[str] = Field(default_factory=list)
    told: list[str] = Field(default_factory=list)
    end: End = "says nothing"

    _ask: int = PrivateAttr(default=-1)
    _step: int = PrivateAttr(default=0)
    _calls: dict[str, tuple[Call, int]] = PrivateAttr(default_factory=dict)
    _submitted: dict[str, tuple[Call, int]] = PrivateAttr(default_factory=dict)
    _to_tell: list[str] = PrivateAttr(default_factory=list)
    _must_ask: bool = PrivateAttr(default=False)
    _obeyed: set[tuple[str, str]] = PrivateAttr(default_factory=set)

    @property
    def _llm_type(self) -> str:
        return "literal"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:  # noqa: ARG002
        return self.bind(**kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **_: Any,
    ) -> ChatResult:
        self.turns += 1
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages))])

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        if isinstance(messages[-1], HumanMessage):
            self._ask, self._step = self._ask + 1, 0
            self._obeyed.clear()
            self._to_tell, self._must_ask = [], False
            return self._begin_step(messages)
        results = [each for each in _since_last_answer(messages) if isinstance(each, ToolMessage)]
        readings = [read(result.text, wants_files=self.wants_files) for result in results]
        wanted = []
        for result, reading in zip(results, readings, strict=True):
            calls = list(self._calls_after(result, reading))
            wanted += calls
            # A text may both name a failed task and say what to do with the others.
            if reading.tells and (not calls or (reading.tools and '"error":{' in result.text)):
                self._to_tell.append(told_in(result.text))
                self._must_ask |= reading.asks
        if wanted and self.turns < MOST_TURNS:
            return self._message(_merged(wanted), messages)
        if wanted:
            self.end = "goes on for ever"
            return AIMessage("")
        if not self._to_tell and self._step + 1 < len(self.asks[self._ask].steps):
            self._step += 1
            return self._begin_step(messages)
        return self._last_answer(messages)

    def _begin_step(self, messages: list[BaseMessage]) -> AIMessage:
        return self._message([(call, 0) for call in self.asks[self._ask].steps[self._step]], messages)

    def _calls_after(self, result: ToolMessage, reading: Reading) -> Iterator[tuple[Call, int]]:
        """What a message says to call next, each with the number of the attempt."""
        call, attempt = self._calls[result.tool_call_id]
        content = content_of(result.text)
        if not call.tool.startswith(_UNPAID) and "task_id" in content:
            self._submitted[content["task_id"]] = call, attempt
        seen = (call.tool, reading.words) in self._obeyed
        self._obeyed.add((call.tool, reading.words))
        if reading.is_limited and seen:
            return
        if reading.tools:
            name = reading.tools[-1 if self.character.is_impatient else 0].removeprefix("producer_")
            yield from ((Call(name, arguments), 0) for arguments in _named_tasks(name, result.text))
        elif self._repeats(result, reading):
            failed = [task["task_id"] for task in content.get("tasks", [content]) if task.get("error")]
            submits = [self._submitted[task_id] for task_id in failed if task_id in self._submitted]
            for again, before in submits or [(call, attempt)]:
                yield again, before + 1 if reading.changes else before

    def _repeats(self, result: ToolMessage, reading: Reading) -> bool:
        if reading.forbids:
            return False
        if self.character.is_stubborn and (result.status == "error" or '"success":false' in result.text):
            return True
        is_now = self.character.is_impatient or not reading.repeats_later
        return reading.repeats and is_now and not reading.tells_first

    def _message(self, calls: Sequence[tuple[Call, int]], messages: list[BaseMessage]) -> AIMessage:
        tool_calls: list[ToolCall] = []
        ends_by = "stop"
        for call, attempt in calls:
            tries = (call.arguments, *call.corrected)
            arguments = {
                name: _filled_in(value, messages) for name, value in tries[min(attempt, len(tries) - 1)].items()
            }
            made: ToolCall = {
                "name": f"producer_{call.tool}", "args": arguments, "id": uuid4().hex, "type": "tool_call"
            }  # fmt: skip
            self._calls[str(made["id"])] = call, attempt
            self.paid_calls += not call.tool.startswith(_UNPAID)
            ends_by = call.ends_by[attempt] if attempt < len(call.ends_by) else ends_by
            tool_calls.append(made)
        return AIMessage("", id=uuid4().hex, tool_calls=tool_calls, response_metadata={"finish_reason": ends_by})

    def _last_answer(self, messages: list[BaseMessage]) -> AIMessage:
        begun = max(place for place, message in enumerate(messages) if isinstance(message, HumanMessage))
        texts = [message.text for message in messages[begun:] if isinstance(message, ToolMessage)]
        no_results = {key for text in texts for key in read(text, wants_files=False).no_results}
        results = [content_of(text) for text in texts if read(text, wants_files=False).gives]
        if self.character.is_generous:
            results = [content_of(text) for text in texts]
        given = list(dict.fromkeys(value for content in results for value in self._results(content, no_results)))
        self.given += [value for value in given if value not in self.given]
        self.told += self._to_tell
        ends: dict[tuple[bool, bool], End] = {
            (True, True): "gives, tells", (True, False): "gives", (False, True): "tells"
        }  # fmt: skip
        self.end = ends.get((bool(given), bool(self._to_tell)), "says nothing")
        if self._must_ask:
            self.end = "asks"
        return AIMessage("\n".join([*given, *self._to_tell]))

    def _results(self, content: Mapping[str, Any], no_results: set[str]) -> Iterator[str]:
        """What the model takes for results."""
        for task in [content, *content.get("tasks", [])]:
            for items in ("results", "partial_results", "files"):
                for item in task.get(items, []):
                    yield from (item[key] for key in _RESULT_KEYS if item.get(key))
            if self.character.is_generous:
                yield from _urls({key: value for key, value in task.items() if key != "tasks"}, no_results)


def _since_last_answer(messages: list[BaseMessage]) -> list[BaseMessage]:
    last = max(place for place, message in enumerate(messages) if isinstance(message, AIMessage))
    return messages[last + 1 :]


def _named_tasks(tool: str, text: str) -> Iterator[dict[str, Any]]:
    """The arguments for the tasks that a text is about: the unfinished ones, or else the finished ones."""
    content = content_of(text)
    tasks = content.get("tasks", [content] if "task_id" in content else [])
    unfinished = [task["task_id"] for task in tasks if task["success"] is None]
    ids = unfinished or [task["task_id"] for task in tasks if task["success"] or content.get("failed")]
    ids = ids or re.findall(r"task_id ([^\s,)]+)", text)
    if tool in ("wait_for_tasks", "get_tasks_batch"):
        yield {"task_ids": ids}
    else:
        yield from ({"task_id": task_id} for task_id in ids)


def _merged(calls: list[tuple[Call, int]]) -> list[tuple[Call, int]]:
    """The calls, with one wait for all tasks that are to be waited for."""
    ids = [task_id for call, _ in calls if call.tool == "wait_for_tasks" for task_id in call.arguments["task_ids"]]
    others = [each for each in calls if each[0].tool != "wait_for_tasks"]
    return others + ([(Call("wait_for_tasks", {"task_ids": list(dict.fromkeys(ids))}), 0)] if ids else [])


def _filled_in(value: Any, messages: list[BaseMessage]) -> Any:
    if isinstance(value, list):
        return [_filled_in(each, messages) for each in value]
    if value not in _NEWEST:
        return value
    said = "\n".join(message.text for message in messages if isinstance(message, ToolMessage))
    return ([value, *_NEWEST[value].findall(said)])[-1]


def _urls(values: Any, no_results: set[str], key: str = "") -> Iterator[str]:
    """Everything under a key with ``url`` in its name."""
    if key in no_results:
        return
    if isinstance(values, dict):
        for name, value in values.items():
            yield from _urls(value, no_results, name)
    elif isinstance(values, list):
        for value in values:
            yield from _urls(value, no_results, key)
    elif "url" in key and isinstance(values, str):
        yield values
