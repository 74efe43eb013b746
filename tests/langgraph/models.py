"""A chat model that says what it is told to, and remembers what it was asked."""

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
    """Gives its answers in turn, the last one again and again; each is made from the text of the last message."""

    answers: list[Callable[[str], AIMessage]]
    asked: list[str] = Field(default_factory=list)
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
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **_: Any,
    ) -> ChatResult:
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(messages[-1].text)
        return ChatResult(generations=[ChatGeneration(message=answer(self.asked[-1]))])


def calling(name: str, **args: Any) -> AIMessage:
    """A message that calls a tool, by the end of its name."""
    call: Any = {"type": "tool_call", "id": uuid4().hex, "name": f"producer_{name}", "args": args}
    return AIMessage("", tool_calls=[call])
