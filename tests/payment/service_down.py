"""A sandbox that can be down, and clients of it."""

from typing import Any

from producer_tools import Ledger, ProducerClient, ProducerToolError
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import ManualClock

SONG = GenerateMusic(prompt="rain")
DOWN = "service_unavailable"


class Down:
    """A sandbox and clients that share its clock."""

    def __init__(self, sandbox: ProducerSandbox, clock: ManualClock) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.clients: list[ProducerClient] = []

    def client(self, ledger: Ledger | None = None, **options: Any) -> ProducerClient:
        made = ProducerClient(
            self.sandbox.api_token, self.sandbox.base_url, poll_interval=0, ledger=ledger, clock=self.clock, **options
        )
        self.clients.append(made)
        return made

    @property
    def songs_sent(self) -> int:
        return sum(request.endpoint == "/producer/audios" for request in self.sandbox.requests)

    async def song(self, client: ProducerClient, key: str | None = None) -> str:
        """Submit a song and look it up; its state, or the code of the error."""
        try:
            task = await client.submit(SONG, key=key)
            return (await client.get_task(str(task.task_id))).state
        except ProducerToolError as error:
            return error.code

    async def songs(self, client: ProducerClient, number: int) -> list[str]:
        return [await self.song(client) for _ in range(number)]
