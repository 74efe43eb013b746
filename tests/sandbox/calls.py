"""Plain HTTP requests to a sandbox, and a sandbox whose clock moves only when a test moves it."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from email.message import Message
from typing import Any, NamedTuple

from aiohttp import web

from producer_tools.sandbox import ProducerSandbox, User
from tests.api_contract import CONTRACT, check_answer
from tests.clocks import ManualClock

SONG_SECONDS = 8.0


class Answer(NamedTuple):
    status: int
    headers: Message
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def refusal(self) -> tuple[int, str]:
        """The status and the error's code, after checking the exact form of the error."""
        body = self.json
        assert set(body) == {"success", "error", "trace_id"}
        assert set(body["error"]) == {"code", "message"}
        assert body["success"] is False
        assert body["error"]["message"]
        return self.status, body["error"]["code"]


def send(
    url: str, body: bytes | None = None, headers: dict[str, str] | None = None, method: str | None = None
) -> Answer:
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=50) as response:  # noqa: S310 - loopback
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


class Api:
    """A running sandbox and its clock."""

    def __init__(self, sandbox: ProducerSandbox, clock: ManualClock) -> None:
        self.sandbox = sandbox
        self.clock = clock

    def post(self, path: str, body: object, user: User | None = None) -> Answer:
        """Send ``body`` to ``path`` as ``user``, by default the sandbox's first."""
        token = (user or self.sandbox.users[0]).api_token
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        answer = send(self.sandbox.base_url + path, json.dumps(body).encode(), headers)
        if path in CONTRACT["paths"]:
            check_answer(path, answer.status, answer.json)
        return answer

    def submit(self, action: str, **fields: object) -> str:
        """Submit to ``/producer/audios`` asynchronously; returns the task id."""
        answer = self.post("/producer/audios", {"action": action, "async": True, **fields})
        assert answer.status == 200, answer.json
        task_id = answer.json["task_id"]
        assert isinstance(task_id, str)
        return task_id

    def look_up(self, task_id: str) -> dict[str, Any]:
        answer = self.post("/producer/tasks", {"action": "retrieve", "id": task_id})
        assert answer.status == 200
        record = answer.json
        assert isinstance(record, dict)
        return record

    def look_up_after(self, task_id: str, seconds: float) -> dict[str, Any]:
        """Advance the clock by ``seconds``, and look the task up."""
        self.clock.advance(seconds)
        return self.look_up(task_id)

    def finish(self, task_id: str) -> Any:
        """Advance the clock by the time of a song; returns the ``response`` of the task's record."""
        return self.look_up_after(task_id, SONG_SECONDS)["response"]

    def make(self, action: str, **fields: object) -> Any:
        """The item that an action makes."""
        (item,) = self.finish(self.submit(action, **fields))["data"]
        return item

    def song(self, prompt: str = "a song", **fields: object) -> Any:
        return self.make("generate", prompt=prompt, **fields)

    def upload(self) -> str:
        """Upload audio; returns its audio id."""
        audio_id = self.post("/producer/upload", {"audio_url": "https://example.org/own.mp3"}).json["data"]["audio_id"]
        assert isinstance(audio_id, str)
        return audio_id

    @contextmanager
    def waiting_submits(self, count: int = 1, **delivery: object) -> Iterator[list[Future[Answer]]]:
        """Send ``count`` synchronous submits, and yield their futures when all of them wait for their songs."""
        with ThreadPoolExecutor(count) as threads:
            body = {"action": "generate", "prompt": "rain", **delivery}
            futures = [threads.submit(self.post, "/producer/audios", body) for _ in range(count)]
            self.clock.wait_for_sleepers(count)
            yield futures


class Receiver:
    """A web server that receives callbacks."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[Any] = asyncio.Queue()
        self.status = 200

    async def _receive(self, request: web.Request) -> web.Response:
        self.received.put_nowait(await request.json())
        return web.Response(status=self.status, headers={"Location": "/hook"})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        finally:
            await runner.cleanup()


@contextmanager
def serving(**options: Any) -> Iterator[Api]:
    """Run a sandbox on a clock that only the test moves; a song takes ``SONG_SECONDS``."""
    clock = ManualClock()
    with ProducerSandbox(**{"render_seconds": SONG_SECONDS, "clock": clock, **options}) as sandbox:
        yield Api(sandbox, clock)
