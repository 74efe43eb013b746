"""A stream in which a provider's API calls a tool, and is cut off by the length limit in the middle of an argument."""

import json
from typing import Any

from tests.providers.wire import Answer, response


def _events(*parts: dict[str, Any]) -> str:
    """Server-sent events. An event is named if its part has a type."""
    named = [(f"event: {part['type']}\n" if "type" in part else "") + f"data: {json.dumps(part)}\n\n" for part in parts]
    return "".join(named)


def _half(answer: Answer) -> str:
    return json.dumps(answer.arguments)[:-10]


def chat_completion_stream(answer: Answer) -> str:
    """OpenAI's chat completions, which Groq, Mistral and others have too."""
    call = {"index": 0, "id": "callnum01", "type": "function"}
    call |= {"function": {"name": answer.name, "arguments": _half(answer)}}
    begun = {"index": 0, "delta": {"role": "assistant", "content": "", "tool_calls": [call]}, "finish_reason": None}
    ended = {"index": 0, "delta": {"content": ""}, "finish_reason": "length"}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return _events({**chunk, "choices": [begun]}, {**chunk, "choices": [ended]}) + "data: [DONE]\n\n"


def response_stream(answer: Answer) -> str:
    """OpenAI's Responses API."""
    cut = response(answer)
    (item,) = cut["output"]
    item |= {"arguments": _half(answer), "status": "incomplete"}
    begun = {**cut, "status": "in_progress", "incomplete_details": None, "output": []}
    place = {"output_index": 0, "item_id": item["id"]}
    return _events(
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {"type": "response.output_item.added", "sequence_number": 1, **place, "item": {**item, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "sequence_number": 2, **place, "delta": _half(answer)},
        {"type": "response.incomplete", "sequence_number": 3, "response": cut},
    )


def anthropic_stream(answer: Answer) -> str:
    """Anthropic's messages."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    block: dict[str, Any] = {"type": "tool_use", "id": "c1", "name": answer.name, "input": {}}
    delta = {"type": "input_json_delta", "partial_json": _half(answer)}
    return _events(
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    )
