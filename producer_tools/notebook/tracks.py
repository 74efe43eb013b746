"""Finds the songs in what was saved: downloads, files, the state of an album graph, a directory."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from pydantic import ValidationError

from producer_tools.concurrency.paths import from_home
from producer_tools.errors.invalid_argument import InvalidArgumentError
from producer_tools.files.audio.measured import Measured
from producer_tools.files.saved import Downloads, SavedFile
from producer_tools.tasks.results import Result
from producer_tools.tasks.task import Task
from producer_tools.tools.file_facts import saved_file

Songs: TypeAlias = Downloads | SavedFile | Mapping[str, Any] | str | os.PathLike[str] | Iterable["Songs"]
"""Downloads, a saved file, a state of the album graph or of one of its songs, a path of a file or of a directory, or
several of them."""

_HEARD = ("audio", "wav", "video", "stem")
"""The kinds of files that can be heard. Of the files of one song, the first in this order is played."""

_SONGS, _PICTURES = {".m4a", ".mp3", ".wav", ".mp4"}, {".jpg", ".jpeg", ".png", ".webp"}
"""What is read of a directory, by the extensions of its files."""

_LONGEST = 86_400.0
"""Seconds. No song has a day."""


@dataclass(frozen=True)
class Track:
    """A song, as a page shows it.

    Attributes:
        title: of the song; the name of its file, if it has none.
        file: what is played; ``None`` if nothing could be saved.
        cover: its picture, if it was saved.
        model: that made it, if it is known.
        style: as the service describes it.
        lyrics: empty if there are none.
        seconds: its length; measured, or else as the service reports it.
        is_ai_made: false for a file of which nothing is known.
        problem: why there is no file.
    """

    title: str
    file: SavedFile | None = None
    cover: SavedFile | None = None
    model: str | None = None
    style: str = ""
    lyrics: str = ""
    seconds: float | None = None
    is_ai_made: bool = False
    problem: str = ""

    @property
    def measured(self) -> Measured | None:
        """What was measured of the file."""
        return self.file.measured if self.file else None

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong with the file's audio."""
        return self.file.findings if self.file else ()


def tracks(songs: Songs) -> list[Track]:
    """The songs, in their order. Of a song with several files (M4A, WAV, video) there is one track.

    Raises:
        InvalidArgumentError: something in it is no song, or no file is at a path.
    """
    if isinstance(songs, Downloads):
        return _of_downloads(songs)
    if isinstance(songs, SavedFile):
        return _of_files([songs])
    if isinstance(songs, Mapping):
        return _of_state(songs)
    if isinstance(songs, (str, os.PathLike)):
        return _of_path(from_home(songs))
    if isinstance(songs, Iterable):
        several = [_saved_file(song) if _is_saved_file(song) else song for song in songs]
        files = [file for file in several if isinstance(file, SavedFile)]
        if len(files) == len(several):  # covers and WAV files belong to the songs among them
            return _of_files(files)
        return [track for song in several for track in tracks(song)]
    save = ": save it first, with Downloader(client, directory)" if isinstance(songs, Task) else ""
    raise InvalidArgumentError(
        {"songs": f"{type(songs).__name__} is no Downloads, SavedFile, state of an album or path{save}"}
    )


def _of_downloads(downloads: Downloads) -> list[Track]:
    task = downloads.task
    found = _of_files(downloads.files, (*task.results, *task.partial_results))
    # A page is given away, so it has no message of an error: that may name the user's directories.
    lost = [failed for failed in downloads.failed if failed.kind in _HEARD]
    return [*found, *(Track(failed.kind, problem=f"It could not be saved ({failed.error.code}).") for failed in lost)]


def _of_state(state: Mapping[str, Any]) -> list[Track]:
    """The songs of an album graph's state, of one song in it, or a saved file of that."""
    if "songs" in state:
        return [track for song in state["songs"] for track in _of_state(song)]
    if _is_saved_file(state):
        return _of_files([_saved_file(state)])
    if "files" not in state and "error" not in state and "task" not in state:
        raise InvalidArgumentError({"songs": f"no state of an album graph: it has the keys {sorted(map(str, state))}"})
    task = state.get("task") or {}
    results = [*(task.get("results") or ()), *(task.get("partial_results") or ())]
    found = _of_files([_saved_file(file) for file in state.get("files") or ()], results)
    if found:
        return found
    code = (state.get("error") or {}).get("code", "not_saved")
    return [Track(str(state.get("wish") or "Untitled"), problem=f"There is no song ({code}).")]


def _is_saved_file(song: Songs) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(song, Mapping) and "kind" in song and "path" in song


def _saved_file(state: Mapping[str, Any]) -> SavedFile:
    try:
        return saved_file(state)
    except ValidationError as fault:
        reasons = [f"{'.'.join(map(str, each['loc']))} {each['msg']}".strip() for each in fault.errors()]
        raise InvalidArgumentError({"songs": f"no saved file: {'; '.join(reasons)}"}) from None


def _of_path(path: Path) -> list[Track]:
    is_directory = os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for a name that is too long
    if is_directory:
        return _of_directory(path)
    try:
        return _of_files([SavedFile.from_path(path)])
    except InvalidArgumentError as error:
        raise InvalidArgumentError({"songs": "; ".join(error.problems.values())}) from error


def _of_directory(path: Path) -> list[Track]:
    """The songs in a directory, by their names; then those that cannot be read. Links are left out."""
    files, unread = [], []
    try:
        found = sorted(path.iterdir(), key=lambda each: (each.stem, each.suffix))  # a song before its stems
    except OSError as fault:
        raise InvalidArgumentError({"songs": f"{path} cannot be read ({fault.strerror})"}) from fault
    for each in found:
        extension = each.suffix.lower()
        if extension in _SONGS | _PICTURES and each.is_file() and not each.is_symlink():
            try:
                files.append(SavedFile.from_path(each))
            except InvalidArgumentError:
                unread += [Track(each.stem, problem=f"{each.name} cannot be read.")] if extension in _SONGS else []
    return [*_of_files(files), *unread]


def _of_files(files: Sequence[SavedFile], results: Iterable[Result] = ()) -> list[Track]:
    """A track for each song among the files, with its cover and what the service says of it."""
    known = list(results)
    return [_track(group, _result(group, known)) for group in _by_song(files)]


def _by_song(files: Sequence[SavedFile]) -> Iterator[list[SavedFile]]:
    """The files of each song together: those with one id of a song, or with one name but for the extension.

    Of a file that was read from the disk the name counts. Its tags have an id, but those of a stem have the song's too.
    """
    ids = {_stem(file): file.audio_id for file in files if file.audio_id and file.url}
    groups: dict[str, list[SavedFile]] = {}
    for file in files:
        known = file.audio_id if file.url else None
        song = file.path if file.kind == "stem" else known or ids.get(_stem(file)) or _stem(file)
        groups.setdefault(song, []).append(file)
    return (group for group in groups.values() if any(file.kind in _HEARD for file in group))


def _stem(file: SavedFile) -> str:
    return str(Path(file.path).with_suffix(""))


def _result(group: Sequence[SavedFile], results: Iterable[Result]) -> Result:
    """What the service says of the song that these files are of."""
    urls, ids = {file.url for file in group}, {file.audio_id for file in group} - {None}
    nothing: Result = {}
    return next((each for each in results if each.get("audio_id") in ids or urls & {*each.values()}), nothing)


def _track(group: Sequence[SavedFile], result: Result) -> Track:
    """A track of a song's files. Some facts are in one file's tags only, so each is the first that any file knows."""
    played = min((file for file in group if file.kind in _HEARD), key=lambda file: _HEARD.index(file.kind))
    files = [played, *group]

    def first(name: str) -> Any:
        return next((value for file in files if (value := getattr(file, name))), None)

    name = Path(played.path).stem
    return Track(
        # All stems of a song have its title; only their names say which is which.
        title=name if played.kind == "stem" else result.get("title") or first("title") or name,
        file=played,
        cover=next((file for file in group if file.kind == "cover"), None),
        model=result.get("model") or first("model"),
        style=result.get("style") or "",
        lyrics=result.get("lyrics") or result.get("lyric") or first("lyrics") or "",
        seconds=_sensible(played.measured.duration_seconds if played.measured else first("duration_seconds")),
        is_ai_made=bool(result) or any(map(first, ("ai_made", "model", "task_id", "audio_id", "url"))),
    )


def _sensible(seconds: float | None) -> float | None:
    """A length that a page can draw. A service and a state may name any number, also none (NaN)."""
    return seconds if seconds is not None and 0 < seconds <= _LONGEST else None
