"""Which token a call carries, when one process serves many users."""

import asyncio
import contextvars
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import producer_tools
from producer_tools import ConfigurationError, MissingTokenError, ProducerClient, ProducerGetTask, SqliteLedger
from producer_tools.requests import GenerateMusic
from tests.clocks import InstantClock
from tests.raw_server import RawServer, answering, http

PENDING = http({"id": "t1", "state": "pending"})


def tokens(server: RawServer) -> list[str]:
    """The token of each request."""
    lines = [line for raw in server.requests for line in raw.decode().splitlines()]
    return [line.removeprefix("Authorization: Bearer ") for line in lines if line.startswith("Authorization")]


async def test_the_block_wins_over_the_client_which_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another order, a user's song would be paid from the application's account."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "environment")
    async with answering(PENDING) as server:
        own = ProducerGetTask(client=ProducerClient("client", server.base_url, poll_interval=0))
        bare = ProducerGetTask(client=ProducerClient(base_url=server.base_url, poll_interval=0))
        with producer_tools.api_token(" block\n"):
            await own.ainvoke({"task_id": "t1"})
            with producer_tools.api_token("inner-block"):
                await own.ainvoke({"task_id": "t1"})
        await own.ainvoke({"task_id": "t1"})
        await bare.ainvoke({"task_id": "t1"})
        await own.client.aclose()
        await bare.client.aclose()
    assert tokens(server) == ["block", "inner-block", "client", "environment"]


async def test_users_served_at_the_same_time_keep_their_own_tokens() -> None:
    """In async tasks, and in sync calls from many threads. Mixed up, one user would pay for another's song."""
    async with answering(PENDING) as server:
        client = ProducerClient(base_url=server.base_url, poll_interval=0)
        tool = ProducerGetTask(client=client)

        async def use_async(name: str) -> None:
            with producer_tools.api_token(name):
                await asyncio.sleep(0)
                await asyncio.gather(tool.ainvoke({"task_id": name}), tool.ainvoke({"task_id": name}))

        def use_sync(name: str) -> None:
            with producer_tools.api_token(name):
                tool.invoke({"task_id": name})

        await asyncio.gather(*(use_async(f"user-{n}") for n in range(8)))
        with ThreadPoolExecutor(8) as pool:
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(loop.run_in_executor(pool, use_sync, f"user-{n}") for n in range(8, 16)))
        await client.aclose()
    for raw in server.requests:
        head, body = raw.decode().split("\r\n\r\n")
        name = body.split('"id": "')[1].split('"')[0]
        assert f"Bearer {name}\r" in head + "\r"
    assert len(server.requests) == 16, "the two calls that a user makes at once share their request"


@pytest.mark.parametrize("blank", ["", "  "])
async def test_a_blank_token_is_not_replaced_by_another(blank: str) -> None:
    """If a user's token is missing, the call must not be paid from the application's account."""
    client = ProducerClient("application", "http://127.0.0.1:1")
    with producer_tools.api_token(blank), pytest.raises(MissingTokenError):
        await client.get_task("t")
    with pytest.raises(MissingTokenError):
        await ProducerClient(blank, "http://127.0.0.1:1").get_task("t")


async def test_a_token_that_no_header_can_carry_is_refused_and_not_shown() -> None:
    """Sent, it could add a header of its own."""
    with pytest.raises(ConfigurationError) as caught:
        await ProducerClient("tok\r\nX-Evil: 1", "http://127.0.0.1:1").get_task("t")
    assert "Evil" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize("copied", ["Bearer secret", "bearer secret", '"secret"', "'secret'"])
async def test_a_token_with_its_surroundings_is_refused_and_not_shown(copied: str) -> None:
    """The service would only say that it is wrong. Docker, for one, leaves the quotation marks of its variables."""
    with pytest.raises(ConfigurationError, match="Give the token alone") as caught:
        await ProducerClient(copied, "http://127.0.0.1:1").get_task("t")
    assert "secret" not in str(caught.value)


async def test_the_token_is_in_no_repr_no_error_and_no_pickle(tmp_path: Path) -> None:
    """Not even if the service quotes it in every part of an error; it would end up in logs."""
    token = "sk-a-very-secret-token"
    quoting = {"error": {"code": f"c-{token}", "message": f"bad token {token}"}, "trace_id": token}
    async with answering(http(quoting, "401 Unauthorized"), b"\x00not http\r\n\r\n") as server:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        client = ProducerClient(token, server.base_url, poll_interval=0, ledger=ledger, clock=InstantClock())
        errors: list[BaseException] = []
        for _ in range(2):
            with pytest.raises(producer_tools.ProducerError) as caught:
                await client.get_task("t")
            errors.append(caught.value)
        await client.aclose()
    shown = [repr(client), str(client), repr(ProducerGetTask(client=client)), repr(pickle.dumps(client))]
    while errors:
        error = errors.pop()
        errors.extend(linked for linked in (error.__cause__, error.__context__) if linked)
        shown += [repr(error), str(error), repr(vars(error))]
    assert token not in " ".join(shown)


async def test_a_client_that_acts_for_users_only_uses_no_other_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A call outside a block would be paid by the application, and nobody would see it."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "environment")
    async with answering(PENDING) as server:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        first = ProducerClient("application", server.base_url, poll_interval=0, ledger=ledger, require_user_token=True)
        for client in (first, pickle.loads(pickle.dumps(first))):  # noqa: S301 - made here
            async with client:
                for call in (client.get_task("t1"), client.get_tasks(["t1"]), client.wait(["t1"], 1)):
                    with pytest.raises(MissingTokenError, match="only acts for a user"):
                        await call
                with pytest.raises(MissingTokenError, match=r"contextvars\.copy_context\(\)\.run"):
                    await client.submit(GenerateMusic(prompt="x"))
                with producer_tools.api_token(" "), pytest.raises(MissingTokenError):
                    await client.get_task("t1")
                assert tokens(server) == []
                with producer_tools.api_token("user"):
                    await client.get_task("t1")
                assert tokens(server) == ["user"]
            server.requests.clear()


async def test_a_block_is_carried_into_a_plain_thread() -> None:
    """A thread starts without the context of who started it, so there the user's token would be missing."""
    outcomes: list[object] = []
    async with answering(PENDING) as server:
        client = ProducerClient(base_url=server.base_url, poll_interval=0, require_user_token=True)

        def look_up() -> None:
            try:
                outcomes.append(client.get_task_sync("t1").task_id)
            except MissingTokenError as error:
                outcomes.append(error.code)

        with producer_tools.api_token("user"):
            threads = [
                threading.Thread(target=look_up),
                threading.Thread(target=contextvars.copy_context().run, args=(look_up,)),
            ]
        for thread in threads:
            thread.start()
            await asyncio.to_thread(thread.join)
        await client.aclose()
    assert outcomes == ["no_user_token", "t1"]
    assert tokens(server) == ["user"]


async def test_a_blank_user_token_says_where_to_give_one(client: ProducerClient) -> None:
    """A person who is told to set the application's token would do so in vain: it is not used in its place."""
    with producer_tools.api_token(" "), pytest.raises(MissingTokenError, match=r"blank, .*api_token\(") as caught:
        await client.get_task("t1")
    assert caught.value.code == "no_user_token"
    assert "ACEDATACLOUD_API_TOKEN" not in str(caught.value)
