"""Tasks and downloads as HTML, for notebooks: cards with cover, title and a player.

The titles, words and URLs in it were written by a service, or by whoever wrote its prompts. So all text is escaped,
in one place, and only http(s) URLs are loaded or linked. There are no scripts and no style sheets, and the colours are
the notebook's own.
"""

import base64
import html
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from producer_tools.files.types import Kind
from producer_tools.waveform import waveform

if TYPE_CHECKING:
    from producer_tools.downloads import Downloads, FailedFile, SavedFile
    from producer_tools.task import Result, Task, TaskBatch

# A notebook carries what is embedded through every save, copy and commit, a third longer than the file. A cover, and a
# song of a minute, are worth that, for they play wherever the notebook goes; a long song is played from where it lies.
_EMBEDDED: dict[Kind, int] = {"audio": 1_500_000, "wav": 1_500_000, "video": 1_500_000, "stems": 0, "cover": 300_000}
"""How many bytes a file of each kind may have to be embedded."""

_CARD = (
    "box-sizing:border-box;flex:1 1 320px;max-width:520px;padding:12px;border:1px solid rgba(128,128,128,.35);"
    "border-radius:10px;line-height:1.45;overflow-wrap:anywhere"
)
_FAILED_CARD = f"{_CARD};border-left:4px solid rgba(217,83,79,.9)"
_ROW = "display:flex;flex-wrap:wrap;align-items:flex-start;gap:10px;margin:6px 0"
_HEAD = "display:flex;gap:12px"
_COVER = "width:112px;height:112px;flex:none;object-fit:cover;border-radius:8px;margin:0"
_TITLE = "font-weight:600;font-size:1.1em"
_SMALL = "opacity:.65;font-size:.85em;margin-top:2px"
_WIDE = "display:block;width:100%;margin:8px 0 0"
_BELOW = "margin-top:6px"
_WAVE = f"{_WIDE};height:44px"
_AUDIO = f"{_WIDE};height:40px"
_LYRICS = "white-space:pre-wrap;max-height:18em;overflow:auto;margin-top:4px"


def task_card(task: "Task") -> str:
    """A task: a card for each result, or one that says why there is none."""
    return _row(_cards(task))


def batch_cards(batch: "TaskBatch") -> str:
    """Several tasks side by side, how many there are of each state, and the ids that are not known."""
    counts = [f"{count} {state}" for state, count in Counter(task.state for task in batch.tasks).items()]
    counts += [f"{len(batch.not_found)} not found"] if batch.not_found else []
    return _tag(
        "div",
        _line(_SMALL, " · ".join(counts) or "No tasks."),
        _row(card for task in batch.tasks for card in _cards(task)),
        _line(_SMALL, f"Not found: {', '.join(batch.not_found)}" if batch.not_found else ""),
    )


def downloads_card(downloads: "Downloads") -> str:
    """A task whose files are on the disk: its cards play those, and say where they are and which are missing."""
    return _tag(
        "div",
        _row(_cards(downloads.task, downloads.files)),
        *(_line(_SMALL, _failure(failed)) for failed in downloads.failed),
    )


def _cards(task: "Task", files: Sequence["SavedFile"] = ()) -> list[str]:
    if not task.is_final:
        return [_unfinished(task)]
    if task.state == "failed":
        return [_failed(task), *(_result(result, files, "Partial result") for result in task.partial_results)]
    if not task.results:
        return [_card(_line(_TITLE, "Complete"), _line("", "The service made nothing."), _ids(task))]
    return [_result(result, files) for result in task.results]


def _unfinished(task: "Task") -> str:
    """How far it is. A preview that can be played is taken for the song, so there is nothing to play or to click."""
    percent = "" if task.progress is None else f", {task.progress:.0f} %"
    previews = len(task.preview_urls)
    return _card(
        _line(_TITLE, f"Not finished: {task.state}{percent}"),
        _line("", f"Previews so far: {previews}. Previews are no results." if previews else ""),
        _ids(task),
    )


def _failed(task: "Task") -> str:
    reason = f"{task.error['code']}: {task.error['message']}" if task.error else ""
    return _card(_line(_TITLE, "Failed"), _line("", reason), _ids(task), style=_FAILED_CARD)


def _ids(task: "Task") -> str:
    trace_id = task.trace_id or (task.error["trace_id"] if task.error else None)
    ids = (("task", task.task_id), ("trace", trace_id))
    return _line(_SMALL, " · ".join(f"{name} {value}" for name, value in ids if value))


def _result(result: "Result", files: Sequence["SavedFile"], label: str = "") -> str:
    """One finished thing.

    Args:
        result: what was made.
        files: those on the disk, of this and other results.
        label: what it is, where it is not just a result.
    """
    saved = [file for file in files if file.audio_id == result.get("audio_id") and file.url in result.values()]
    whole = [file for file in saved if _is_whole(file)]
    title = result.get("title") or "Untitled"
    return _card(
        _tag(
            "div",
            _cover(_source(result.get("image_url"), whole), title),
            _tag(
                "div",
                _line(_SMALL, label),
                _line(_TITLE, title),
                _line("", _facts(result)),
                _line(_SMALL, result.get("audio_id") or ""),
                style="min-width:0",
            ),
            style=_HEAD,
        ),
        _waveform(whole, title),
        _player(result, whole),
        _link("Stems", _source(result.get("stems_url"), whole)),
        _link("Video", _web_url(result.get("video_url")) if "audio_url" in result else ""),
        _lyrics(result.get("lyrics") or result.get("lyric") or ""),
        *(_line(_SMALL, _place(file, is_whole=file in whole)) for file in saved),
    )


def _facts(result: "Result") -> str:
    """Its length and what it sounds like: ``2:15 · FUZZ-2.0 · jazz``."""
    seconds = result.get("duration_seconds")
    facts = ("" if seconds is None else _minutes(seconds), result.get("model"), result.get("style"))
    return " · ".join(fact for fact in facts if fact)


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(seconds // 1, 60)
    return f"{minutes:.0f}:{rest:02.0f}"


def _cover(source: str, title: str) -> str:
    return _tag("img", src=source, alt=f"Cover of {title}", loading="lazy", style=_COVER) if source else ""


def _waveform(files: Iterable["SavedFile"], title: str) -> str:
    """The first of the files that can be drawn."""
    pictures = (waveform(Path(file.path)) for file in files if file.kind in ("audio", "wav"))
    picture = next(filter(None, pictures), None)
    if picture is None:
        return ""
    return _tag("img", src=_data_uri("image/svg+xml", picture), alt=f"Waveform of {title}", style=_WAVE)


def _player(result: "Result", files: Sequence["SavedFile"]) -> str:
    """What plays the sound, or the video of a result without one."""
    audio = _source(result.get("audio_url"), files) or _source(result.get("file_url"), files)
    if audio:
        return _tag("audio", controls="", preload=_preload(audio), src=audio, style=_AUDIO)
    video = _source(result.get("video_url"), files)
    return _tag("video", controls="", preload=_preload(video), src=video, style=_WIDE) if video else ""


def _preload(source: str) -> str:
    """What is embedded shows its length at once; anything else is not loaded before somebody plays it."""
    return "metadata" if source.startswith("data:") else "none"


def _link(name: str, address: str) -> str:
    if not address:
        return ""
    opened = {"rel": "noopener noreferrer", "target": "_blank"}
    return _tag("div", _tag("a", name, href=address, download="", style="color:inherit", **opened), style=_BELOW)


def _lyrics(words: str) -> str:
    if not words:
        return ""
    summary = _tag("summary", "Lyrics", style="cursor:pointer")
    return _tag("details", summary, _tag("div", words, style=_LYRICS), style=_BELOW)


def _place(file: "SavedFile", *, is_whole: bool) -> str:
    there = f"{file.bytes / 1000:,.0f} kB" if is_whole else "no longer there"
    return f"{Path(file.path).name} ({there})"


def _failure(failed: "FailedFile") -> str:
    return f"Not saved: {failed.kind}. {failed.error.code}: {failed.error.message}"


def _source(url: str | None, files: Iterable["SavedFile"]) -> str:
    """Where a browser gets something from: a small file as it is, a large one's path, else the URL; empty if nowhere.

    Args:
        url: as the service gave it; only one of http(s) is used.
        files: those on the disk; one of them may have come from there.
    """
    file = next((file for file in files if file.url == url), None)
    if file is not None:
        with suppress(OSError, ValueError):  # it went away meanwhile, or is not below the current directory
            if file.bytes <= _EMBEDDED[file.kind]:
                return _data_uri(file.content_type, Path(file.path).read_bytes())
            return quote(Path(file.path).resolve().relative_to(Path.cwd()).as_posix())
    return _web_url(url)


def _web_url(url: str | None) -> str:
    """The URL if it is one of http(s), else nothing: any other could run code, or pass for a page."""
    return url if url and url.lower().startswith(("http://", "https://")) else ""


def _is_whole(file: "SavedFile") -> bool:
    """Whether the file is still what was saved: a link put in its place could show any file of the user's."""
    path = Path(file.path)
    try:
        return not path.is_symlink() and path.is_file() and path.stat().st_size == file.bytes
    except OSError:
        return False


def _data_uri(content_type: str, data: bytes) -> str:
    return f"data:{content_type};base64,{base64.b64encode(data).decode()}"


class _Html(str):
    """Markup that was made here. Any other string is text, and `_tag` escapes it."""

    __slots__ = ()


def _row(cards: Iterable[str]) -> str:
    return _tag("div", *cards, style=_ROW)


def _card(*content: str, style: str = _CARD) -> str:
    return _tag("div", *content, style=style)


def _line(style: str, text: str) -> str:
    """A line of text; nothing if there is none."""
    return _tag("div", text, style=style) if text else ""


def _tag(name: str, *content: str, **attributes: str) -> str:
    """An element: all its text and attributes escaped, the elements in it as they are."""
    head = " ".join([name, *(f'{key}="{_escape(value)}"' for key, value in attributes.items())])
    inside = "".join(part if isinstance(part, _Html) else _escape(part) for part in content)
    return _Html(f"<{head}>" if name == "img" else f"<{head}>{inside}</{name}>")


def _escape(text: str) -> str:
    # JSON can carry half a character, and a notebook with one in it cannot be saved.
    return html.escape(text.encode(errors="replace").decode(), quote=True)
