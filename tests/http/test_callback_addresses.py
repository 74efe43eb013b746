"""The addresses of callbacks: who accepts which, what a callback causes, and what a receiver keeps in memory."""

import copy
import gc
import json
import pickle
import re
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import ref

import pytest
from pydantic import SecretStr

from producer_tools import CallbackReceiver, ConfigurationError, ProducerClient
from producer_tools.http.callbacks import LARGEST_BODY, MOST_ADDRESSES, MOST_CANDIDATES

URL = "https://app.example/producer"
SECRET = "a secret of the application"


def posted(task_id: object) -> bytes:
    return json.dumps({"task_id": task_id}).encode()


def last_part(url: str) -> str:
    return url.rpartition("/")[2]


class Listener:
    """Something that wants to know of callbacks, as a client does."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    def wake(self, task_id: str) -> None:
        self.woken.append(task_id)


def test_one_key_and_secret_make_one_address() -> None:
    """After a restart, the callback of a song that was submitted before must still find its request."""
    first, again = (CallbackReceiver(URL, secret=secret).address("key") for secret in (SECRET, SECRET.encode()))
    others = [
        CallbackReceiver(URL, secret=SECRET).address("another key"),
        CallbackReceiver(URL, secret="another secret").address("key"),
        CallbackReceiver(URL).address("key"),
        CallbackReceiver(URL).address("key"),
    ]
    assert first == again
    assert len({first, *others}) == 1 + len(others)


@pytest.mark.parametrize("key", ["", "thread-7/call-3", "k" * 10_000, "half a surrogate \ud800"])
def test_an_address_is_two_codes_in_which_nothing_can_be_read(key: str) -> None:
    """It passes through the service, proxies and logs."""
    assert re.fullmatch(r"[\w-]{24,}\.[\w-]{24,}", last_part(CallbackReceiver(URL, secret=SECRET).address(key)))


def test_any_worker_with_the_secret_accepts_a_callback_and_wakes() -> None:
    """The worker that gets the callback is often not the one that submitted, or was started since."""
    address = last_part(CallbackReceiver(URL, secret=SECRET).address("key"))
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
    assert receiver.receive(forge(last_part(receiver.address("key"))), body) == 404
    assert listener.woken == []


def test_an_address_keeps_the_first_distinct_ids() -> None:
    """Who knows the address can post any id, so none of them decides; the sender looks each one up."""
    receiver, listener = CallbackReceiver(URL), Listener()
    receiver.on_callback(listener.wake)
    url, other = receiver.address("key"), receiver.address("another key")
    ids = ["forged", "real", "forged", *(f"t{n}" for n in range(10))]
    assert [receiver.receive(last_part(url), posted(each)) for each in ids] == [204] * len(ids)
    assert [receiver.receive(last_part(url), posted(each)) for each in ("a\x00", "a" * 300)] == [400, 400]
    assert receiver.arrived(url) == tuple(dict.fromkeys(ids))[:MOST_CANDIDATES]
    assert receiver.arrived(other) == ()
    assert listener.woken == ids


def test_callbacks_may_be_posted_from_several_threads() -> None:
    """The web application may run in another thread than the submit; an id that got lost would stay unknown."""
    receiver = CallbackReceiver(URL)
    url = receiver.address("key")
    with ThreadPoolExecutor(MOST_CANDIDATES) as threads:
        for _ in threads.map(lambda n: receiver.receive(last_part(url), posted(f"t{n}")), range(MOST_CANDIDATES)):
            pass
    assert sorted(receiver.arrived(url)) == [f"t{n}" for n in range(MOST_CANDIDATES)]


def test_only_the_newest_addresses_are_kept() -> None:
    """A receiver lives as long as the process: it would grow with each song."""
    receiver = CallbackReceiver(URL)
    urls = [receiver.address(f"key {n}") for n in range(MOST_ADDRESSES + 1)]
    for url in urls:
        receiver.receive(last_part(url), posted("t1"))
    assert [receiver.arrived(url) for url in (urls[0], urls[1], urls[-1])] == [(), ("t1",), ("t1",)]


def test_a_receiver_keeps_no_client() -> None:
    """A receiver is shared and lives as long as the process, so whatever it keeps is a leak."""
    receiver = CallbackReceiver(URL)
    woken: list[str] = []
    receiver.on_callback(woken.append)
    receiver.on_callback(lambda task_id: woken.append(f"again {task_id}"))
    clients = [ProducerClient("t", "http://127.0.0.1:9", callbacks=receiver) for _ in range(20)]
    gone = [ref(each) for each in clients]
    del clients
    gc.collect()
    assert [each() for each in gone] == [None] * 20
    assert receiver.receive(last_part(receiver.address("key")), posted("t1")) == 204
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
        ("POST", None, [b""] * (LARGEST_BODY + 2), 413),
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
    path = f"/producer/{last_part(receiver.address('key'))}{'' if is_own else 'x'}"
    unread = list(reversed(chunks))
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        assert is_own, "a body was read for a wrong address"
        assert announced is None or status != 413, "a body that is too long was read"
        return {"type": "http.request", "body": unread.pop(), "more_body": bool(unread)}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    headers = [] if announced is None else [(b"Content-Length", announced)]
    await receiver.asgi({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    assert answered[0]["status"] == (status if is_own or method == "GET" else 404)
    await receiver.asgi({"type": "lifespan"}, receive, send)
