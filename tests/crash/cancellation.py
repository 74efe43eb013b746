"""Cancel a submit at each step of its event loop, retry it, and count the charges.

``python -m tests.crash.cancellation`` does so with each kind of ledger.

It cancels the caller alone, or all tasks, as an event loop does when it ends.
"""

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from producer_tools import Ledger, MemoryLedger, ProducerClient, ProducerError, SqliteLedger
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox

Victims = Literal["caller", "all"]
_MOST_STEPS = 2_000


@dataclass
class Cancellations:
    """The counts.

    Attributes:
        cancelled: Submits that were cancelled.
        once: Those whose song was charged once, before or after the cancellation, and whose retry got its task.
        unknown: Those whose retry reported an unknown outcome.
        wrong: Everything else, a line each. It must be empty.
    """

    cancelled: int = 0
    once: int = 0
    unknown: int = 0
    wrong: list[str] = field(default_factory=list)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that cancels tasks before its step with a certain number."""

    def __init__(self, cancel_at: int, victims: Victims) -> None:
        super().__init__()
        self._cancel_at = cancel_at
        self._victims = victims
        self._steps = 0
        self.main: asyncio.Task[Any] | None = None
        self.caller: asyncio.Task[Any] | None = None

    def _run_once(self) -> None:
        if self.caller is not None and not self.caller.done():
            self._steps += 1
            if self._steps == self._cancel_at:
                for task in asyncio.all_tasks(self) - {self.main} if self._victims == "all" else {self.caller}:
                    task.cancel()
        super()._run_once()  # type: ignore[misc]  # asyncio's own step, which has no public name


def cancel_at_each_step(
    sandbox: ProducerSandbox, ledger: Ledger, victims: Victims, *, every: int = 1, first: int = 1
) -> Cancellations:
    """Cancel a new submit at step ``first``, the next one ``every`` steps later, until one ends undisturbed.

    Args:
        sandbox: The service.
        ledger: Where the submits are written down.
        victims: Whether only the caller of the submit is cancelled, or all tasks of its loop.
        every: How many steps later the next one is cancelled.
        first: The step at which the first one is cancelled.
    """
    found = Cancellations()
    with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, poll_interval=0) as client:
        for step in range(first, _MOST_STEPS, every):
            song = f"{type(ledger).__name__} {victims} {step}"
            if not _cancel_at(step, song, client, sandbox, victims=victims, found=found):
                break
    return found


def _cancel_at(
    step: int, song: str, client: ProducerClient, sandbox: ProducerSandbox, *, victims: Victims, found: Cancellations
) -> bool:
    """Cancel one submit and retry it; returns whether it was cancelled before it ended."""
    loop = _Loop(step, victims)
    request = GenerateMusic(prompt=song)

    async def main() -> tuple[bool, str | None]:
        loop.main = asyncio.current_task()
        loop.caller = asyncio.create_task(client.submit(request, key=song))
        await asyncio.wait([loop.caller])
        try:
            return loop.caller.cancelled(), (await client.submit(request, key=song)).task_id
        except ProducerError as error:
            return loop.caller.cancelled(), str(error)

    try:
        is_cancelled, answer = loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    charged = [charge.task_id for charge in sandbox.charges if charge.request["prompt"] == song]
    if charged == [answer]:
        found.once += 1
    elif len(charged) < 2 and (answer or "").startswith("unknown_outcome"):
        found.unknown += 1
    else:
        found.wrong.append(f"{song}: charged {charged}, and the retry got {answer}")
    found.cancelled += is_cancelled
    return is_cancelled


def main() -> None:
    """Print the counts of each ledger and each kind of cancellation."""
    with tempfile.TemporaryDirectory() as directory, ProducerSandbox(render_seconds=0) as sandbox:
        kinds: list[Victims] = ["caller", "all"]
        ledgers: list[Ledger] = [MemoryLedger(), SqliteLedger(Path(directory) / "ledger.sqlite")]
        total: Counter[str] = Counter()
        for ledger in ledgers:
            for victims in kinds:
                found = cancel_at_each_step(sandbox, ledger, victims)
                print(f"{type(ledger).__name__}, {victims}: cancelled at {found.cancelled} steps;", end=" ")
                print(f"{found.once} charged once, {found.unknown} unknown, {len(found.wrong)} wrong", flush=True)
                print(*found.wrong[:10], sep="\n")
                total["wrong"] += len(found.wrong)
    if total["wrong"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
