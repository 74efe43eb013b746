"""How each provider's API writes an answer, and the tools of a request."""

import json
from typing import Any, NamedTuple

DONE = '{"title": "done"}'
"""The last answer, which is also the structured output that is asked for."""


class Answer(NamedTuple):
    """What a model answers.

    Attributes:
        name: the tool that it calls; ``None`` if it is done.
        arguments: of the call.
        cut_off: whether the length limit has ended the answer.
    """

    name: str | None = None
    arguments: dict[str, Any] | None = None
    cut_off: bool = False


def chat_completion(answer: Answer) -> dict[str, Any]:
    """OpenAI's chat completions, which Groq, Mistral and others have too."""
    message: dict[str, Any] = {"role": "assistant", "content": None if answer.name else DONE}
    if answer.name:
        function = {"name": answer.name, "arguments": json.dumps(answer.arguments)}
        message["tool_calls"] = [{"id": "callnum01", "type": "function", "function": function}]
    end = "tool_calls" if answer.name else "stop"
    choice = {"index": 0, "message": message, "finish_reason": "length" if answer.cut_off else end}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage,
    }  # fmt: skip


def response(answer: Answer) -> dict[str, Any]:
    """OpenAI's Responses API."""
    text = {"type": "output_text", "text": DONE, "annotations": []}
    output: dict[str, Any] = {"type": "message", "id": "m1", "role": "assistant", "status": "completed"}
    output |= {"content": [text]}
    if answer.name:
        output = {"type": "function_call", "id": "f1", "call_id": "c1", "name": answer.name, "status": "completed"}
        output |= {"arguments": json.dumps(answer.arguments)}
    details = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    return {
        "id": "r1", "object": "response", "created_at": 1, "model": "m", "output": [output], "tools": [],
        "tool_choice": "auto", "parallel_tool_calls": True, "status": "completed",
        **(details if answer.cut_off else {}),
    }  # fmt: skip


def anthropic_message(answer: Answer) -> dict[str, Any]:
    """Anthropic's messages."""
    block: dict[str, Any] = {"type": "text", "text": DONE}
    if answer.name:
        block = {"type": "tool_use", "id": "c1", "name": answer.name, "input": answer.arguments}
    end = "tool_use" if answer.name else "end_turn"
    return {
        "id": "m1", "type": "message", "role": "assistant", "model": "m", "content": [block],
        "stop_reason": "max_tokens" if answer.cut_off else end, "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip


def google_content(answer: Answer) -> dict[str, Any]:
    """Google's Gemini API."""
    part: dict[str, Any] = {"text": DONE}
    if answer.name:
        part = {"functionCall": {"name": answer.name, "args": answer.arguments}}
    end = "MAX_TOKENS" if answer.cut_off else "STOP"
    return {"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": end, "index": 0}]}


def bedrock_message(answer: Answer) -> dict[str, Any]:
    """Amazon Bedrock's Converse API."""
    block: dict[str, Any] = {"text": DONE}
    if answer.name:
        block = {"toolUse": {"toolUseId": "c1", "name": answer.name, "input": answer.arguments}}
    end = "tool_use" if answer.name else "end_turn"
    return {
        "output": {"message": {"role": "assistant", "content": [block]}},
        "stopReason": "max_tokens" if answer.cut_off else end,
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {"latencyMs": 1},
    }  # fmt: skip


def ollama_lines(answer: Answer) -> list[dict[str, Any]]:
    """Ollama's chat, which is a stream."""
    message: dict[str, Any] = {"role": "assistant", "content": "" if answer.name else DONE}
    if answer.name:
        message["tool_calls"] = [{"function": {"name": answer.name, "arguments": answer.arguments}}]
    said = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}
    end = {"done": True, "done_reason": "length" if answer.cut_off else "stop"}
    return [said, {**said, "message": {"role": "assistant", "content": ""}, **end}]


def tools_on_the_wire(body: dict[str, Any]) -> dict[str, Any]:
    """What a request says about tools; it is what a snapshot holds."""
    return {name: body[name] for name in ("tools", "tool_choice", "toolConfig") if name in body}


def arguments_on_the_wire(body: dict[str, Any]) -> dict[str, Any]:
    """The schema of each tool's arguments, by the tool's name."""
    tools = body["toolConfig"]["tools"] if "toolConfig" in body and "tools" not in body else body["tools"]
    declared = [each for tool in tools for each in tool.get("functionDeclarations", [tool])]
    found: dict[str, Any] = {}
    for tool in declared:
        about = tool.get("function") or tool.get("toolSpec") or tool
        schema = about.get("parameters") or about.get("input_schema") or about.get("inputSchema", {}).get("json")
        found[about["name"]] = schema or {}
    return found
