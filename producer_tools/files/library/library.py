"""The files that are saved in a directory: finds those that are there, and gives new ones their names."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from producer_tools.errors import DownloadError
from producer_tools.files.audio.tags import read_tags
from producer_tools.files.fetch.part_file import PartFile
from producer_tools.files.formats.types import HEAD, TYPES, FileType
from producer_tools.files.library.index import Entry, index_of
from producer_tools.files.library.names import candidates
from producer_tools.files.library.wanted import Wanted
from producer_tools.tasks.results import Kind

_There = Literal["nothing", "damaged", "whole"]

_MOST_TRIES = 100
_MOST_UNKNOWN = 3
"""Names at which a file is looked for that the index does not know."""


class Placed(NamedTuple):
    """A complete file in the directory.

    Attributes:
        entry: what the index says of it.
        is_new: whether it was not there before.
    """

    entry: Entry
    is_new: bool


class Library:
    """The saved files of one directory. Its methods block, and any thread may call them.

    Args:
        directory: an absolute path. It need not exist yet.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._index = index_of(directory)

    def path(self, entry: Entry) -> Path:
        """Where a file is."""
        return self.directory / entry.name

    def described(self, wanted: Wanted) -> Wanted:
        """The file, with what the index says of its song."""
        try:
            song = self.of_song(wanted.result.get("audio_id") or "", "audio")
        except DownloadError:
            return wanted  # saving it reports the reason
        return wanted if song is None else wanted.described_by(song)

    def of_song(self, song: str, kind: Kind) -> Entry | None:
        """The newest file of this kind that a song has; it may be gone.

        Raises:
            DownloadError: ``no_write_access``: the index cannot be read.
        """
        return self._index.of_song(song, kind)

    def find(self, wanted: Wanted) -> Entry | None:
        """The file, if it is there and complete.

        Raises:
            DownloadError: ``no_write_access``: the index cannot be read.
        """
        entry = self._index.get(wanted.key)
        return self._find_by_tags(wanted) if entry is None else self._found(entry)

    def find_stems(self, wanted: Wanted) -> list[Entry] | None:
        """The files of a stems archive that was unpacked, if they are all there and complete.

        Raises:
            DownloadError: ``no_write_access``: the index cannot be read.
        """
        archive = self._index.get(wanted.key)
        if archive is None or archive.unpacked is None:
            return None
        known = [entry for key in archive.unpacked if (entry := self._index.get(key))]
        found = [entry for each in known if (entry := self._found(each))]
        if len(found) < len(archive.unpacked):
            return None
        if self._found(archive):  # the process ended before it had removed the archive
            with suppress(OSError):
                self.path(archive).unlink()
        return found

    def place(self, part: PartFile, wanted: Wanted, file_type: FileType) -> Placed:
        """Give a complete part its name, unless the file has got there meanwhile.

        The name is reserved in the index first. If the process ends between the two, the next one uses the same name.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        for _ in range(_MOST_TRIES):
            entry, there = self._reserve(wanted, file_type, part.size)
            if there == "whole":  # another call or process was faster
                return Placed(entry, is_new=False)
            if self._keep(part, self.path(entry), there):
                return Placed(entry, is_new=True)
        raise DownloadError("no_write_access", "Other files keep taking the names that this one could have.")

    def record(self, entry: Entry) -> None:
        """Write down what is known of a file.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        with self._index.changing() as add:
            add(entry)

    def _found(self, entry: Entry) -> Entry | None:
        """The file, if it is complete and the one that was saved. A user may have put another one in its place."""
        file_type, size = _complete(self.path(entry), entry)
        if file_type is None:
            return None
        if entry.kind == "stems" and size != entry.bytes:
            return None  # an archive of the user's, which would be unpacked and removed
        if (entry.tagged or size != entry.bytes) and not self._is_same_song(entry):
            return None
        if size != entry.bytes:
            entry = entry.model_copy(update={"measured": None})  # what was edited is measured again
        return entry.model_copy(update={"bytes": size, "content_type": file_type.content_type})

    def _is_same_song(self, entry: Entry) -> bool:
        tags = read_tags(self.path(entry))
        if tags is None:
            # An editor has left the tags out. A file that never had any could be another one that the user put there.
            return entry.tagged
        return (tags.task_id, tags.audio_id) == (entry.task_id, entry.audio_id)

    def _find_by_tags(self, wanted: Wanted) -> Entry | None:
        """The file, if it is there and only the index is lost."""
        if not wanted.is_identified:
            return None
        names = candidates(wanted.stem, wanted.short_id, wanted.number)
        for stem, _ in zip(names, range(_MOST_UNKNOWN), strict=False):
            for file_type in TYPES[wanted.kind]:
                entry = wanted.entry(f"{stem}.{file_type.extension}", file_type, 0)
                if self._index.owner_of_name(entry.name) is None and (found := self._adopted(entry)):
                    return found
        return None

    def _adopted(self, entry: Entry) -> Entry | None:
        file_type, size = _complete(self.path(entry), entry)
        tags = read_tags(self.path(entry)) if file_type else None
        if tags is None or (tags.task_id, tags.audio_id) != (entry.task_id, entry.audio_id):
            return None
        adopted = entry.model_copy(update={"bytes": size, "tagged": True})
        self.record(adopted)
        return adopted

    def _reserve(self, wanted: Wanted, file_type: FileType, size: int) -> tuple[Entry, _There]:
        """Write down which name the file will have, and say what is there now."""
        with self._index.changing() as add:
            old = self._index.get(wanted.key)
            name, there = self._name(wanted, file_type.extension, old)
            # Another call that has reserved the name may put the file there at any time, so this is asked last.
            if old is not None and (found := self._found(old)):
                return found, "whole"
            entry = wanted.entry(name, file_type, size)
            add(entry)
            return entry, there

    def _name(self, wanted: Wanted, extension: str, old: Entry | None) -> tuple[str, _There]:
        """The name that the file will have, and what is there now. A file of the user's is never there."""
        if old is not None and old.name.endswith(f".{extension}"):
            if not os.path.lexists(self.path(old)):
                return old.name, "nothing"
            if _is_damaged(self.path(old), old):
                return old.name, "damaged"
        return self._free_name(wanted, extension), "nothing"

    @staticmethod
    def _keep(part: PartFile, path: Path, there: _There) -> bool:
        if there == "nothing":
            return part.keep_unless_taken(path)
        part.keep(path)
        return True

    def _free_name(self, wanted: Wanted, extension: str) -> str:
        """A name that no file has. All files of a song have the same one, if that is possible."""
        known = self._index.stem_of(wanted.song)
        if known is not None and known.startswith(wanted.stem) and self._is_free(f"{known}.{extension}"):
            return f"{known}.{extension}"
        return next(
            name
            for stem in candidates(wanted.stem, wanted.short_id, wanted.number)
            if self._index.owner_of_stem(stem) in (None, wanted.song) and self._is_free(name := f"{stem}.{extension}")
        )

    def _is_free(self, name: str) -> bool:
        return self._index.owner_of_name(name) is None and not os.path.lexists(self.directory / name)


def _complete(path: Path, entry: Entry) -> tuple[FileType | None, int]:
    """The type and the length of a complete file; no type if there is none."""
    try:
        if path.is_symlink() or not path.is_file():
            return None, 0
        with path.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            head = opened.read(HEAD)
            matching = (each for each in TYPES[entry.kind] if path.name.endswith(f".{each.extension}"))
            file_type = next((each for each in matching if each.matches(head)), None)
            if file_type is not None and file_type.is_whole(opened, size):
                return file_type, size
    except OSError:
        pass  # a file that cannot be read is downloaded again; that attempt reports the reason
    return None, 0


def _is_damaged(path: Path, entry: Entry) -> bool:
    """Whether it is an earlier download that was cut off: empty, or with the right beginning. It may be replaced."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as opened:
            head = opened.read(HEAD)
    except OSError:
        return False
    if not head:
        return True
    return any(each.matches(head) for each in TYPES[entry.kind]) and _complete(path, entry)[0] is None
