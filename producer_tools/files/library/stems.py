"""Stems as files: an archive that was saved is unpacked once, and then removed."""

from contextlib import suppress

from producer_tools.errors import DownloadError
from producer_tools.files.library.archive import UNSAFE, unpacked
from producer_tools.files.library.index import Entry
from producer_tools.files.library.library import Library, Placed
from producer_tools.files.library.wanted import Wanted


def unpack_stems(library: Library, wanted: Wanted, archive: Entry) -> list[Placed]:
    """Save each file of an archive, and remove the archive. It blocks.

    If the process ends in the middle, the next call finds the archive and goes on.

    Raises:
        DownloadError: ``unsafe_archive``: it was not unpacked, and stays. A later call does not try again.
            ``no_write_access`` or ``disk_full``: not all files could be saved; a later call goes on.
    """
    if archive.refused is not None:
        raise DownloadError(UNSAFE, archive.refused)
    path = library.path(archive)
    try:
        with unpacked(path) as stems:
            placed = [library.place(stem.part, wanted.stem_file(stem.member), stem.file_type) for stem in stems]
    except DownloadError as error:
        if found := library.find_stems(wanted):  # another call was faster, and has removed the archive
            return [Placed(each, is_new=False) for each in found]
        if error.code == UNSAFE:
            library.record(archive.model_copy(update={"state": "saved", "refused": error.message}))
        raise
    for each in placed:
        library.record(each.entry.model_copy(update={"state": "saved"}))
    keys = tuple(each.entry.key for each in placed)
    library.record(archive.model_copy(update={"state": "saved", "unpacked": keys}))
    with suppress(OSError):  # then it stays beside its files
        path.unlink()
    return placed
