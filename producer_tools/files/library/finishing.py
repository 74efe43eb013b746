"""Finishes the files of a task: writes their tags and covers, measures them, and completes their lines in the index."""

from pathlib import Path

from producer_tools import telemetry
from producer_tools.concurrency.limits import Semaphore
from producer_tools.concurrency.threads import MOST_LARGE, in_large_thread
from producer_tools.files.audio.decoding import can_decode
from producer_tools.files.audio.measuring import measure
from producer_tools.files.audio.tags import Tags, read_tags, write_tags
from producer_tools.files.library.index import Entry
from producer_tools.files.library.library import Library

_KINDS = ("audio", "wav", "video", "stem")
_places = Semaphore(MOST_LARGE)
"""Files that are tagged and measured at once in this process: each takes a processor core for a second, and 40 MB."""


async def finish(library: Library, entry: Entry, lyrics: str | None, cover: Entry | None) -> Entry:
    """Tag and measure a file if that was not done before. What fails is logged, and the file stays as it was.

    Args:
        library: where the file is.
        entry: what is known of it.
        lyrics: of the song, for the tags.
        cover: the song's cover, if the task has one.

    Returns:
        What is known of it now.
    """
    if entry.kind == "stems":
        return entry  # an archive that could not be unpacked
    if entry.state == "saved" and (entry.kind not in _KINDS or (entry.tagged and _is_measured(entry))):
        return entry
    async with _places.hold():
        return await in_large_thread(_finish, library, entry, lyrics, cover)


def _finish(library: Library, entry: Entry, lyrics: str | None, cover: Entry | None) -> Entry:
    try:
        finished = entry.model_copy(update={"state": "saved"})
        if entry.kind in _KINDS:
            path = library.path(entry)
            cover = cover or library.of_song(entry.song, "cover")
            tagged = entry.tagged or _tag(path, entry, lyrics, library.path(cover) if cover else None)
            measured = entry.measured if _is_measured(entry) else measure(path)
            update = {"tagged": tagged, "measured": measured, "bytes": path.stat().st_size}
            finished = finished.model_copy(update=update)
        if finished != entry:
            library.record(finished)
    except Exception as error:  # noqa: BLE001 - the file is saved, whatever may be odd about it
        reason = f"{type(error).__name__}, task {entry.task_id}"
        telemetry.logger.warning("A %s file is saved, but not tagged and measured (%s).", entry.kind, reason)
        return entry
    return finished


def _is_measured(entry: Entry) -> bool:
    """Whether all was measured that can be: the extra ``sound`` may have been installed after the last call."""
    return entry.measured is not None and (entry.measured.clipped_share is not None or not can_decode())


def _tag(path: Path, entry: Entry, lyrics: str | None, cover: Path | None) -> bool:
    if read_tags(path) is not None:
        return True  # the last process ended before it wrote that down
    tags = Tags(
        title=path.stem if entry.kind == "stem" else entry.title,  # stems of a song are told apart by their names
        lyrics=lyrics,
        model=entry.model,
        seed=entry.seed,
        prompt=entry.prompt,
        task_id=entry.task_id,
        audio_id=entry.audio_id,
    )
    return write_tags(path, entry.content_type, tags, cover.read_bytes() if cover and cover.is_file() else None)
