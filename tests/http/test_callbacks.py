"""Callbacks: they wake those who wait for a task, and bring the id of a submit whose answer was lost."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from producer_tools import CallbackReceiver, ProducerClient, ServerError, SubmissionUnknownError
from producer_tools.http.callbacks import LARGEST_BODY
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import Transport
from producer_tools.payment.keys import ledger_key
from producer_tools.requests import GenerateMusic, StemsMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock

SONG = GenerateMusic(prompt="x")


def key_of(url: str) -> str:
    """The part of a callback address that `CallbackReceiver.receive` takes."""
    return url.rpartition("/")[2]


async def submitted_elsewhere(sandbox: ProducerSandbox, request: GenerateMusic) -> str | None:
    """The task of a request of the same account, which another ledger has."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url) as other:
        return (await other.submit(request)).task_id


@asynccontextmanager
async def served_receiver(largest_body: int = 1024**2, lingering: float = 10.0) -> AsyncIterator[CallbackReceiver]:
    """A receiver that is served by a web application, as a user would do it.

    Args:
        largest_body: the application's own limit.
        lingering: for how many seconds its server goes on reading what was refused.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        receiver = CallbackReceiver(f"http://127.0.0.1:{listening.getsockname()[1]}/producer")
        app = web.Application(client_max_size=largest_body)
        app.add_subapp("/producer", receiver.application())
        runner = web.AppRunner(app, lingering_time=lingering)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        try:
            yield receiver
        finally:
            await runner.cleanup()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The body of each paid request; the answer to each is lost, and look-ups find nothing."""
    bodies: list[dict[str, Any]] = []

    async def post(_: Transport, __: str, body: dict[str, Any], *, paid: bool) -> dict[str, Any]:
        if not paid:
            return {}
        bodies.append(body)
        raise SubmissionUnknownError("timeout", "the answer was lost")

    monkeypatch.setattr(Transport, "post", post)
    return bodies


async def test_a_callback_ends_a_wait_at_once() -> None:
    """The poll interval is an hour, so without the callback the wait would not end during the test."""
    with ProducerSandbox(render_seconds=3600) as sandbox:
        async with (
            served_receiver() as receiver,
            ProducerClient(sandbox.api_token, sandbox.base_url, callbacks=receiver, poll_interval=3600) as client,
        ):
            task = await client.submit(SONG)
            waiting = asyncio.create_task(client.wait([str(task.task_id)], 7200))
            await asyncio.sleep(0)
            sandbox.finish_now()
            batch = await waiting
    assert batch.tasks[0].state == "complete"


async def test_a_submit_whose_answer_was_lost_gets_its_id_from_the_callback() -> None:
    """The song was paid for; without the callback, nobody would ever learn its id."""
    with ProducerSandbox(render_seconds=0) as sandbox:
        async with (
            served_receiver() as receiver,
            ProducerClient(sandbox.api_token, sandbox.base_url, callbacks=receiver, poll_interval=0) as client,
        ):
            sandbox.fail_next(Fault.RESET_AFTER_WORK)
            task = await client.submit(SONG)
            assert (await client.get_task(str(task.task_id))).state == "complete"
        assert [charge.task_id for charge in sandbox.charges] == [task.task_id]


@pytest.mark.parametrize(
    "forged",
    [
        "an unknown id",
        "another account's task",
        "another request's task",
        "a task of other software",
        "the same song under another key",
    ],
)
async def test_a_forged_callback_never_becomes_the_task(forged: str) -> None:
    """Whoever knows the address can post any id: the caller would get another's song, and never the one it paid for."""
    receiver = CallbackReceiver("http://127.0.0.1:9/producer", secret="a secret of the application")
    with ProducerSandbox(render_seconds=3600) as sandbox:
        sandbox.listing.answer = "forbidden"  # so that only callbacks bring ids
        stranger = sandbox.add_user()
        clients = {
            token: ProducerClient(token, sandbox.base_url, callbacks=receiver, poll_interval=0, clock=InstantClock())
            for token in (sandbox.api_token, stranger.api_token)
        }
        client = clients[sandbox.api_token]
        task_ids = {
            "an unknown id": "00000000-0000-0000-0000-000000000000",
            "another account's task": (await clients[stranger.api_token].submit(SONG, key="key")).task_id,
            "another request's task": (await client.submit(GenerateMusic(prompt="y"), key="y")).task_id,
            "a task of other software": await submitted_elsewhere(sandbox, GenerateMusic(prompt="z")),
            "the same song under another key": (await client.submit(SONG, key="another")).task_id,
        }
        address = key_of(receiver.address(ledger_key("key", token_id(sandbox.api_token))))
        assert receiver.receive(address, json.dumps({"task_id": task_ids[forged]}).encode()) == 204
        sandbox.fail_next(Fault.RESET_AFTER_WORK)
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="key")
        paid = sandbox.charges[-1].task_id
        assert receiver.receive(address, json.dumps({"task_id": paid}).encode()) == 204
        assert (await client.submit(SONG, key="key")).task_id == paid
        for each in clients.values():
            await each.aclose()
    assert len(sandbox.charges) == 5


async def test_a_forged_callback_does_not_keep_the_listing_from_finding_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stranger could make every lost answer an unknown outcome, with ids that the service cannot look up."""
    receiver, post = CallbackReceiver("http://127.0.0.1:9/producer"), Transport.post

    async def failing(self: Transport, endpoint: str, body: dict[str, Any], *, paid: bool) -> Any:
        if body.get("id") == "forged":
            raise ServerError("api_error", "this id cannot be looked up")
        return await post(self, endpoint, body, paid=paid)

    monkeypatch.setattr(Transport, "post", failing)
    clock = InstantClock()
    with ProducerSandbox(clock=clock) as sandbox:
        address = key_of(receiver.address(ledger_key("key", token_id(sandbox.api_token))))
        receiver.receive(address, b'{"task_id": "forged"}')
        async with ProducerClient(sandbox.api_token, sandbox.base_url, callbacks=receiver, clock=clock) as client:
            sandbox.fail_next(Fault.RESET_AFTER_WORK)
            task = await client.submit(SONG, key="key")
        assert [charge.task_id for charge in sandbox.charges] == [task.task_id]


async def test_a_listing_without_an_answer_does_not_hide_what_a_callback_has_brought(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each search would wait for the list until its time is over, and never look at the callbacks."""

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    receiver, clock = CallbackReceiver("http://127.0.0.1:9/producer"), InstantClock()
    with ProducerSandbox(clock=clock) as sandbox:
        sandbox.listing.answer = "forbidden"
        async with ProducerClient(sandbox.api_token, sandbox.base_url, callbacks=receiver, clock=clock) as client:
            sandbox.fail_next(Fault.RESET_AFTER_WORK)
            with pytest.raises(SubmissionUnknownError):
                await client.submit(SONG, key="key")
            (charge,) = sandbox.charges
            address = key_of(receiver.address(ledger_key("key", token_id(sandbox.api_token))))
            receiver.receive(address, json.dumps({"task_id": charge.task_id}).encode())
            monkeypatch.setattr("producer_tools.tasks.listing.Listing.find", hang)
            assert (await asyncio.wait_for(client.submit(SONG, key="key"), 30)).task_id == charge.task_id


async def test_without_a_callback_in_time_the_outcome_stays_unknown(sent: list[dict[str, Any]]) -> None:
    """A callback that comes after the submit has given up is accepted and does no harm."""
    receiver = CallbackReceiver("http://127.0.0.1:9")
    async with ProducerClient("t", "http://127.0.0.1:9", callbacks=receiver, clock=InstantClock()) as client:
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG)
    assert len(sent) == 1
    assert receiver.receive(key_of(sent[0]["callback_url"]), b'{"task_id": "late"}') == 204


async def test_each_song_gets_its_own_address_unless_the_caller_gave_one(sent: list[dict[str, Any]]) -> None:
    """A shared or guessable address would let one song's callback be taken for another's."""
    receiver = CallbackReceiver("https://app.example/producer/")
    async with ProducerClient("t", "http://127.0.0.1:9", callbacks=receiver, clock=InstantClock()) as client:
        for request in (SONG, SONG, StemsMusic(audio_id="a", callback_url="https://mine.example/")):
            with pytest.raises(SubmissionUnknownError):
                await client.submit(request)
    urls = [body["callback_url"] for body in sent]
    assert urls[2] == "https://mine.example/"
    assert len(set(urls)) == 3
    assert all(url.startswith("https://app.example/producer/") and len(url) > 55 for url in urls[:2])


async def test_all_attempts_of_a_request_have_one_address() -> None:
    """A callback of the first attempt would be missed if the second one waited at another address."""
    receiver = CallbackReceiver("http://127.0.0.1:9/producer")
    with ProducerSandbox(render_seconds=3600) as sandbox:
        async with ProducerClient(
            sandbox.api_token, sandbox.base_url, callbacks=receiver, clock=InstantClock()
        ) as client:
            sandbox.fail_next("rate_limited")
            await client.submit(SONG, key="one")
        account = token_id(sandbox.api_token)
    assert [sent.body["callback_url"] for sent in sandbox.requests] == [receiver.address(ledger_key("one", account))]


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
async def test_any_request_gets_a_fitting_status(body: bytes, status: int) -> None:
    """The address is open to the internet, so nothing that is posted to it may raise."""
    async with served_receiver() as receiver, aiohttp.ClientSession() as session:
        url = receiver.address("key")
        async with session.post(url, data=BytesIO(body)) as answer:
            assert answer.status == status
        async with session.post(url + "x", data=BytesIO(body)) as answer:
            assert answer.status == 404
        async with session.get(url) as answer:
            assert answer.status == 405


@pytest.mark.parametrize("largest_body", [100, 1024**3])
async def test_the_limit_of_the_surrounding_application_does_not_count(largest_body: int) -> None:
    """A callback would be refused, or anybody who knows an address could fill the memory."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1000:
            sent += 1
            yield bytes(LARGEST_BODY)

    async with served_receiver(largest_body, lingering=0.2) as receiver, aiohttp.ClientSession() as session:
        url = receiver.address("key")
        async with session.post(url, data=json.dumps({"task_id": "t1", "data": "x" * 5000})) as answer:
            assert answer.status == 204
        async with session.post(url, data=endless()) as answer:
            assert answer.status == 413
    assert sent < 100
