"""One ledger for many accounts: each has keys of its own, and neither sees nor changes the requests of another."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore

from producer_tools import (
    AuthenticationError,
    Ledger,
    MemoryLedger,
    MissingTokenError,
    ProducerClient,
    ProducerGenerateMusic,
    StoreLedger,
    SubmissionUnknownError,
    api_token,
)
from producer_tools.http.tokens import token_id
from producer_tools.payment.entry import Entry
from producer_tools.payment.keys import fingerprint
from producer_tools.requests import AUDIOS, GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.langgraph.fake_model import FakeModel
from tests.payment.ledgers import answer
from tests.payment.test_tool_call_keys import CONFIG, calling

SONG = GenerateMusic(prompt="a waltz")
TANGO = GenerateMusic(prompt="a tango")


def shared_client(sandbox: ProducerSandbox, ledger: Ledger | None) -> ProducerClient:
    """A server's client, which has no token of its own."""
    return ProducerClient(base_url=sandbox.base_url, ledger=ledger, clock=InstantClock())


def owners(sandbox: ProducerSandbox) -> dict[str, str]:
    """The account of each task that was charged."""
    return {charge.task_id: charge.user_id for charge in sandbox.charges}


@pytest.mark.parametrize("name", ["{key}", "{account}/{key}"], ids=["the same key", "the name of the other's entry"])
async def test_one_key_of_two_accounts_is_two_songs(name: str, ledger: Ledger, sandbox: ProducerSandbox) -> None:
    """The second user would get the first one's song, and with it what the first one has asked for."""
    ada, bob = sandbox.users[0], sandbox.add_user()
    keys = {ada: "k", bob: name.format(key="k", account=token_id(ada.api_token))}
    async with shared_client(sandbox, ledger) as client:
        made: dict[str, str | None] = {}
        for user, request in ((ada, SONG), (bob, SONG), (ada, SONG), (bob, SONG)):
            with api_token(user.api_token):
                task = await client.submit(request, key=keys[user])
            assert made.setdefault(user.user_id, task.task_id) == task.task_id
    assert owners(sandbox) == {task_id: user for user, task_id in made.items()}


def tool_graph(tool: Any, store: Any) -> Any:
    builder: Any = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([tool]))
    return builder.add_edge(START, "tools").compile(checkpointer=InMemorySaver(), store=store)


def agent(tool: Any, store: Any) -> Any:
    """An agent whose model gives its message and its call the same ids each time."""
    answers: list[Callable[[str], AIMessage]] = [lambda _: calling(message_id="m"), lambda _: AIMessage("done")]
    return create_agent(FakeModel(answers=answers), [tool], checkpointer=InMemorySaver(), store=store)


@pytest.mark.parametrize("build", [tool_graph, agent])
async def test_users_with_equal_thread_and_call_ids_get_their_own_songs(
    build: Callable[[Any, Any], Any], ledger: Ledger, sandbox: ProducerSandbox
) -> None:
    """Both ids may be chosen by a client of the server, and models number their calls."""
    store = InMemoryStore() if isinstance(ledger, StoreLedger) else None
    given = HumanMessage("a waltz") if build is agent else calling(message_id="m")
    users = [sandbox.users[0], sandbox.add_user()]
    async with shared_client(sandbox, None if store else ledger) as client:

        async def song_of(token: str) -> Any:
            with api_token(token):
                state = await build(ProducerGenerateMusic(client=client), store).ainvoke({"messages": [given]}, CONFIG)
            (message,) = (each for each in state["messages"] if isinstance(each, ToolMessage))
            return message

        songs = await asyncio.gather(*(song_of(user.api_token) for user in users * 2))
        stranger = await song_of("a wrong token")
    ids = [song.artifact["task_id"] for song in songs]
    assert ids[:2] == ids[2:]
    assert owners(sandbox) == dict(zip(ids[:2], (user.user_id for user in users), strict=True))
    assert stranger.status == "error"
    assert not any(task_id in str(stranger) for task_id in ids)


@pytest.mark.parametrize("request_", [SONG, TANGO], ids=["the same request", "another request"])
@pytest.mark.parametrize("name", ["k", "{account}/k"], ids=["key", "entry"])
async def test_an_invalid_token_learns_nothing_from_anothers_key(
    name: str, request_: GenerateMusic, ledger: Ledger, sandbox: ProducerSandbox
) -> None:
    """Whoever guesses a key would get the task, or be told its id as that of a conflict."""
    async with shared_client(sandbox, ledger) as client:
        with api_token(sandbox.api_token):
            task = await client.submit(SONG, key="k")
        before = await ledger.entries()
        with api_token("a wrong token"), pytest.raises(AuthenticationError) as refused:
            await client.submit(request_, key=name.format(account=token_id(sandbox.api_token)))
    assert (refused.value.task_id, str(task.task_id) in str(refused.value)) == (None, False)
    assert await ledger.entries() == before


@pytest.mark.parametrize("name", ["k", "{account}/k"], ids=["key", "entry"])
async def test_nobody_settles_or_sees_the_requests_of_another_account(
    name: str, ledger: Ledger, sandbox: ProducerSandbox
) -> None:
    """A stranger could have a song paid for twice, or give its owner a task of the stranger's choice."""
    sandbox.listing.answer = "forbidden"
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    key = name.format(account=token_id(sandbox.api_token))
    async with shared_client(sandbox, ledger) as client:
        with api_token(sandbox.api_token), pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k")
        before = await ledger.entries()
        with api_token(sandbox.add_user().api_token):
            for change in (client.release(key), client.adopt(key, "stolen")):
                with pytest.raises(KeyError):
                    await change
            assert await client.settle() == []
            assert (await client.spent()).calls == ()
        assert await ledger.entries() == before
        with api_token(sandbox.api_token):
            await client.adopt(key, sandbox.charges[0].task_id)
            assert (await client.submit(SONG, key="k")).task_id == sandbox.charges[0].task_id
            assert len((await client.spent()).calls) == 1
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("block", [nullcontext(), api_token(" ")], ids=["no block", "a blank token"])
async def test_a_call_without_its_users_token_settles_nothing(block: Any, sandbox: ProducerSandbox) -> None:
    """It would be taken for one of a person who has the ledger, and could name anybody's entry."""
    ledger, only_for_users = MemoryLedger(), isinstance(block, nullcontext)
    await ledger.begin(Entry(key="account/k", fingerprint="2:", account="account"))
    before = await ledger.entries()
    async with ProducerClient(base_url=sandbox.base_url, ledger=ledger, require_user_token=only_for_users) as client:
        with block:
            for change in (client.release("account/k"), client.adopt("account/k", "stolen")):
                with pytest.raises(MissingTokenError):
                    await change
    assert await ledger.entries() == before


@pytest.mark.parametrize("task_id", ["t1", None], ids=["answered", "unknown"])
async def test_an_entry_of_the_first_version_is_paid_again_by_no_account(
    task_id: str | None, ledger: Ledger, sandbox: ProducerSandbox
) -> None:
    """It does not say whose it is, so it may be each account's own. `settle` leaves it alone for the same reason."""
    first_version = Entry(key="k", fingerprint=fingerprint(SONG))
    await ledger.begin(first_version)
    if task_id:
        await answer(ledger, first_version, task_id)
    async with shared_client(sandbox, ledger) as client:
        for token in (sandbox.api_token, sandbox.add_user().api_token):
            with api_token(token):
                assert await client.settle() == []
                if task_id:
                    assert (await client.submit(SONG, key="k")).task_id == task_id
                else:
                    with pytest.raises(SubmissionUnknownError):
                        await client.submit(SONG, key="k")
        assert sandbox.charges == ()
        if not task_id:
            with api_token(sandbox.api_token):
                await client.adopt("k", "t2")
                assert (await client.submit(SONG, key="k")).task_id == "t2"
