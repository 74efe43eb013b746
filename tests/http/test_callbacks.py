"""Callbacks: hints that make a look come sooner, and the way back to a submit whose answer was lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from producer_tools import CallbackReceiver, ProducerClient, SubmissionUnknownError
from producer_tools.http.callbacks import LARGEST_BODY
from producer_tools.http.transport import Transport
from producer_tools.requests import GenerateMusic, StemsMusic
from producer_tools.sandbox import ProducerSandbox

SONG = GenerateMusic(prompt="x")


@asynccontextmanager
async def served() -> AsyncIterator[CallbackReceiver]:
    """A receiver inside a web application of the user's own."""
    app = web.Application()
    runner = web.AppRunner(app)
    receiver = CallbackReceiver("http://127.0.0.1:0/producer")
    app.add_subapp("/producer", receiver.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver._public_url = f"http://127.0.0.1:{runner.addresses[0][1]}/producer"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def test_a_callback_wakes_a_wait_at_once() -> None:
    """With looks an hour apart, only the callback can end the wait within the test's patience."""
    with ProducerSandbox(render_seconds=0.05) as sandbox:
        async with (
            served() as receiver,
            ProducerClient(sandbox.api_token, sandbox.base_url, callbacks=receiver, poll_interval=3600) as client,
        ):
            task = await client.submit(SONG)
            batch = await asyncio.wait_for(client.wait([str(task.task_id)], 7200), 10)
    assert batch.tasks[0].state == "complete"


async def test_a_submit_whose_answer_was_lost_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The song was paid for: without the callback nobody would ever learn its id."""
    post = Transport.post

    async def losing(self: Transport, endpoint: str, body: dict[str, Any], *, paid: bool) -> dict[str, Any]:
        answer = await post(self, endpoint, body, paid=paid)
        if paid:
            raise SubmissionUnknownError("timeout", "lost on the way")
        return answer

    monkeypatch.setattr(Transport, "post", losing)
    with ProducerSandbox(render_seconds=0.05) as sandbox:
        async with (
            served() as receiver,
            ProducerClient(sandbox.api_token, sandbox.base_url, callbacks=receiver, poll_interval=0) as client,
        ):
            task = await client.submit(SONG)
            assert (await client.get_task(str(task.task_id))).state == "complete"
            assert [charge.task_id for charge in sandbox.charges] == [task.task_id]


async def test_a_submit_that_never_arrived_stays_unknown(
    client: ProducerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object, **__: object) -> None:
        raise SubmissionUnknownError("timeout", "lost on the way")

    receiver = CallbackReceiver("http://127.0.0.1:9")
    client._submissions._callbacks = receiver
    monkeypatch.setattr(Transport, "post", lost)
    monkeypatch.setattr("producer_tools.payment.submit._CALLBACK_SECONDS", 0)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG)
    [expected] = receiver._expected.values()
    assert receiver.receive(expected.url.rpartition("/")[2], b'{"task_id": "late"}') == 204


async def test_only_songs_without_an_address_of_the_callers_get_one(
    client: ProducerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    async def post(_: object, __: object, body: dict[str, Any], **___: object) -> dict[str, Any]:
        sent.append(body)
        return {"task_id": "t"}

    monkeypatch.setattr(Transport, "post", post)
    client._submissions._callbacks = CallbackReceiver("https://app.example/producer/")
    await client.submit(SONG)
    await client.submit(SONG)
    await client.submit(StemsMusic(audio_id="a", callback_url="https://mine.example/"))
    urls = [body["callback_url"] for body in sent]
    assert urls[2] == "https://mine.example/"
    assert len(set(urls)) == 3
    assert all(url.startswith("https://app.example/producer/") and len(url) > 55 for url in urls[:2])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"task_id": "t1", "success": true}', 204),
        (b'{"task_id": " "}', 400),
        (b'{"task_id": 7}', 400),
        (b"[]", 400),
        (b"not json", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b"x" * (LARGEST_BODY + 1), 413),
    ],
)
async def test_whatever_is_posted_does_no_harm(body: bytes, status: int) -> None:
    async with served() as receiver, aiohttp.ClientSession() as session:
        url = receiver.expect().url
        async with session.post(url, data=BytesIO(body)) as answer:
            assert answer.status == status
        async with session.post(url + "x", data=BytesIO(body)) as answer:
            assert answer.status == (404 if status != 413 else 413)
        async with session.get(url) as answer:
            assert answer.status == 405


def test_the_first_id_of_an_address_stands() -> None:
    """Whoever got hold of an address can make us look again, but not put another task in a song's place."""
    receiver = CallbackReceiver("http://127.0.0.1:9")
    hints: list[str] = []
    receiver.on_callback(hints.append)
    expected = receiver.expect()
    key = expected.url.rpartition("/")[2]
    for task_id in ("real", "forged", "real"):
        assert receiver.receive(key, json.dumps({"task_id": task_id}).encode()) == 204
    assert expected.task_id.result() == "real"
    assert hints == ["real", "real", "real"]


def test_addresses_are_forgotten_in_the_end() -> None:
    receiver = CallbackReceiver("http://127.0.0.1:9")
    for _ in range(10_005):
        receiver.expect()
    assert len(receiver._expected) == 10_000


@pytest.mark.parametrize(
    ("method", "chunks", "status"),
    [
        ("POST", [b'{"task_id"', b': "t1"}'], 204),
        ("POST", [b"x" * LARGEST_BODY, b"y", b"z"], 413),
        ("GET", [b""], 405),
    ],
)
async def test_asgi(method: str, chunks: list[bytes], status: int) -> None:
    receiver = CallbackReceiver("http://127.0.0.1:9/producer")
    path = "/producer/" + receiver.expect().url.rpartition("/")[2]
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await receiver.asgi({"type": "http", "method": method, "path": path}, receive, send)
    assert sent[0]["status"] == status
    await receiver.asgi({"type": "lifespan"}, receive, send)
