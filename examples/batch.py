"""Make a song for each prompt of a CSV file. Kill it at any time and start it again: no prompt is paid for twice.

    python examples/batch.py examples/prompts.csv

It needs ACEDATACLOUD_API_TOKEN. Without one, keep `PRODUCER_SANDBOX_API_TOKEN=test producer-sandbox` running in another
terminal, and set ACEDATACLOUD_API_TOKEN=test and ACEDATACLOUD_API_BASE_URL=http://127.0.0.1:8080.
"""

import asyncio
import csv
import sys
from pathlib import Path

from producer_tools import Downloader, ProducerClient, ProducerToolError, SqliteLedger
from producer_tools.requests import GenerateMusic


async def make(client: ProducerClient, directory: Path, prompt: str) -> dict[str, str]:
    """Make one song: submit it, wait for it, save it. What an earlier run has done is not done again."""
    row = {"prompt": prompt, "task_id": "", "file": "", "error": ""}
    try:
        task = await client.submit(GenerateMusic(prompt=prompt), key=prompt)
        row["task_id"] = str(task.task_id)
        await client.wait([row["task_id"]], timeout=1800)
        saved = await Downloader(client, directory).save(row["task_id"])
    except ProducerToolError as error:  # it says whether money was spent
        return {**row, "error": str(error)}
    return {**row, "file": next((file.path for file in saved.files if file.kind == "audio"), "")}


async def main(prompts: Path, directory: Path) -> bool:
    """Make all songs, list them in results.csv, and return whether all were made."""
    directory.mkdir(parents=True, exist_ok=True)
    with prompts.open(encoding="utf-8", newline="") as file:
        wanted = dict.fromkeys(row["prompt"] for row in csv.DictReader(file))
    async with ProducerClient(ledger=SqliteLedger(directory / "ledger.sqlite")) as client:
        rows = await asyncio.gather(*(make(client, directory, prompt) for prompt in wanted))
    with (directory / "results.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["prompt", "task_id", "file", "error"])
        table.writeheader()
        table.writerows(rows)
    songs = sum(bool(row["file"]) for row in rows)
    print(f"{songs} of {len(rows)} songs; {directory / 'results.csv'} lists them and the errors")
    return songs == len(rows)


if __name__ == "__main__":
    sys.exit(not asyncio.run(main(Path(*sys.argv[1:] or ["examples/prompts.csv"]), Path("songs"))))
