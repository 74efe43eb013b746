"""A chat model that gives prepared answers and records its questions."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field


class FakeModel(BaseChatModel):
    """Gives its answers in order, and repeats the last one.

    Attributes:
        answers: each makes an answer from the text of the last message.
        questions: the text of the last message of each call so far.
        calls: the messages of each call so far.
        tools: the names of the tools that were bound.
    """

    answers: list[Callable[[str], AIMessage]]
    questions: list[str] = Field(default_factory=list)
    calls: list[list[BaseMessage]] = Field(default_factory=list)
    tools: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "fake"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        self.tools[:] = [convert_to_openai_tool(tool)["function"]["name"] for tool in tools]
        return self.bind(**kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **_: Any,
    ) -> ChatResult:
        answer = self.answers[min(len(self.questions), len(self.answers) - 1)]
        self.questions.append(messages[-1].text)
        self.calls.append(messages)
        return ChatResult(generations=[ChatGeneration(message=answer(self.questions[-1]))])


def calling(name: str, **args: Any) -> AIMessage:
    """A message that calls the tool ``producer_<name>``."""
    call: Any = {"type": "tool_call", "id": uuid4().hex, "name": f"producer_{name}", "args": args}
    return AIMessage("", tool_calls=[call])
