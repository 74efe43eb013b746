"""Saved songs, the results that name them, and the audio in messages."""

import base64
import io
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from producer_tools.files.audio.measured import Measured
from producer_tools.files.saved import SavedFile
from producer_tools.tools.file_facts import file_values

SAVING: Any = AIMessage("", tool_calls=[{"name": "producer_download_results", "args": {}, "id": "c1"}])
"""The message in which a model saves songs."""


def wav(seconds: float = 0.1, rate: int = 8000) -> bytes:
    """A silent WAV file."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(round(seconds * rate) * 2))
    return written.getvalue()


def song(path: Path, content: bytes | None = None, **fields: Any) -> dict[str, Any]:
    """A song that was saved, as an artifact has it. It is named after its file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = path.write_bytes(wav() if content is None else content)
    known = {"kind": "audio", "audio_id": path.stem, "title": path.stem, "measured": Measured(60.0)}
    return file_values(SavedFile(path=str(path), bytes=size, content_type="audio/wav", **{**known, **fields}))


def saved(*files: dict[str, Any], listen: bool = True, tool_call_id: str = "c1") -> ToolMessage:
    """The result of a tool that has saved files."""
    artifact = {"files": list(files), **({"listen": True} if listen else {})}
    return ToolMessage('{"task_id":"t1"}', artifact=artifact, tool_call_id=tool_call_id)


def conversation(*results: BaseMessage) -> list[BaseMessage]:
    """A conversation that ends with the results of tools."""
    return [HumanMessage("save it"), SAVING, *results]


def played(messages: Iterable[BaseMessage]) -> list[bytes]:
    """The audio in the messages, in order."""
    blocks = [block for message in messages if isinstance(message.content, list) for block in message.content]
    audio = [block for block in blocks if isinstance(block, dict) and block["type"] == "audio"]
    return [base64.b64decode(block["base64"]) for block in audio]
