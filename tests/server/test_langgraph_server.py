"""The agent and the album of the example on a real server: what users see, what they are charged, what is stored."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langgraph_api", reason="langgraph-cli[inmem] is not installed: make server")

from langgraph_sdk.errors import NotFoundError

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.sandbox import ProducerSandbox
from tests.server.langgraph_server import LangGraphServer, until

pytestmark = pytest.mark.timeout(600)  # the server takes long to start on a busy machine
TOKENS = {"ada": "sk-ada-4f9c1e7a55", "bob": "sk-bob-b82d06c3d1"}
APPROVE = {"type": "approve"}


@pytest.fixture(scope="module")
def service() -> Iterator[ProducerSandbox]:
    """The sandbox that all tests of this file share, with an account for each user."""
    with ProducerSandbox(render_seconds=0.2, api_token=TOKENS["ada"], silent=True) as sandbox:
        sandbox.add_user(TOKENS["bob"])
        yield sandbox


@pytest.fixture(scope="module")
def server(service: ProducerSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LangGraphServer]:
    made = LangGraphServer(tmp_path_factory.mktemp("server") / "example", service.base_url, TOKENS)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def slow_songs(service: ProducerSandbox) -> Iterator[None]:
    """Songs that are not finished before the test says so."""
    quick, service.render_seconds = service.render_seconds, 600
    yield
    service.render_seconds = quick
    service.finish_now()


def words(prompt: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}]}


def approved(interrupts: list[dict[str, Any]]) -> dict[str, Any]:
    """The command that approves every call that was asked about."""
    return {"resume": {each["id"]: {"decisions": [APPROVE]} for each in interrupts}}


def payers(service: ProducerSandbox, prompts: set[str]) -> Counter[tuple[str, str]]:
    """How often each of these prompts was charged to which user."""
    users = dict(zip((user.user_id for user in service.users), TOKENS, strict=True))
    paid = [(charge.request["prompt"], users[charge.user_id]) for charge in service.charges]
    return Counter((prompt, user) for prompt, user in paid if prompt in prompts)


async def ask(client: Any, prompt: str) -> str:
    """Ask the agent for a song up to the approval, and return the thread."""
    thread = (await client.threads.create())["thread_id"]
    state = await client.runs.wait(thread, "agent", input=words(prompt))
    assert state["__interrupt__"], "a person is asked before the call is sent"
    return str(thread)


async def test_an_agent_asks_first_and_streams_its_progress(server: LangGraphServer, service: ProducerSandbox) -> None:
    """If this fails, a song is paid for without an approval, nobody sees its progress, or it is not saved."""
    async with server.client("ada") as client:
        thread = await ask(client, "a waltz")
        assert not payers(service, {"a waltz"})
        command, modes = {"resume": {"decisions": [APPROVE]}}, ["updates", "custom"]
        parts = [part async for part in client.runs.stream(thread, "agent", command=command, stream_mode=modes)]
        state = await client.threads.get_state(thread)
    assert not [part for part in parts if part.event == "error"]
    assert "complete" in [part.data["state"] for part in parts if part.event == "custom"]
    assert payers(service, {"a waltz"}) == {("a waltz", "ada"): 1}
    answer = state["values"]["messages"][-1]["content"]
    assert (server.directory / "songs" / answer.splitlines()[0].removeprefix("Saved ")).stat().st_size > 0


async def test_twenty_threads_pay_for_their_own_songs(server: LangGraphServer, service: ProducerSandbox) -> None:
    """If this fails, users who are served at the same time pay for each other's songs, or twice, or get no file."""
    orders = {f"song {number}": user for number, user in enumerate(list(TOKENS) * 10)}

    async def make(prompt: str, user: str) -> str:
        async with server.client(user) as client:
            thread = await ask(client, prompt)
            state = await client.runs.wait(thread, "agent", command={"resume": {"decisions": [APPROVE]}})
        return str(state["messages"][-1]["content"])

    answers = await asyncio.gather(*(make(prompt, user) for prompt, user in orders.items()))
    assert payers(service, set(orders)) == Counter(orders.items())
    saved = {line.removeprefix("Saved ") for answer in answers for line in answer.splitlines() if line.endswith(".wav")}
    assert len(saved) == 20
    assert all((server.directory / "songs" / name).is_file() for name in saved)


async def test_users_do_not_see_the_threads_of_others(server: LangGraphServer) -> None:
    """If this fails, whoever knows the id of a thread can read it, or approve a call that its owner pays for."""
    async with server.client("ada") as ada, server.client("bob") as bob:
        thread = await ask(ada, "a secret song")
        with pytest.raises(NotFoundError):
            await bob.threads.get_state(thread)
        with pytest.raises(NotFoundError):
            await bob.runs.create(thread, "agent", command={"resume": {"decisions": [APPROVE]}})


async def test_a_user_cannot_pass_for_another(server: LangGraphServer, service: ProducerSandbox) -> None:
    """If this fails, a config in a request decides whose token pays."""
    forged = {"configurable": {"langgraph_auth_user_id": "ada", "langgraph_auth_user": {"identity": "ada"}}}
    async with server.client("bob") as client:
        thread = (await client.threads.create())["thread_id"]
        await client.runs.wait(thread, "agent", input=words("a forged song"), config=forged)
        command = {"resume": {"decisions": [APPROVE]}}
        await client.runs.wait(thread, "agent", command=command, config=forged)
    assert payers(service, {"a forged song"}) == {("a forged song", "bob"): 1}


@pytest.mark.usefixtures("slow_songs")
async def test_a_cancelled_run_goes_on_with_its_song(server: LangGraphServer, service: ProducerSandbox) -> None:
    """If this fails, a user who stops a run and continues it pays for the song twice, or loses it."""
    async with server.client("bob") as client:
        thread = await ask(client, "a cancelled song")
        run = await client.runs.create(thread, "agent", command={"resume": {"decisions": [APPROVE]}})
        await until(lambda: bool(payers(service, {"a cancelled song"})))
        await client.runs.cancel(thread, run["run_id"], wait=True)
        service.finish_now()
        state = await client.runs.wait(thread, "agent", input=None)
        assert state["messages"][-1]["content"].startswith("Saved ")
    assert payers(service, {"a cancelled song"}) == {("a cancelled song", "bob"): 1}


@pytest.mark.usefixtures("slow_songs")
async def test_a_song_whose_run_was_rolled_back_is_in_the_ledger(
    server: LangGraphServer, service: ProducerSandbox
) -> None:
    """A rollback drops the messages of a paid call. If this fails, nothing tells that it was paid for."""
    async with server.client("ada") as client:
        thread = await ask(client, "a dropped song")
        await client.runs.create(thread, "agent", command={"resume": {"decisions": [APPROVE]}})
        await until(lambda: bool(payers(service, {"a dropped song"})))
        newer = await client.runs.wait(thread, "agent", input=words("another song"), multitask_strategy="rollback")
    assert newer["__interrupt__"], "the new song waits for its approval"
    assert "a dropped song" not in json.dumps(newer["messages"][-1])
    assert payers(service, {"a dropped song", "another song"}) == {("a dropped song", "ada"): 1}
    ledger = SqliteLedger(server.directory / "songs.sqlite")
    async with ProducerClient(TOKENS["ada"], service.base_url, ledger=ledger) as owner:
        [call] = [each for each in (await owner.spent()).calls if each.title == "a dropped song"]
    assert thread in call.key
    assert call.task_id


async def start_album(server: LangGraphServer, service: ProducerSandbox, wishes: list[str]) -> str:
    """Let Bob approve an album, and return its thread when its songs are paid for and not finished yet."""
    async with server.client("bob") as client:
        thread = (await client.threads.create())["thread_id"]
        state = await client.runs.wait(thread, "album", input={"wishes": wishes})
        await client.runs.create(thread, "album", command=approved(state["__interrupt__"]))
        await until(lambda: payers(service, set(wishes)).total() == len(wishes))
    return str(thread)


@pytest.mark.usefixtures("slow_songs")
async def test_an_album_whose_server_was_killed_is_paid_once(server: LangGraphServer, service: ProducerSandbox) -> None:
    """The server has lost the thread, or its end. If this fails, the album is paid for again, or its songs are lost."""
    wishes = ["first", "second"]
    thread = await start_album(server, service, wishes)
    server.stop(signal.SIGKILL)
    service.finish_now()
    server.start()
    async with server.client("bob") as client:
        await client.threads.create(thread_id=thread, if_exists="do_nothing")
        state = await client.runs.wait(thread, "album", input={"wishes": wishes}, multitask_strategy="enqueue")
        if interrupts := state.get("__interrupt__"):
            state = await client.runs.wait(thread, "album", command=approved(interrupts))
    assert [song["error"] for song in state["songs"]] == [None, None]
    assert all(Path(file["path"]).is_file() for song in state["songs"] for file in song["files"])
    assert payers(service, set(wishes)) == {(wish, "bob"): 1 for wish in wishes}


@pytest.mark.usefixtures("slow_songs")
async def test_a_server_that_is_restarted_goes_on_and_has_stored_no_token(
    server: LangGraphServer, service: ProducerSandbox
) -> None:
    """A deployment must lose no song. And whoever reads what the server stores must not be able to spend money."""
    wishes = ["third", "fourth"]
    thread = await start_album(server, service, wishes)
    server.stop()  # it writes everything down
    written = {path: path.read_bytes() for path in server.directory.rglob("*") if path.is_file()}
    service.finish_now()
    server.start()
    async with server.client("bob") as client:
        for run in await client.runs.list(thread):
            await client.runs.join(thread, run["run_id"])  # the server has started it again by itself
        shown = [
            await client.threads.get(thread),
            await client.threads.get_state(thread),
            await client.runs.list(thread),
        ]
    assert [len(song["files"]) for song in shown[1]["values"]["songs"]] == [2, 2]
    assert payers(service, set(wishes)) == {(wish, "bob"): 1 for wish in wishes}
    assert any(path.parent.name == ".langgraph_api" and thread.encode() in written[path] for path in written)
    for token in TOKENS.values():
        assert token not in json.dumps(shown)
        assert [path for path, content in written.items() if token.encode() in content] == []
