"""What it takes to save songs: to download, tag and measure them, and to find them again.

``python -m tests.bench.saving URL DIRECTORY NUMBER`` is one case, in a process of its own.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, cast

from producer_tools import Downloader, ProducerClient, Task
from producer_tools.files.library.index import INDEX_NAME, Entry
from producer_tools.sandbox.covers import cover
from producer_tools.tasks.results import Result
from tests.bench.memory_case import LYRIC, most_bytes
from tests.bench.section import Section
from tests.files.audio.songs import noise, save, tone
from tests.files.song_server import reply, serving

SONG_SECONDS = 180
SONGS = 100
KNOWN = 5_000
FEW = 10


class Cost(NamedTuple):
    """What a case took: seconds, CPU seconds, and bytes of memory at the most beyond those after the imports."""

    seconds: float
    cpu: float
    size: float


async def measure() -> Section:
    """Save songs, look for them again, and save more beside very many."""
    with tempfile.TemporaryDirectory(prefix="bench-saving-") as folder:
        music = Path(folder) / "music"
        song = (await asyncio.to_thread(make_song, Path(folder) / "song.m4a")).read_bytes()
        async with serving({"/song": reply(song), "/cover": reply(cover("a"))}) as url:
            first, again = [await _case(url, music, SONGS) for _ in range(2)]
            added = _bytes(music) - SONGS * (len(song) + len(cover("a")))
            many = Path(folder) / "many"
            fill(many, KNOWN)
            beside = await _case(url, many, FEW)
    rows = [
        _row(f"{SONGS} songs with covers: download, tag and measure them", first, SONGS),
        _row("the same again: find them, and do nothing", again, SONGS),
        _row(f"{FEW} songs in a directory that has {KNOWN:,} songs", beside, FEW),
    ]
    return Section(
        "Saved songs",
        f"Songs of {SONG_SECONDS // 60} minutes (M4A, {len(song) / 1e6:.1f} MB) are saved one after another, each row "
        "in a process of its own; the memory is what it used at the most (`VmHWM`), beyond the imports. Tags and a "
        f"cover of {len(cover('a')) / 1000:.1f} kB make a file {added / SONGS / 1000:.1f} kB longer, with lyrics of "
        f"{len(LYRIC)} characters.",
        ("what", "time", "for each", "CPU", "memory"),
        rows,
    )


def make_song(path: Path) -> Path:
    """A stereo M4A file of three minutes."""
    return save(path, tone(SONG_SECONDS, 0.3) + noise(SONG_SECONDS, 0.05))


def fill(directory: Path, number: int) -> None:
    """Write an index of so many songs and covers that were saved before."""
    directory.mkdir()
    with (directory / INDEX_NAME).open("w", encoding="utf-8") as index:
        for each in range(number):
            for kind, extension in (("audio", "m4a"), ("cover", "jpg")):
                entry = Entry(
                    state="saved", key=f"{kind}{each}", name=f"Old {each}.{extension}", kind=kind, content_type="",
                    bytes=10**6, task_id=f"old-task-{each}", audio_id=f"old-song-{each}", title=f"Old {each}",
                    model="FUZZ-2.0", seed="1490770667", prompt="a slow waltz with strings " * 4, duration_seconds=180,
                    tagged=True,
                )  # fmt: skip
                index.write(f"{entry.model_dump_json(exclude_none=True)}\n")


def _row(what: str, cost: Cost, number: int) -> tuple[str, ...]:
    each = f"{cost.seconds / number * 1000:,.1f} ms"
    return what, f"{cost.seconds:.1f} s", each, f"{cost.cpu:.1f} s", f"{cost.size / 1e6:,.0f} MB"


def _bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir() if path.name != INDEX_NAME)


async def _case(url: str, directory: Path, number: int) -> Cost:
    command = [sys.executable, "-m", "tests.bench.saving", url, str(directory), str(number)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return Cost(*map(float, output.split()))


async def _save(url: str, directory: str, number: int) -> None:
    async with ProducerClient("t", url) as client:
        downloader = Downloader(client, directory)
        for each in range(number):
            facts = {"audio_id": f"song-{each}", "title": f"Song {each}", "lyric": LYRIC, "model": "FUZZ-2.0"}
            result = cast("Result", {**facts, "audio_url": f"{url}/song", "image_url": f"{url}/cover"})
            downloads = await downloader.save(Task(f"task-{each}", "complete", (result,)))
            assert len(downloads.files) == 2
            assert downloads.files[0].measured


def main() -> None:
    """Run one case, and print what it took."""
    url, directory, number = sys.argv[1:]
    for library in ("av", "mutagen.mp4", "pyloudnorm"):
        import_module(library)
    before, began, cpu = most_bytes(), time.perf_counter(), time.process_time()
    asyncio.run(_save(url, directory, int(number)))
    print(time.perf_counter() - began, time.process_time() - cpu, most_bytes() - before)


if __name__ == "__main__":
    main()
