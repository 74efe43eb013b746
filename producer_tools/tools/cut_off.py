"""Refuses a tool call whose message was cut off.

LangChain closes the JSON of such a call, so an argument, such as the lyrics, may end in the middle of a line.
"""

from collections.abc import Iterator
from typing import Any

from langchain_core.messages import BaseMessage

from producer_tools.errors import CutOffError
from producer_tools.payment.graph_keys import messages_with

_REASONS = {
    "length": "the length limit",  # OpenAI, Groq, Mistral and Ollama; Mistral also says model_length
    "max_tokens": "the length limit",  # Anthropic, Bedrock, Google, Cohere
    "max_output_tokens": "the length limit",  # OpenAI's Responses API
    "context_window": "the length limit",  # Anthropic, Bedrock: model_context_window_exceeded
    "filter": "a content filter",  # OpenAI: content_filter; Bedrock: content_filtered
    "guardrail": "a content filter",  # Bedrock
    "refusal": "a content filter",  # Anthropic
    "safety": "a content filter",  # Google, and the next four
    "recitation": "a content filter",
    "blocklist": "a content filter",
    "prohibited_content": "a content filter",
    "spii": "a content filter",
    "insufficient_system_resource": "a failure of the provider",  # DeepSeek
    "error": "a failure of the provider",  # OpenRouter, in the middle of a stream; Cohere; Mistral
    "abort": "a failure of the provider",  # vLLM
}
"""Parts of the reasons that providers give for the end of a message that is not complete."""


def cut_off_error(runtime: Any) -> CutOffError | None:
    """The error for a tool call whose message is not complete; ``None`` if it is complete, or not known.

    Args:
        runtime: LangGraph's ``ToolRuntime``; ``None`` outside a graph, where the message is not known.
    """
    return _error(reason_of_call(getattr(runtime, "tool_call_id", None), getattr(runtime, "state", None)))


def refuse_cut_off_message(message: BaseMessage) -> None:
    """Raise if a model's message is not complete.

    Raises:
        CutOffError: it was cut off by the length limit, a content filter or a failure of the provider.
    """
    if error := _error(_reason(message)):
        raise error


def reason_of_call(call_id: str | None, state: Any) -> str | None:
    """What cut off the newest message that holds a tool call; ``None`` if it is complete, or not in the state.

    Args:
        call_id: the id of the tool call.
        state: a graph's state.
    """
    messages = [message for _, message in messages_with(call_id, state)] if call_id else []
    return _reason(messages[-1]) if messages else None


def _error(cut_off_by: str | None) -> CutOffError | None:
    if cut_off_by is None:
        return None
    return CutOffError(
        "cut_off", f"The message with this call was cut off by {cut_off_by}, so the call may not be complete."
    )


def _reason(message: Any) -> str | None:
    ends = " ".join(_ends(getattr(message, "response_metadata", None) or {})).lower()
    # A part of the text is enough: merging the chunks of a stream may repeat the word without a space.
    return next((reason for part, reason in _REASONS.items() if part in ends), None)


def _ends(metadata: dict[str, Any]) -> Iterator[str]:
    """What a provider's package says about why a message ended, from each place where one may say it."""
    for name in ("finish_reason", "stop_reason", "stopReason", "done_reason"):
        yield str(metadata.get(name) or "")
    incomplete = metadata.get("incomplete_details")
    yield str(incomplete.get("reason") or "") if isinstance(incomplete, dict) else ""
