"""The addresses of callbacks: who accepts which, what a callback causes, and what a receiver keeps in memory."""

import asyncio
import copy
import gc
import json
import pickle
import re
import threading
import traceback
from typing import Any
from weakref import ref

import pytest
from pydantic import SecretStr

from producer_tools import CallbackReceiver, ConfigurationError, ProducerClient
from producer_tools.http.callbacks import LARGEST_BODY, MOST_CANDIDATES, ExpectedCallback

URL = "https://app.example/producer"
SECRET = "a secret of the application"


def posted(task_id: object) -> bytes:
    return json.dumps({"task_id": task_id}).encode()


def address_of(expected: ExpectedCallback) -> str:
    return expected.url.rpartition("/")[2]


class Listener:
    """Something that wants to know of callbacks, as a client does."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    def wake(self, task_id: str) -> None:
        self.woken.append(task_id)


def test_one_key_and_secret_make_one_address() -> None:
    """After a restart, the callback of a song that was submitted before must still find its request."""
    first, again = (CallbackReceiver(URL, secret=secret).expect("key") for secret in (SECRET, SECRET.encode()))
    others = [
        CallbackReceiver(URL, secret=SECRET).expect("another key"),
        CallbackReceiver(URL, secret="another secret").expect("key"),
        CallbackReceiver(URL).expect("key"),
        CallbackReceiver(URL).expect("key"),
        *(CallbackReceiver(URL, secret=SECRET).expect(None) for _ in range(2)),
    ]
    assert first.url == again.url
    assert len({first.url, *(other.url for other in others)}) == 1 + len(others)


@pytest.mark.parametrize("key", [None, "", "thread-7/call-3", "k" * 10_000, "half a surrogate \ud800"])
def test_an_address_is_two_codes_in_which_nothing_can_be_read(key: str | None) -> None:
    """It passes through the service, proxies and logs."""
    assert re.fullmatch(r"[\w-]{24,}\.[\w-]{24,}", address_of(CallbackReceiver(URL, secret=SECRET).expect(key)))


@pytest.mark.parametrize("key", ["key", None])
def test_any_worker_with_the_secret_accepts_a_callback_and_wakes(key: str | None) -> None:
    """The worker that gets the callback is often not the one that submitted, or was started since."""
    address = address_of(CallbackReceiver(URL, secret=SECRET).expect(key))
    other, listener = CallbackReceiver(URL + "/", secret=SecretStr(SECRET)), Listener()
    other.on_callback(listener.wake)
    assert other.receive(address, posted("t1")) == 204
    assert listener.woken == ["t1"]


@pytest.mark.parametrize(
    "forge",
    [
        lambda address: address + "x",
        lambda address: address[:-1] + ("A" if address[-1] != "A" else "B"),
        lambda address: "A" + address if address[0] != "A" else "B" + address,
        lambda address: address.replace(".", ""),
        lambda address: address.partition(".")[0],
        lambda address: address.partition(".")[0] + ".",
        lambda address: ".".join(reversed(address.split("."))),
        lambda _: "",
        lambda _: ".",
        lambda _: "\ud800.\xe4",
    ],
)
@pytest.mark.parametrize("body", [posted("t1"), b"x" * (LARGEST_BODY + 1)])
def test_a_wrong_address_is_not_found(forge: Any, body: bytes) -> None:
    """Otherwise anybody on the internet could cause look-ups."""
    receiver, listener = CallbackReceiver(URL, secret=SECRET), Listener()
    receiver.on_callback(listener.wake)
    assert receiver.receive(forge(address_of(receiver.expect("key"))), body) == 404
    assert listener.woken == []


async def test_candidates_are_the_first_distinct_ids_and_then_end() -> None:
    """Who knows the address can post any id, so none of them decides; the sender looks each one up."""
    receiver, listener = CallbackReceiver(URL), Listener()
    receiver.on_callback(listener.wake)
    expected = receiver.expect("key")
    ids = ["forged", "real", "forged", *(f"t{n}" for n in range(10))]
    assert [receiver.receive(address_of(expected), posted(each)) for each in ids] == [204] * len(ids)
    assert [receiver.receive(address_of(expected), posted(each)) for each in ("a\x00", "a" * 300)] == [400, 400]
    found = [each async for each in expected.candidates()]
    assert found == list(dict.fromkeys(ids))[:MOST_CANDIDATES]
    assert found == [each async for each in expected.candidates()], "each iteration starts at the first"
    assert listener.woken == ids


def test_candidates_can_be_awaited_in_any_loop_while_threads_post() -> None:
    """The web application may run in another loop and thread than the submit."""
    receiver = CallbackReceiver(URL)
    expected = receiver.expect()

    async def two() -> list[str]:
        candidates = expected.candidates()
        return [await anext(candidates), await anext(candidates)]

    async def main() -> None:
        waiting = [asyncio.create_task(two()), asyncio.create_task(asyncio.to_thread(asyncio.run, two()))]
        for task_id in ("t1", "t2"):
            await asyncio.sleep(0.005)
            thread = threading.Thread(target=receiver.receive, args=(address_of(expected), posted(task_id)))
            thread.start()
            thread.join()
        assert await asyncio.gather(*waiting) == [["t1", "t2"]] * 2

    asyncio.run(main())


async def test_a_wait_for_a_candidate_that_is_given_up_leaves_nothing() -> None:
    """A submit gives up after five minutes; a later callback must not fail because of that."""
    receiver = CallbackReceiver(URL)
    expected = receiver.expect()
    before = asyncio.all_tasks()
    waiting = asyncio.ensure_future(anext(expected.candidates()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == before
    assert receiver.receive(address_of(expected), posted("t1")) == 204
    assert await anext(expected.candidates()) == "t1"


def test_a_receiver_keeps_no_client_and_no_address() -> None:
    """A receiver is shared and lives as long as the process, so whatever it keeps is a leak."""
    receiver = CallbackReceiver(URL)
    woken: list[str] = []
    receiver.on_callback(woken.append)
    receiver.on_callback(lambda task_id: woken.append(f"again {task_id}"))
    clients = [ProducerClient("t", "http://127.0.0.1:9", callbacks=receiver) for _ in range(20)]
    expected = [receiver.expect(f"key {n}") for n in range(20)]
    address = address_of(expected[0])
    gone = [ref(each) for each in (*clients, *expected)]
    del clients, expected
    gc.collect()
    assert [each() for each in gone] == [None] * 40
    assert receiver.receive(address, posted("t1")) == 204
    assert woken == ["t1", "again t1"], "functions are kept"


@pytest.mark.parametrize("change", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_receiver_is_not_pickled(change: Any) -> None:
    """Its secret would be written out, and a copy would wake nobody."""
    with pytest.raises(ConfigurationError, match="in the worker, with the same public_url and secret"):
        change(CallbackReceiver(URL, secret=SECRET))


@pytest.mark.parametrize("secret", ["", b" ", SecretStr("")])
def test_a_blank_secret_is_refused(secret: Any) -> None:
    """With it, anybody could make addresses."""
    with pytest.raises(ConfigurationError, match="must not be blank"):
        CallbackReceiver(URL, secret=secret)


def test_the_secret_is_not_shown() -> None:
    receiver = CallbackReceiver(URL, secret=SECRET)
    with pytest.raises(AttributeError) as caught:
        CallbackReceiver(7, secret=SECRET)  # type: ignore[arg-type]  # a mistake of the application
    printed = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = [str(frame.locals) for frame in printed.stack if frame.filename != __file__]
    assert SECRET not in f"{receiver!r} {vars(receiver)} {shown}"


@pytest.mark.parametrize(
    ("method", "announced", "chunks", "status"),
    [
        ("POST", None, [b'{"task_id"', b': "t1"}'], 204),
        ("POST", b"17", [b'{"task_id": "t1"}'], 204),
        ("POST", b"many", [b'{"task_id": "t1"}'], 204),
        ("POST", None, [b"x" * LARGEST_BODY, b"y", b"z"], 413),
        ("POST", str(LARGEST_BODY + 1).encode(), [b"x" * 9], 413),
        ("GET", None, [b""], 405),
    ],
)
@pytest.mark.parametrize("is_own", [True, False])
async def test_the_asgi_application(
    method: str, announced: bytes | None, chunks: list[bytes], status: int, is_own: bool
) -> None:
    """What is refused by its address or its length is not read: anybody could make a server read for ever."""
    receiver = CallbackReceiver(URL)
    path = f"/producer/{address_of(receiver.expect())}{'' if is_own else 'x'}"
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        assert is_own, "a body was read for a wrong address"
        assert announced is None or status != 413, "a body that is too long was read"
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    headers = [] if announced is None else [(b"Content-Length", announced)]
    await receiver.asgi({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    assert answered[0]["status"] == (status if is_own or method == "GET" else 404)
    await receiver.asgi({"type": "lifespan"}, receive, send)
