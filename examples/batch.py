"""Many songs from a CSV of prompts: submitted, awaited together, saved, and listed in a table.

    python examples/batch.py examples/prompts.csv songs/batch

Stopped at any moment and started again, it goes on where it stopped: the table holds each task's id as soon as there
is one, and no song that stands in it is submitted again. Without ACEDATACLOUD_API_TOKEN it runs on a sandbox of its
own, whose songs are gone with it; to see it resume, keep a sandbox running beside it (`python -m
producer_tools.sandbox`) and set ACEDATACLOUD_API_BASE_URL and ACEDATACLOUD_API_TOKEN to that one.
"""

import asyncio
import csv
import sys
from pathlib import Path

from service import open_client

from producer_tools import ProducerClient, ProducerError, SubmissionUnknownError
from producer_tools.files.downloads import Downloader
from producer_tools.progress import ProgressBar
from producer_tools.requests import GenerateMusic

COLUMNS = ["prompt", "task_id", "state", "title", "seconds", "file", "error"]
Row = dict[str, str]


class Table:
    """The results so far, written whole after each change."""

    def __init__(self, prompts: Path, path: Path) -> None:
        self._path = path
        with prompts.open(encoding="utf-8", newline="") as file:
            self.rows: list[Row] = [
                dict.fromkeys(COLUMNS, "") | {"prompt": row["prompt"]} for row in csv.DictReader(file)
            ]
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                known = {row["prompt"]: row for row in csv.DictReader(file)}
            self.rows = [known.get(row["prompt"], row) for row in self.rows]

    def set(self, row: Row, **values: str) -> None:
        """Change a row, and write the table so that a crash leaves the old or the new one."""
        row.update(values)
        draft = self._path.with_suffix(".new")
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
        draft.replace(self._path)


async def submit(client: ProducerClient, table: Table, row: Row) -> None:
    """Submit one row; the intent is written first, so that a crash in between is seen and not paid for twice."""
    table.set(row, state="submitting")
    try:
        task = await client.submit(GenerateMusic(prompt=row["prompt"]))
    except SubmissionUnknownError as error:
        table.set(row, state="unknown", error=str(error))
    except ProducerError as error:
        table.set(row, state="", error=str(error))
    else:
        table.set(row, state=task.state, task_id=str(task.task_id), error="")


async def save(downloader: Downloader, table: Table, row: Row) -> None:
    """Save one finished song."""
    try:
        downloads = await downloader.save(row["task_id"])
    except ProducerError as error:
        table.set(row, error=str(error))
        return
    song = next((file for file in downloads.files if file.kind == "audio"), None)
    if song is not None:
        seconds = f"{song.duration_seconds or 0:.1f}"
        table.set(row, state="saved", title=song.title or "", seconds=seconds, file=Path(song.path).name, error="")


async def main(prompts: Path, directory: Path) -> None:
    """Bring every row as far as it goes."""
    directory.mkdir(parents=True, exist_ok=True)
    table = Table(prompts, directory / "results.csv")
    for row in table.rows:
        if row["state"] == "submitting":
            table.set(row, state="unknown", error="Stopped between sending and answer: it may have been charged.")
    async with open_client() as client:
        with ProgressBar() as bar:
            new = [row for row in table.rows if not row["task_id"] and row["state"] != "unknown"]
            await asyncio.gather(*(submit(client, table, row) for row in new))
            open_rows = {row["task_id"]: row for row in table.rows if row["task_id"] and row["state"] != "saved"}
            if open_rows:
                batch = await client.wait(open_rows, timeout=1800, on_progress=bar)
                for task in batch.tasks:
                    error = task.error["message"] if task.error else ""
                    table.set(open_rows[str(task.task_id)], state=task.state, error=error)
                for task_id in batch.not_found:
                    table.set(open_rows[task_id], state="not found", error="The service knows no such task.")
                finished = [row for row in open_rows.values() if row["state"] == "complete"]
                await asyncio.gather(*(save(Downloader(client, directory), table, row) for row in finished))
    for row in table.rows:
        print(f"{row['state']:10} {row['prompt'][:40]:40} {row['seconds']:>6} {row['file'] or row['error']}")
    print(f"{sum(row['state'] == 'saved' for row in table.rows)} of {len(table.rows)} songs in {directory}")


if __name__ == "__main__":
    here = Path(__file__).parent
    given = [Path(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*(given or [here / "prompts.csv", Path("songs/batch")])))
