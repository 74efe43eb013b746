"""One client serves many users: their calls share no request, no limit and no waiting time."""

import asyncio
import gc
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from producer_tools import ProducerClient, api_token
from producer_tools.concurrency.clock import Clock
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import Transport
from tests.clocks import InstantClock, ManualClock, VirtualClock
from tests.raw_server import answering, http
from tests.tasks.test_shared_looks import turns
from tests.tasks.timed_service import SONG


class Accounts:
    """Answers in place of the API, and notes whose token each request carries.

    Attributes:
        requests: the token, the task ids (none for a submit) and the time of each request.
        hanging: requests with one of these tokens get no answer until `answers` is set.
        answers: lets the hanging requests be answered.
        finish_at: when all tasks are finished.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.requests: list[tuple[str, tuple[str, ...], float]] = []
        self.hanging: set[str] = set()
        self.answers = asyncio.Event()
        self.finish_at = 0.0

    @asynccontextmanager
    async def client(self, own_token: str | None = None, **settings: Any) -> AsyncIterator[ProducerClient]:
        accounts = self

        async def post(transport: Transport, _: str, body: Mapping[str, Any], **__: object) -> dict[str, Any]:
            return await accounts.answer(transport.token().get_secret_value(), body)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Transport, "post", post)
            async with ProducerClient(own_token, "http://127.0.0.1:9", clock=self.clock, **settings) as client:
                yield client

    async def answer(self, token: str, body: Mapping[str, Any]) -> dict[str, Any]:
        ids = tuple(body["ids"]) if "ids" in body else tuple(filter(None, [body.get("id")]))
        self.requests.append((token, ids, self.clock.now()))
        await asyncio.sleep(0)
        if token in self.hanging:
            await self.answers.wait()
        state = "complete" if self.clock.now() >= self.finish_at else "pending"
        records = [{"id": task_id, "state": state, "response": {"success": state == "complete"}} for task_id in ids]
        return {"items": records} if "ids" in body else (records or [{"task_id": f"of {token}"}])[0]


async def test_hanging_submits_of_one_user_do_not_hold_up_another() -> None:
    """The service allows five in flight for each token: five that hung stopped every user of the server."""
    accounts = Accounts(ManualClock())
    accounts.hanging = {"slow"}
    async with accounts.client() as client:
        with api_token("slow"):
            hanging = [asyncio.create_task(client.submit(SONG)) for _ in range(6)]
        while len(accounts.requests) < 5:
            await asyncio.sleep(0)
        await turns()
        with api_token("quick"):
            assert (await client.submit(SONG)).task_id == "of quick"
        assert (len(accounts.requests), client.paid_in_flight) == (6, 5), "the slow user's sixth submit waits"
        for each in hanging:
            each.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        accounts.answers.set()  # the five go on without their callers, and closing the client waits for them


async def test_look_ups_of_one_user_do_not_use_up_the_rate_of_another() -> None:
    """The service allows 60 a second for each token: a busy user delayed everybody's look-ups."""
    clock = InstantClock()
    accounts = Accounts(clock)
    async with accounts.client(poll_interval=0) as client:
        with api_token("busy"):
            for number in range(60):
                await client.get_task(f"t{number}")
        with api_token("other"):
            await client.get_task("a")
        assert clock.slept == []
        with api_token("busy"):
            await client.get_task("a")
        assert clock.slept == [1.0]


async def test_hanging_look_ups_of_one_user_do_not_use_up_the_connections_of_another() -> None:
    """Aiohttp opens 100 connections at most unless told otherwise, and the 101st request of the server would wait."""
    ended = asyncio.Event()

    async def reply(writer: asyncio.StreamWriter) -> None:
        if b"Bearer busy" in server.requests[-1]:
            await ended.wait()
        writer.write(http({"id": "a", "state": "pending"}))

    async with answering(reply) as server:
        async with ProducerClient(base_url=server.base_url, clock=InstantClock(), poll_interval=0) as client:
            with api_token("busy"):
                hanging = []
                for number in range(101):
                    hanging.append(asyncio.create_task(client.get_task(f"t{number}")))
                    await turns(4)
            with api_token("other"):
                assert await asyncio.wait_for(client.get_task("a"), 5)
            ended.set()
            await asyncio.gather(*hanging)
    assert len(server.requests) == 102


@pytest.mark.parametrize("how", ["get_task", "get_tasks", "wait"])
async def test_the_same_task_of_two_users_is_looked_up_with_the_token_of_each(how: str) -> None:
    """A shared answer would show one user's song to another; a shared interval would make one wait for the other."""
    clock = VirtualClock()
    accounts = Accounts(clock)
    began = clock.now()

    async def ask(token: str) -> None:
        with api_token(token):
            await (client.get_task("a") if how == "get_task" else getattr(client, how)(["a"], *[9] * (how == "wait")))

    async with accounts.client() as client:
        await asyncio.gather(*(ask(token) for token in ("one", "two", "one", "two")))
    assert sorted(accounts.requests) == [("one", ("a",), began), ("two", ("a",), began)]


async def test_waits_of_two_users_in_one_loop_keep_to_their_own_tokens() -> None:
    """Also in the rounds after the first, when one user's wait has ended and another has begun in its place."""
    clock = VirtualClock()
    accounts = Accounts(clock)
    accounts.finish_at = clock.now() + 22

    async def wait(token: str, timeout: float) -> None:
        with api_token(token):
            await client.wait([f"1 of {token}", f"2 of {token}"], timeout)

    async with accounts.client("the application's") as client:
        await asyncio.gather(wait("one", 7), wait("two", 100))
        await asyncio.gather(wait("one", 100), wait("three", 100), client.wait(["1 of the application's"], 100))
    assert {token for token, _, __ in accounts.requests} == {"one", "two", "three", "the application's"}
    assert all(task_id.endswith(f" of {token}") for token, ids, _ in accounts.requests for task_id in ids)


async def test_a_wait_keeps_its_token_when_the_environment_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is replaced while a wait goes on would look the songs up in another account, as not found."""
    clock = VirtualClock()
    accounts = Accounts(clock)
    accounts.finish_at = clock.now() + 12
    async with accounts.client() as client:
        monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "old")
        waiting = asyncio.create_task(client.wait(["a"], 100))
        while not accounts.requests:
            await asyncio.sleep(0)
        monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "new")
        await waiting
        await client.get_task("a")
    assert [token for token, _, __ in accounts.requests] == ["old", "old", "old", "old", "new"]


async def test_users_who_have_gone_leave_nothing_behind() -> None:
    """A server that meets a new token with every request would run out of memory."""
    clock = InstantClock()
    accounts = Accounts(clock)

    async def visit(numbers: range) -> int:
        for number in numbers:
            with api_token(f"user {number}"):
                await client.submit(SONG)
                await client.get_task("a")
                await client.wait(["b"], 9)
            clock.time += 0.1
        accounts.requests.clear()
        clock.slept.clear()
        gc.collect()
        return sum(isinstance(each, (deque, asyncio.Event)) for each in gc.get_objects())

    accounts.finish_at = clock.now() + 10**9
    async with accounts.client(poll_interval=0) as client:
        few = await visit(range(10))
        many = await visit(range(10, 110))
    assert many <= few + 10


def test_a_token_id_tells_tokens_apart_and_does_not_show_them() -> None:
    """It is a key of dictionaries and ledgers, which a memory dump, a traceback or a file may show."""
    assert token_id("token") == token_id(" token\n") == "3c469e9d6c5875d3"
    assert token_id("other") != token_id("token")
