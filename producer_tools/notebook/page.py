"""Writes songs into one HTML file that plays offline, in any browser."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from producer_tools.concurrency.paths import from_home
from producer_tools.errors.invalid_argument import InvalidArgumentError
from producer_tools.files.audio.peaks import peaks
from producer_tools.files.fetch.part_file import PartFile
from producer_tools.files.saved import SavedFile
from producer_tools.files.unchanged import read, why_unusable
from producer_tools.notebook.comparison import Comparison
from producer_tools.notebook.deck import Take, deck, findings, play_bar
from producer_tools.notebook.document import document
from producer_tools.notebook.facts import measured_facts, size
from producer_tools.notebook.html import data_uri, tag
from producer_tools.notebook.lyrics import sections
from producer_tools.notebook.tracks import Songs, Track, tracks
from producer_tools.notebook.waveform import BARS
from producer_tools.tasks.display import count, minutes

PageContent: TypeAlias = Songs | Comparison | Iterable[Songs | Comparison]
"""What a page can show."""


def write_page(songs: PageContent, path: str | os.PathLike[str], title: str | None = None) -> Path:
    """Write an HTML page that plays songs without a network, with their covers, waveforms, lyrics and facts.

    Everything is in the one file: the audio as it is, so that it is a third larger than the songs together. It has a
    script of its own and loads nothing. The page says that the songs are made with AI, and by which model. A file that
    is gone, or has changed since it was saved, is named and not played.

    It blocks, for about half a second for each song: in async code, call it with `asyncio.to_thread`.

    Args:
        songs: what is on the page, in this order: `Downloads`, `SavedFile`, the state of an album graph or of one of
            its songs, a path of a file or a directory, a `compare`, or several of them in a list. The files that a
            state names are read wherever they are, so it must not be one that a stranger may have written.
        path: of the page. A file that is there is replaced, once the new one is complete.
        title: of the page; the song's title, or ``Songs``, if it is not given.

    Returns:
        The absolute path of the page.

    Raises:
        InvalidArgumentError: ``path`` is a directory or a device, or ``songs`` has something else in it, or no song.
        DownloadError: ``no_write_access`` or ``disk_full``. What was at ``path`` is still there.
    """
    target = _target(path)
    entries = list(_entries(songs))
    if not entries:
        raise InvalidArgumentError({"songs": "there is no song in it"})
    _write(target, _page(entries, title or _title(entries)))
    return target


def _target(path: str | os.PathLike[str]) -> Path:
    """The absolute path of the page. What is there will be replaced, so it must not be a device or a pipe."""
    target = Path(os.path.abspath(from_home(path)))  # noqa: PTH100 - `resolve` would follow a link at the path
    try:
        mode = target.lstat().st_mode
    except ValueError as fault:  # it has a NUL, or half of a surrogate pair
        raise InvalidArgumentError({"path": f"{path!a} cannot be the path of a file ({fault})"}) from None
    except OSError:
        return target  # there is nothing; if no page can be written either, the writing says why
    if target.is_dir():
        raise InvalidArgumentError({"path": f"{target} is a directory. Name a file, such as album.html"})
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise InvalidArgumentError({"path": f"{target} is no regular file, and is not replaced"})
    return target


def _entries(content: PageContent) -> Iterator[Track | Comparison]:
    """What stands on the page, in order."""
    several: list[Any] = [content]
    if isinstance(content, Iterable) and not isinstance(content, str | Mapping):
        several = list(content)
    for are_pairs, group in groupby(several, lambda entry: isinstance(entry, Comparison)):
        alike = list(group)
        yield from alike if are_pairs else tracks(alike)


def _write(path: Path, parts: Iterable[str]) -> None:
    part = PartFile(path.parent)
    try:
        part.restart()
        for text in parts:
            part.write(text.encode(errors="replace"))
        part.keep(path)
    finally:
        part.discard()


def _title(entries: Sequence[Track | Comparison]) -> str:
    only, *more = entries
    if more:
        return "Songs"
    return only.title if isinstance(only, Track) else only.name


def _page(entries: Sequence[Track | Comparison], title: str) -> Iterator[str]:
    """The page, in parts: of a long album, one song at a time is in memory."""
    songs = [entry for entry in entries if isinstance(entry, Track)]
    frame = document(title)
    yield f"{frame.start}<main>"
    yield tag("header", tag("h1", title), _summary(songs), class_="head")
    for entry in entries:
        yield _song(entry) if isinstance(entry, Track) else _compared(entry)
    yield tag("footer", _origin([track for entry in entries for track in _tracks(entry)]))
    yield "</main>"
    yield play_bar() if len(entries) > 1 else ""
    yield frame.end


def _tracks(entry: Track | Comparison) -> tuple[Track, ...]:
    return (entry,) if isinstance(entry, Track) else entry.tracks


def _compared(entry: Comparison) -> str:
    return tag("article", tag("h2", entry.name), entry.section(), class_="song")


def _summary(songs: Sequence[Track]) -> str:
    """``3 songs · 7:02``."""
    if len(songs) < 2:  # noqa: PLR2004 - one song says its length itself
        return ""
    seconds = sum(song.seconds or 0 for song in songs)
    return tag("p", " · ".join([count(len(songs), "song"), *([minutes(seconds)] if seconds else [])]), class_="soft")


def _origin(songs: Sequence[Track]) -> str:
    """That the songs are made with AI, and by which models."""
    models = Counter(song.model for song in songs if song.is_ai_made and song.model)
    by = f", by {' and '.join(models)}" if models else ""
    return tag("p", f"Made with AI{by}.", class_="soft") if any(song.is_ai_made for song in songs) else ""


def _song(track: Track) -> str:
    words = _words(track)
    name = tag("div", _cover(track), tag("div", tag("h2", track.title), *_facts(track)), class_="name")
    return tag(
        "article",
        tag("div", name, _player(track)),
        words,
        class_="song worded" if words else "song",
    )


def _cover(track: Track) -> str:
    data = read(track.cover) if track.cover else None
    if track.cover is None or data is None:
        return tag("div", "\N{EIGHTH NOTE}", class_="cover", aria_hidden="true")
    return tag("img", src=data_uri(track.cover.content_type, data), alt=f"Cover of {track.title}", class_="cover")


def _facts(track: Track) -> Iterator[str]:
    made = f"Made with AI by {track.model}" if track.model else "Made with AI"
    length = minutes(track.seconds) if track.seconds is not None else ""
    weight = size(track.file.bytes) if track.file else ""
    yield _soft(length, track.style)
    yield _soft(made if track.is_ai_made else "")
    yield _soft(measured_facts(track.measured), weight)
    yield from findings(track.findings)


def _soft(*facts: str) -> str:
    text = " · ".join(filter(None, facts))
    return tag("p", text, class_="soft") if text else ""


def _player(track: Track) -> str:
    data = read(track.file) if track.file else None
    if track.file is None or data is None:
        return tag("p", track.problem or _lost(track.file), class_="problem")
    source = data_uri(track.file.content_type, data)
    return deck(Take(track.title, source, track.seconds or 0, peaks(Path(track.file.path), BARS)))


def _lost(file: SavedFile | None) -> str:
    if file is None:
        return "No file was saved."
    return f"{Path(file.path).name}: {why_unusable(file) or 'unreadable'}."


def _words(track: Track) -> str:
    parts = sections(track.lyrics)
    if not parts:
        return ""
    paragraphs = (tag("p", tag("b", part.name) if part.name else "", part.words, class_="part") for part in parts)
    words = tag("div", *paragraphs, class_="words", tabindex="0", role="region", aria_label=f"Lyrics of {track.title}")
    return tag("details", tag("summary", "Lyrics"), words, class_="lyrics", open="")
