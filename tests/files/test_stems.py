"""Stems archives are unpacked once into named files; one that is unsafe stays as it is."""

import asyncio
import errno
import io
import stat
import struct
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

import pytest

from producer_tools import Downloader, DownloadError, Downloads, ProducerClient, Task
from producer_tools.files.fetch.fetcher import FileFetcher
from producer_tools.files.fetch.part_file import PartFile
from producer_tools.files.library import archive, stems
from producer_tools.files.library.index import Entry
from producer_tools.files.library.library import Library
from producer_tools.files.library.wanted import Wanted
from producer_tools.tasks.results import Result
from producer_tools.tools.output import downloads_output
from tests.files.song_server import reply, short_wav
from tests.raw_server import answering
from tests.saved_files import lines_of_index, saved_files

WAV = short_wav()
STEMS = {"vocals.wav": WAV, "stems/drums.wav": WAV + b"\0\0"}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as writing:
        for name, content in members.items():
            writing.writestr(name, content)
    return file.getvalue()


async def save(directory: Path, content: bytes, task_id: str = "t1") -> Downloads:
    async with answering(reply(content)) as server, ProducerClient("t", server.base_url) as client:
        result = cast("Result", {"title": "Song", "stems_url": server.base_url})
        return await Downloader(client, directory).save(Task(task_id, "complete", (result,)))


@pytest.fixture
def no_fetch(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    async def fetch(*_: object) -> None:
        pytest.fail("it was downloaded again")

    return lambda: monkeypatch.setattr(FileFetcher, "fetch", fetch)


async def test_an_archive_becomes_files_and_is_not_downloaded_again(
    tmp_path: Path, no_fetch: Callable[[], None]
) -> None:
    """A person wants to drop the stems into an audio program, and an archive of 200 MB is to be fetched once."""
    first = await save(tmp_path, zipped({**STEMS, "__MACOSX/._vocals.wav": b"x", "stems/": b"", ".DS_Store": b"x"}))
    assert [(file.kind, file.name, file.downloaded) for file in first.files] == [
        ("stem", "Song (vocals).wav", True),
        ("stem", "Song (drums).wav", True),
    ]
    # Behind the length in the header, which counts the tags too, comes the sound as it was.
    assert (tmp_path / "Song (drums).wav").read_bytes()[8:].startswith(WAV[8:])
    assert [path.name for path in saved_files(tmp_path)] == ["Song (drums).wav", "Song (vocals).wav"]
    no_fetch()
    again = await save(tmp_path, b"")
    assert [(file.name, file.downloaded) for file in again.files] == [
        ("Song (vocals).wav", False),
        ("Song (drums).wav", False),
    ]
    assert {line["kind"] for line in lines_of_index(tmp_path)} == {"stems", "stem"}


async def test_a_missing_stem_is_fetched_again_and_the_others_stay(tmp_path: Path) -> None:
    """A user repairs a download by calling again."""
    await save(tmp_path, zipped(STEMS))
    (tmp_path / "Song (vocals).wav").unlink()
    again = await save(tmp_path, zipped(STEMS))
    assert [(file.name, file.downloaded) for file in again.files] == [
        ("Song (vocals).wav", True),
        ("Song (drums).wav", False),
    ]
    assert len(saved_files(tmp_path)) == 2


async def test_the_stems_of_two_tasks_with_one_title(tmp_path: Path) -> None:
    """One would overwrite the other."""
    await save(tmp_path, zipped(STEMS), "t1")
    second = await save(tmp_path, zipped(STEMS), "t2")
    assert [file.name for file in second.files] == ["Song (vocals) (t2).wav", "Song (drums) (t2).wav"]


async def test_an_end_in_the_middle_is_made_good_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_fetch: Callable[[], None]
) -> None:
    """The archive is there, and is neither fetched again nor left behind."""

    def ended(*_: object) -> None:
        raise OSError("ended here")

    with monkeypatch.context() as patch:
        patch.setattr(Library, "record", ended)
        broken = await save(tmp_path, zipped(STEMS))
    assert [failed.error.code for failed in broken.failed] == ["unexpected_error"]
    assert len(saved_files(tmp_path)) == 3
    no_fetch()
    whole = await save(tmp_path, b"")
    assert (len(whole.files), whole.failed) == (2, ())
    assert len(saved_files(tmp_path)) == 2


async def test_an_archive_that_was_unpacked_and_not_yet_removed_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take as much room as the stems for ever."""
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(PermissionError()))
        await save(tmp_path, zipped(STEMS))
    assert (tmp_path / "Song.zip").exists()
    await save(tmp_path, b"")
    assert not (tmp_path / "Song.zip").exists()


async def test_an_archive_of_the_users_stays(tmp_path: Path) -> None:
    """A user who packs the stems to send them by mail may use the same name. The archive would be deleted."""
    await save(tmp_path, zipped(STEMS))
    mine = zipped({"my mix.wav": WAV})
    (tmp_path / "Song.zip").write_bytes(mine)
    again = await save(tmp_path, b"")
    assert [file.downloaded for file in again.files] == [False, False]
    assert (tmp_path / "Song.zip").read_bytes() == mine
    (tmp_path / "Song (vocals).wav").unlink()
    repaired = await save(tmp_path, zipped(STEMS))
    assert [file.name for file in repaired.files] == ["Song (vocals).wav", "Song (drums).wav"]
    assert (tmp_path / "Song.zip").read_bytes() == mine
    assert len(saved_files(tmp_path)) == 3


async def test_another_call_that_unpacks_the_archive_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its archive is gone then. That was an error, whose message told a model the path of the directory."""
    read, others = Library.find_stems, [tmp_path]

    def slow(library: Library, wanted: Wanted) -> list[Entry] | None:
        return None if others else read(library, wanted)

    def unpacked(path: Path) -> AbstractContextManager[list[archive.Stem]]:
        if others:
            others.clear()
            asyncio.run(save(tmp_path, zipped(STEMS)))
        return archive.unpacked(path)

    monkeypatch.setattr(Library, "find_stems", slow)
    monkeypatch.setattr(stems, "unpacked", unpacked)
    saved = await save(tmp_path, zipped(STEMS))
    assert (saved.failed, [file.name for file in saved.files]) == ((), ["Song (vocals).wav", "Song (drums).wav"])


@pytest.mark.parametrize(
    ("owner", "function", "code"),
    [(archive, "_checked_members", "no_write_access"), (Library, "find", "unexpected_error")],
)
async def test_a_fault_of_the_disk_does_not_tell_a_model_the_directory(
    owner: object, function: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message goes to the model and its provider. The log has the path."""

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error", str(tmp_path / "Song.zip"))

    monkeypatch.setattr(owner, function, broken)
    (failed,) = (await save(tmp_path, zipped(STEMS))).failed
    assert failed.error.code == code
    assert str(tmp_path) not in failed.error.message


def with_link() -> bytes:
    link = zipfile.ZipInfo("vocals.wav")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writing:
        writing.writestr(link, WAV)
    return file.getvalue()


def with_a_name_twice() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writing:
        writing.writestr("Vocals.wav", WAV)
        writing.writestr("vocals.wav", WAV)
    return file.getvalue()


def encrypted() -> bytes:
    """The flag of the only member is set in both of its headers."""
    content = bytearray(zipped({"vocals.wav": WAV}))
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def damaged() -> bytes:
    content = bytearray(zipped({"vocals.wav": WAV}))
    content[200] ^= 0xFF
    return bytes(content)


def silence(megabytes: float) -> bytes:
    size = int(megabytes * 10**6)
    return short_wav(0)[:40] + size.to_bytes(4, "little") + bytes(size)


def bomb() -> bytes:
    return zipped({"vocals.wav": silence(3)}, zipfile.ZIP_DEFLATED)


def longer_than_it_says() -> bytes:
    """Its directory says 100 bytes, and it unpacks to more."""
    content = bytearray(zipped({"vocals.wav": WAV + bytes(10**6)}, zipfile.ZIP_DEFLATED))
    entry = content.index(b"PK\1\2")
    content[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    return bytes(content)


def with_files_that_overlap() -> bytes:
    """Forty files that are all the same bytes of the archive."""
    content = bytearray(bomb())
    directory = content.index(b"PK\1\2")
    entry, end = content[directory:-22], content[-22:]
    end[8:12] = struct.pack("<2H", 40, 40)
    end[12:16] = struct.pack("<I", 40 * len(entry))
    entries = [entry.replace(b"vocals.wav", f"take{number:02}.wav".encode()) for number in range(40)]
    return bytes(content[:directory] + b"".join(entries) + end)


def with_a_long_directory() -> bytes:
    """Each entry has remarks of 60 kB, which zipfile would keep in memory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writing:
        for number in range(20):
            writing.writestr(f"{number}.wav", WAV)
            writing.filelist[-1].comment = bytes(60_000)
    return file.getvalue()


def with_a_nul() -> bytes:
    """The module zipfile takes the name to end at the NUL."""
    return zipped({"vocals.wav": WAV}).replace(b"vocals.wav", b"vo\0als.exe")


def at_a_place_before_its_start() -> bytes:
    """Its directory says that it begins behind its end, so that its file lies before the start."""
    content = bytearray(zipped({"vocals.wav": WAV}))
    content[-6:-2] = b"\xff" * 4  # "the place stands elsewhere", where it does not
    return bytes(content)


def with_a_short_field() -> bytes:
    """Its file has a name of no length."""
    content = bytearray(zipped({"vocals.wav": WAV}))
    entry = content.index(b"PK\1\2")
    content[entry + 28 : entry + 32] = struct.pack("<2H", 0, len("vocals.wav"))
    return bytes(content)


ELSEWHERE = "a name in it is a path that leads elsewhere"
TOO_LARGE = "its files are too large"
UNSAFE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a place before its start": (at_a_place_before_its_start, "it cannot be read (OSError)"),
    "a file without a name": (with_a_short_field, "it cannot be read"),
    "a path upwards": (lambda: zipped({"../../vocals.wav": WAV}), ELSEWHERE),
    "an absolute path": (lambda: zipped({"/stems/vocals.wav": WAV}), ELSEWHERE),
    "a Windows path": (lambda: zipped({"C:vocals.wav": WAV}), ELSEWHERE),
    "a backslash": (lambda: zipped({"stems\\..\\vocals.wav": WAV}), ELSEWHERE),
    "a NUL": (with_a_nul, ELSEWHERE),
    "a link": (with_link, "something in it is no file"),
    "one name twice": (with_a_name_twice, "two files in it have the same name"),
    "encrypted": (encrypted, "it is encrypted"),
    "damaged": (damaged, "it cannot be read (BadZipFile)"),
    "a bomb": (bomb, TOO_LARGE),
    "files that overlap": (with_files_that_overlap, TOO_LARGE),
    "one large file": (lambda: zipped({"vocals.wav": silence(3.6)}), TOO_LARGE),
    "large files": (lambda: zipped({f"{number}.wav": silence(0.9) for number in range(5)}), TOO_LARGE),
    "longer than it says": (longer_than_it_says, "it cannot be read (BadZipFile)"),
    "no audio": (lambda: zipped({"vocals.wav": b"<html>"}), "a file in it is no whole audio file"),
    "audio that is cut off": (lambda: zipped({"vocals.wav": WAV[:-100]}), "a file in it is no whole audio file"),
    "an archive in it": (lambda: zipped({"stems.zip": zipped(STEMS)}), "a file in it is no whole audio file"),
    "too many files": (lambda: zipped({f"{number}.wav": WAV for number in range(archive.MOST_STEMS + 1)}), "65 files"),
    "a long directory": (with_a_long_directory, "its directory is too long"),
    "an unusual compression": (lambda: zipped({"vocals.wav": WAV}, zipfile.ZIP_LZMA), "compressed in an unusual way"),
    "nothing to hear": (lambda: zipped({"stems/": b"", ".vocals.wav": WAV}), "it has 0 files"),
}


@pytest.mark.parametrize(("make", "reason"), UNSAFE.values(), ids=UNSAFE)
async def test_an_unsafe_archive_stays_packed(
    make: Callable[[], bytes],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_fetch: Callable[[], None],
) -> None:
    """It could write outside the directory, or fill the disk. The user has paid for it, so it is kept."""
    # So that the bombs may be small.
    for limit, size in (("ALWAYS_ALLOWED", 2), ("LARGEST_TOTAL", 4), ("LARGEST_MEDIA", 3.5)):
        monkeypatch.setattr(archive, limit, int(size * 10**6))
    directory = tmp_path / "deep" / "songs"
    content = make()
    first = await save(directory, content)
    assert [(file.kind, file.name) for file in first.files] == [("stems", "Song.zip")]
    assert [failed.error.code for failed in first.failed] == ["unsafe_archive"]
    assert reason in first.failed[0].error.message
    assert [path for path in tmp_path.rglob("*.*") if path.suffix != ".jsonl"] == [directory / "Song.zip"]
    assert (directory / "Song.zip").read_bytes() == content
    no_fetch()
    monkeypatch.setattr(stems, "unpacked", lambda _: pytest.fail("it was tried again"))
    again = await save(directory, b"")
    assert [failed.error.message for failed in again.failed] == [failed.error.message for failed in first.failed]
    assert [file.downloaded for file in again.files] == [False]


async def test_a_model_does_not_call_again_for_an_unsafe_archive(tmp_path: Path) -> None:
    """Nothing would change, and each turn costs."""
    content, _ = downloads_output(await save(tmp_path, zipped({"../vocals.wav": WAV})))
    assert "unsafe_archive" in content
    assert "Calling again changes nothing" in content


async def test_a_full_disk_while_unpacking_leaves_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another call goes on, when there is room."""
    content, write = zipped(STEMS), PartFile.write

    def full(part: PartFile, data: bytes) -> None:
        if data == content[: len(data)]:
            write(part, data)
        else:
            raise DownloadError("disk_full", "There is no room left.")

    with monkeypatch.context() as patch:
        patch.setattr(PartFile, "write", full)
        broken = await save(tmp_path, content)
    assert [failed.error.code for failed in broken.failed] == ["disk_full"]
    assert [path.name for path in saved_files(tmp_path)] == ["Song.zip"]
    assert [file.kind for file in (await save(tmp_path, b"")).files] == ["stem", "stem"]
