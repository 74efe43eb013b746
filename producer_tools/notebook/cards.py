"""Tasks and downloads as HTML cards with cover, title and player.

Their titles, words and URLs are untrusted text. All text is escaped in `producer_tools.notebook.html`, and only http(s)
URLs are loaded or linked. There are no scripts and no style sheets; the colours are the notebook's own.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from producer_tools.files.audio.peaks import peaks
from producer_tools.files.saved import Downloads, FailedFile, SavedFile
from producer_tools.files.unchanged import read, why_unusable
from producer_tools.notebook.facts import measured_facts, size
from producer_tools.notebook.html import CARD, card, data_uri, line, row, tag, web_url
from producer_tools.notebook.lyrics import sections
from producer_tools.notebook.waveform import BARS, waveform
from producer_tools.tasks.display import minutes
from producer_tools.tasks.results import Kind, Result
from producer_tools.tasks.task import Task, TaskBatch

# An embedded file is saved with the notebook, a third larger than on the disk, and plays wherever the notebook goes.
# That is worth it for a cover, and for a song of two and a half minutes at 128 kbit/s, the usual M4A: two of them,
# with their covers, stay below the 8 MB that marimo shows of one output. What is larger is played from its path.
_EMBEDDED: dict[Kind, int] = {
    "audio": 2_500_000,
    "wav": 2_500_000,
    "video": 2_500_000,
    "stems": 0,
    "stem": 0,
    "cover": 300_000,
}
"""The most bytes that a file of each kind may have to be embedded."""

_BARS_FROM: tuple[Kind, ...] = ("audio", "wav", "video")
"""The kinds of files whose waveform is drawn."""

_FAILED_CARD = f"{CARD};border-left:4px solid rgba(217,83,79,.9)"
_WORDED_CARD = CARD.replace("320px", "560px").replace("520px", "880px")
_SIDES = "display:flex;flex-wrap:wrap;gap:14px 24px"
_SIDE = "flex:3 1 290px;min-width:0"
_HEAD = "display:flex;gap:12px"
_COVER = "width:112px;height:112px;flex:none;object-fit:cover;border-radius:8px;margin:0"
_ANY_SCRIPT = "unicode-bidi:plaintext;text-align:start"  # Hebrew and Arabic begin on the right
_TITLE = "font-weight:600;font-size:1.1em;unicode-bidi:plaintext;text-align:left"
_SMALL = "opacity:.65;font-size:.85em;margin-top:2px"
_WIDE = "display:block;width:100%;margin:8px 0 0"
_BELOW = "margin-top:6px"
_WAVE = f"{_WIDE};height:44px"
_AUDIO = f"{_WIDE};height:40px"
_LYRICS = "flex:2 1 210px;min-width:0;max-height:21em;overflow:auto"
_PART = f"white-space:pre-wrap;margin:0 0 .8em;line-height:1.6;{_ANY_SCRIPT}"
_MARKER = f"font-size:.75em;font-weight:600;letter-spacing:.06em;text-transform:uppercase;opacity:.7;{_ANY_SCRIPT}"
_FINDING = (
    "display:inline-block;margin:4px 6px 0 0;padding:1px 9px;border-radius:12px;font-size:.85em;font-weight:600;"
    "background:#a34a00;color:#fff"
)


def task_card(task: Task) -> str:
    """A card for each result of a task, or one card that says why there are none."""
    return row(_cards(task))


def batch_cards(batch: TaskBatch) -> str:
    """The cards of several tasks, the count of each state, and the ids that were not found."""
    counts = [f"{count} {state}" for state, count in Counter(task.state for task in batch.tasks).items()]
    counts += [f"{len(batch.not_found)} not found"] if batch.not_found else []
    return tag(
        "div",
        line(_SMALL, " · ".join(counts) or "No tasks."),
        row(card for task in batch.tasks for card in _cards(task)),
        line(_SMALL, f"Not found: {', '.join(batch.not_found)}" if batch.not_found else ""),
    )


def downloads_card(downloads: Downloads) -> str:
    """The cards of a task, playing its saved files, with their names and the files that could not be saved."""
    return tag(
        "div",
        row(_cards(downloads.task, downloads.files)),
        *(line(_SMALL, _failure(failed)) for failed in downloads.failed),
    )


def _cards(task: Task, files: Sequence[SavedFile] = ()) -> list[str]:
    if not task.is_final:
        return [_unfinished(task)]
    until = "" if files or task.links_until is None else f"The links work until {task.links_until}."
    if task.state == "failed":
        return [_failed(task), *(_result(result, files, until, "Partial result") for result in task.partial_results)]
    if not task.results:
        return [card(line(_TITLE, "Complete"), line("", "The service made nothing."), _ids(task))]
    cards = [_result(result, files, until) for result in task.results]
    return [*cards, card(_note(task))] if task.note else cards


def _unfinished(task: Task) -> str:
    """The status only. Previews cannot be played or clicked here, since people would take them for the song."""
    percent = "" if task.progress is None else f", {task.progress:.0f} %"
    previews = len(task.preview_urls)
    return card(
        line(_TITLE, f"Not finished: {task.state}{percent}"),
        line("", f"Previews so far: {previews}. Previews are not results." if previews else ""),
        _note(task),
        _ids(task),
    )


def _failed(task: Task) -> str:
    reason = f"{task.error['code']}: {task.error['message']}" if task.error else ""
    return card(line(_TITLE, "Failed"), line("", reason), _note(task), _ids(task), style=_FAILED_CARD)


def _note(task: Task) -> str:
    return line(_SMALL, f"Note: {task.note}" if task.note else "")


def _ids(task: Task) -> str:
    trace_id = task.trace_id or (task.error["trace_id"] if task.error else None)
    ids = (("task", task.task_id), ("trace", trace_id))
    return line(_SMALL, " · ".join(f"{name} {value}" for name, value in ids if value))


def _result(result: Result, files: Sequence[SavedFile], until: str, label: str = "") -> str:
    """The card of one finished item.

    Args:
        result: the item.
        files: the saved files of this and other results.
        until: how long its URLs work, if it depends on them.
        label: what kind of result it is, if it is not a normal one.
    """
    saved = [file for file in files if _is_of(file, result)]
    whole = [file for file in saved if not why_unusable(file)]
    title = result.get("title") or "Untitled"
    words = _lyrics(result.get("lyrics") or result.get("lyric") or "", title)
    song = (
        tag(
            "div",
            _cover(_source(result.get("image_url"), whole), title),
            tag(
                "div",
                line(_SMALL, label),
                line(_TITLE, title),
                line("", _facts(result, saved)),
                *_measured(saved),
                line(_SMALL, result.get("audio_id") or ""),
                style="min-width:0",
            ),
            style=_HEAD,
        ),
        _waveform(whole, title),
        _player(result, whole),
        *_stems(result, whole),
        _link("Video", _address(result.get("video_url"), whole) if "audio_url" in result else ""),
        *(line(_SMALL, _place(file)) for file in saved),
        line(_SMALL, until),
    )
    if not words:
        return card(*song)
    return card(tag("div", tag("div", *song, style=_SIDE), words, style=_SIDES), style=_WORDED_CARD)


def _is_of(file: SavedFile, result: Result) -> bool:
    """Whether the file is of this result. Results of videos, WAV files and stems have no id, and their files have."""
    return file.url in result.values() and result.get("audio_id") in (None, file.audio_id)


def _facts(result: Result, files: Iterable[SavedFile]) -> str:
    """Length, model and style: ``2:15 · FUZZ-2.0 · jazz``. The length that was measured is the one that is heard."""
    measured = (file.measured.duration_seconds for file in files if file.measured)
    seconds = next(measured, result.get("duration_seconds"))
    facts = ("" if seconds is None else minutes(seconds), result.get("model"), result.get("style"))
    return " · ".join(fact for fact in facts if fact)


def _cover(source: str, title: str) -> str:
    return tag("img", src=source, alt=f"Cover of {title}", loading="lazy", style=_COVER) if source else ""


def _measured(files: Iterable[SavedFile]) -> Iterator[str]:
    """What was measured of the first file of which anything was, and what is wrong with it."""
    file = next((file for file in files if file.measured), None)
    if file is not None:
        yield line(_SMALL, measured_facts(file.measured))
        yield from (tag("span", finding, style=_FINDING) for finding in file.findings)


def _waveform(files: Iterable[SavedFile], title: str) -> str:
    """The waveform of the first file that can be read."""
    found = (peaks(Path(file.path), BARS) for file in files if file.kind in _BARS_FROM)
    loudness = next(filter(None, found), None)
    return tag("img", src=waveform(loudness), alt=f"Waveform of {title}", style=_WAVE) if loudness else ""


def _player(result: Result, files: Sequence[SavedFile]) -> str:
    """A player for the audio, or for the video if there is no audio."""
    audio = _source(result.get("audio_url"), files) or _source(result.get("file_url"), files)
    if audio:
        return tag("audio", controls="", preload=_preload(audio), src=audio, style=_AUDIO)
    video = _source(result.get("video_url"), files)
    return tag("video", controls="", preload=_preload(video), src=video, style=_WIDE) if video else ""


def _preload(source: str) -> str:
    """An embedded file shows its length at once. Any other is loaded only when it is played."""
    return "metadata" if source.startswith("data:") else "none"


def _stems(result: Result, files: Sequence[SavedFile]) -> list[str]:
    """A link to each stem, or to the archive of them."""
    stems = [_link(Path(file.path).name, _path(file)) for file in files if file.kind == "stem"]
    return list(filter(None, stems)) or [_link("Stems", _address(result.get("stems_url"), files))]


def _link(name: str, address: str) -> str:
    if not address:
        return ""
    opened = {"rel": "noopener noreferrer", "target": "_blank"}
    return tag("div", tag("a", name, href=address, download="", style="color:inherit", **opened), style=_BELOW)


def _lyrics(words: str, title: str) -> str:
    """The lyrics beside the song, below it where there is no room, with the markers of their sections set apart."""
    parts = sections(words)
    if not parts:
        return ""
    shown = (tag("div", line(_MARKER, part.name), part.words, style=_PART) for part in parts)
    return tag("div", *shown, style=_LYRICS, tabindex="0", role="region", aria_label=f"Lyrics of {title}")


def _place(file: SavedFile) -> str:
    reason = why_unusable(file)
    return f"{Path(file.path).name} ({reason or size(file.bytes)})"


def _failure(failed: FailedFile) -> str:
    return f"Not saved: {failed.kind}. {failed.error.code}: {failed.error.message}"


def _source(url: str | None, files: Sequence[SavedFile]) -> str:
    """The address for a browser: a small file embedded, a large one's path, or the URL; empty if there is none.

    Args:
        url: the service's URL; it is used only if it is http(s).
        files: the saved files; one of them may come from this URL.
    """
    file = next((file for file in files if file.url == url), None)
    if file is not None and file.bytes <= _EMBEDDED[file.kind]:
        data = read(file)
        if data is not None:
            return data_uri(file.content_type, data)
    return _address(url, files)


def _address(url: str | None, files: Sequence[SavedFile]) -> str:
    """The address of a link: the path of the saved file, or the URL; empty if there is none.

    Args:
        url: the service's URL; it is used only if it is http(s).
        files: the saved files; one of them may come from this URL.
    """
    file = next((file for file in files if file.url == url), None)
    return (_path(file) if file else "") or web_url(url)


def _path(file: SavedFile) -> str:
    """The file's path for a link; empty if it is not below the current directory."""
    try:
        return quote(Path(file.path).resolve().relative_to(Path.cwd()).as_posix())
    except (OSError, ValueError):
        return ""
