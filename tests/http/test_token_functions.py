"""A client whose token is a function: it serves the user for whom each LangChain run is."""

import asyncio
import inspect
import pickle
import traceback
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig, RunnableLambda
from pydantic import SecretStr

import producer_tools
from producer_tools import (
    AuthenticationError,
    ConfigurationError,
    MissingTokenError,
    ProducerClient,
    ProducerGetTask,
    SqliteLedger,
)
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.http.test_tokens import tokens
from tests.raw_server import RESET, answering, http

PENDING = http({"id": "t1", "state": "pending"})
COMPLETE = http({"items": [{"id": "t1", "state": "complete", "response": {"success": True}}]})
REFUSED = http({"error": {"code": "token_expired", "message": "expired"}}, "401 Unauthorized")


def as_user(name: str) -> RunnableConfig:
    return {"configurable": {"user": name}}


def token_of_user(config: RunnableConfig) -> str | None:
    name = config.get("configurable", {}).get("user")
    return name and f"token-of-{name}"


async def token_from_vault(config: RunnableConfig) -> SecretStr | None:
    await asyncio.sleep(0)
    token = token_of_user(config)
    return None if token is None else SecretStr(token)


def test_every_async_call_of_a_client_asks_the_function() -> None:
    """A new call that forgets it would find no token, although the function returns one."""
    calls = inspect.getmembers(ProducerClient, inspect.iscoroutinefunction)
    not_asking = {name for name, call in calls if name[0] != "_" and not hasattr(call, "__wrapped__")}
    assert not_asking == {"aclose", "fetch_prices"}, "give the others the decorator for_user"


@pytest.mark.parametrize("function", [token_of_user, token_from_vault], ids=["sync", "async"])
async def test_each_run_has_the_token_of_its_user(function: Any) -> None:
    """Otherwise one user would pay for another's song: in tools, sync or async, or in the application's own code."""
    async with (
        answering(PENDING) as server,
        ProducerClient(function, server.base_url, poll_interval=0) as client,
    ):
        tool = ProducerGetTask(client=client)
        names = [f"user-{number}" for number in range(4)]
        await asyncio.gather(*(tool.ainvoke({"task_id": name}, as_user(name)) for name in names))
        await asyncio.to_thread(tool.invoke, {"task_id": "sync"}, as_user("sync"))
        step = RunnableLambda(client.get_task_sync)
        await asyncio.to_thread(step.invoke, "own", as_user("own"))
    for raw in server.requests:
        head, body = raw.decode().split("\r\n\r\n")
        name = body.split('"id": "')[1].split('"')[0]
        assert f"Bearer token-of-{name}\r" in head + "\r"
    assert len(server.requests) == 6


async def test_a_block_wins_over_the_function_and_the_environment_is_never_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With another order, a call for nobody would be paid from the application's account."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "environment")
    asked: list[RunnableConfig] = []

    def function(config: RunnableConfig) -> str | None:
        asked.append(config)
        return None

    async with answering(PENDING) as server, ProducerClient(function, server.base_url, poll_interval=0) as client:
        with producer_tools.api_token("block"):
            await client.get_task("t1")
        assert asked == []
        with pytest.raises(MissingTokenError, match="returned no token, so nothing was sent"):
            await client.get_task("t1")
        [outside_of_a_run] = asked
        assert not outside_of_a_run["configurable"]
    assert tokens(server) == ["block"]


def failing(_: RunnableConfig) -> str:
    raise KeyError("sk-secret-of-ada")


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (failing, r"raised KeyError \(test_token_functions\.py, line \d+\)"),
        (lambda _: "  ", "returned no token"),
        (lambda _: {"token": "sk-secret-of-ada"}, "returned an object of the type dict"),
        (lambda: "sk-secret-of-ada", "raised TypeError"),
    ],
    ids=["raises", "blank", "no text", "wrong signature"],
)
async def test_without_a_token_nothing_is_sent_and_none_is_shown(function: Any, problem: str) -> None:
    """A vault's error may quote a token. It would end up in the answer to a model, in a log or in a traceback."""
    client = ProducerClient(function, "http://127.0.0.1:1", clock=InstantClock())
    calls: list[Callable[[], Any]] = [
        lambda: client.submit(GenerateMusic(prompt="x"), key="k"),
        lambda: client.get_task("t1"),
        lambda: client.get_tasks(["t1"]),
        lambda: client.wait(["t1"], 1),
        lambda: anext(client.watch(["t1"])),
        client.settle,
        client.spent,
        lambda: client.adopt("k", "t1"),
        lambda: client.release("k"),
    ]
    for call in calls:
        with pytest.raises(MissingTokenError, match=problem) as caught:
            await call()
        assert caught.value.code == "no_user_token"
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert "sk-secret-of-ada" not in "".join(shown.format())
    await client.aclose()


async def test_the_function_is_called_once_for_each_call(sandbox: ProducerSandbox) -> None:
    """If it were called for each attempt, the account could change in the middle of a paid call."""
    asked: list[str] = []

    def function(_: RunnableConfig) -> str:
        asked.append("asked")
        return f"{sandbox.api_token}\n"

    async with ProducerClient(function, sandbox.base_url, clock=InstantClock()) as client:
        for _ in range(2):
            sandbox.fail_next(Fault.RATE_LIMITED, endpoint="/producer/audios")
        task = await client.submit(GenerateMusic(prompt="x"))
        assert len(asked) == 1
    async with ProducerClient(function, sandbox.base_url, poll_interval=0) as client:
        await client.wait([str(task.task_id)], 60)
        assert len(asked) == 2
    assert len(sandbox.charges) == 1


async def test_a_wait_goes_on_when_its_token_was_renewed() -> None:
    """A wait takes minutes, and a token may expire earlier: the user would be told that a paid song cannot be had."""
    answers = ["old", "new"]
    pending = http({"items": [{"id": "t1", "state": "pending"}]})
    async with (
        answering(pending, REFUSED, pending, COMPLETE) as server,
        ProducerClient(lambda _: answers.pop(0), server.base_url, poll_interval=0) as client,
    ):
        states = [task.state async for task in client.watch(["t1"])]
    assert states == ["pending", "complete"], "each change is told once"
    assert tokens(server) == ["old", "old", "new", "new"]


async def test_a_wait_with_a_token_that_stays_refused_ends() -> None:
    """Otherwise the client would ask the function again for ever."""
    async with (
        answering(REFUSED) as server,
        ProducerClient(lambda _: "old", server.base_url, poll_interval=0) as client,
    ):
        with pytest.raises(AuthenticationError):
            await client.wait(["t1"], 600)
    assert tokens(server) == ["old"]


async def test_a_wait_ends_when_each_new_token_is_refused_too() -> None:
    """A function that makes a token each time would be asked, and the service with it, hundreds of times a second."""
    numbers = count()
    async with (
        answering(REFUSED) as server,
        ProducerClient(lambda _: f"token-{next(numbers)}", server.base_url, poll_interval=0) as client,
    ):
        with pytest.raises(AuthenticationError):
            await asyncio.wait_for(client.wait(["t1"], 600), 30)
    assert tokens(server) == ["token-0", "token-1"]


async def test_a_run_that_is_started_during_another_users_call_has_a_token_of_its_own() -> None:
    """An application that starts the next job when a song is there would let the first user pay for the second one."""

    async def submit(_: str) -> None:
        await client.submit(GenerateMusic(prompt="of bob"))

    runs: list[asyncio.Task[Any]] = []

    async def wait(_: str) -> None:
        def start_next(_: Any) -> None:
            runs.append(asyncio.ensure_future(RunnableLambda(submit).ainvoke("", as_user("bob"))))

        await client.wait(["t1"], 60, start_next)

    async with answering(COMPLETE, PENDING) as server, ProducerClient(token_of_user, server.base_url) as client:
        await RunnableLambda(wait).ainvoke("", as_user("ada"))
        await asyncio.gather(*runs)
    assert tokens(server) == ["token-of-ada", "token-of-bob"]


async def test_users_have_their_own_keys_and_statements(tmp_path: Path) -> None:
    """Two users with the same key: with one entry for both, the second would get the first one's song."""
    with ProducerSandbox(render_seconds=0, api_token="token-of-ada") as sandbox:
        sandbox.add_user("token-of-bob")
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        async with ProducerClient(token_from_vault, sandbox.base_url, ledger=ledger, poll_interval=0) as client:

            async def submit(name: str) -> str | None:
                return (await client.submit(GenerateMusic(prompt=name), key="k")).task_id

            async def spent(_: str) -> list[str | None]:
                return [call.task_id for call in (await client.spent()).calls]

            for name in ("ada", "bob"):
                task_id = await RunnableLambda(submit).ainvoke(name, as_user(name))
                assert await RunnableLambda(spent).ainvoke(name, as_user(name)) == [task_id]
        assert [charge.request["prompt"] for charge in sandbox.charges] == ["ada", "bob"]
        assert len({charge.user_id for charge in sandbox.charges}) == 2


async def test_another_client_does_not_get_the_answer_of_the_function() -> None:
    """The other client may be of another service, which would get a token of this one."""
    async with (
        answering(COMPLETE) as server,
        answering(PENDING) as other_server,
        ProducerClient(lambda _: "user", server.base_url, poll_interval=0) as client,
        ProducerClient("other", other_server.base_url, poll_interval=0) as other,
    ):
        looking: list[asyncio.Task[Any]] = []
        await client.wait(["t1"], 60, lambda _: looking.append(asyncio.ensure_future(other.get_task("t1"))))
        await asyncio.gather(*looking)
    assert tokens(other_server) == ["other"]


def test_a_copy_asks_the_same_function(tmp_path: Path) -> None:
    """With the environment's token instead, a worker would pay from the application's account."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    pickled = pickle.dumps(ProducerClient(failing, "http://127.0.0.1:1", ledger=ledger))
    copy = pickle.loads(pickled)  # noqa: S301 - made here
    with pytest.raises(MissingTokenError, match="raised KeyError"):
        copy.get_task_sync("t1")


@pytest.mark.parametrize("function", [partial(token_of_user), lambda _: "sk-secret"], ids=["object", "lambda"])
def test_a_function_that_may_hold_tokens_is_not_pickled(function: Any, tmp_path: Path) -> None:
    """The token would be in a queue or a file."""
    client = ProducerClient(function, "http://127.0.0.1:1", ledger=SqliteLedger(tmp_path / "ledger.sqlite"))
    with pytest.raises(ConfigurationError, match="a function of a module"):
        pickle.dumps(client)


def test_something_else_is_refused_at_once_and_not_shown() -> None:
    """Otherwise the error comes with the first call, far from the line that has the mistake."""
    with pytest.raises(ConfigurationError, match="it is of type bytes") as caught:
        ProducerClient(b"sk-secret", "http://127.0.0.1:1")  # type: ignore[arg-type]  # what is tested
    assert "sk-secret" not in str(caught.value)


async def test_a_lost_answer_is_searched_for_with_the_same_token() -> None:
    """The task would be searched for in another account, and the song be lost."""
    asked = iter(["first", "second", "third"])
    async with (
        answering(RESET, http({"items": []})) as server,
        ProducerClient(lambda _: next(asked), server.base_url, clock=InstantClock()) as client,
    ):
        with pytest.raises(producer_tools.SubmissionUnknownError):
            await client.submit(GenerateMusic(prompt="x"), key="k")
    assert set(tokens(server)) == {"first"}
    assert len(server.requests) > 1
