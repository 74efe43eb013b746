"""A token that the service quotes is replaced in every answer, so that it reaches no result, ledger or model."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from pydantic import SecretStr

import producer_tools
from producer_tools import ProducerClient, ProducerGenerateLyrics, ProducerGetTask, SqliteLedger
from producer_tools.http.answers import read_object
from producer_tools.http.safe_text import TOKEN_MARK, without_token
from producer_tools.requests import GenerateLyrics
from tests.raw_server import answering, http

TOKEN = 'sk-"quoted"/\\4f9c1e7a55'


def spelled(token: str) -> dict[str, bytes]:
    """JSON in which the token is spelled in each way that JSON allows."""
    plain = json.dumps({"a": f"x{token}y"})
    return {
        "plain": plain.encode(),
        "each character escaped": ('{"a": "x' + "".join(f"\\u{ord(each):04X}" for each in token) + 'y"}').encode(),
        "the slash escaped": plain.replace("/", "\\/").encode(),
        "UTF-16": plain.encode("utf-16"),
        "UTF-32": plain.encode("utf-32-be"),
        "with a byte order mark": plain.encode("utf-8-sig"),
    }


@pytest.mark.parametrize("token", [TOKEN, "sk-client-4f9c1e7a55"])
@pytest.mark.parametrize("spelling", list(spelled("")))
def test_the_token_is_found_however_it_is_spelled(token: str, spelling: str) -> None:
    """Replaced only in the raw text, an escaped token would come through."""
    assert read_object(spelled(token)[spelling], SecretStr(token)) == {"a": f"x{TOKEN_MARK}y"}


ENCODED: dict[str, Callable[[str], str]] = {
    "in a URL": lambda text: quote(text, safe=""),
    "in a path": quote,
    "in a query": quote_plus,
    "in a URL, in lower case": lambda text: re.sub("%..", lambda code: code.group().lower(), quote(text, safe="")),
    "in JSON in a text": json.dumps,
    "in JSON of PHP in a text": lambda text: json.dumps(text).replace("/", "\\/"),
    "in base64": lambda text: b64encode(text.encode()).decode(),
    "in base64 without padding": lambda text: b64encode(text.encode()).decode().rstrip("="),
    "in base64 of a URL": lambda text: urlsafe_b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("before", ["", "x", "Bearer ", "user:"])
@pytest.mark.parametrize("encode", ENCODED.values(), ids=list(ENCODED))
def test_the_token_is_found_however_it_is_encoded(encode: Callable[[str], str], before: str) -> None:
    """Anyone can decode it: a gateway that quotes the header of a request may do so in base64, or in a URL."""
    secret = SecretStr(TOKEN + "?>~/")  # bits that are spelled differently in the base64 of a URL
    text = encode(f"{before}{secret.get_secret_value()} and more")
    shown = without_token(text, secret)
    assert shown.count(TOKEN_MARK) == 1
    assert len(shown) - len(TOKEN_MARK) < len(encode(f"{before} and more")) + 8, "the edges of base64 may be left"
    answer = read_object(json.dumps({"a": text}).encode(), secret)
    assert answer == {"a": shown}


def test_the_token_is_replaced_in_keys_and_at_every_depth() -> None:
    deep: Any = TOKEN
    for _ in range(400):
        deep = {f"Bearer {TOKEN}": [deep]}
    answer = read_object(json.dumps({"id": "t", "deep": deep}).encode(), SecretStr(TOKEN))
    assert answer is not None
    assert TOKEN not in repr(answer).replace("\\\\", "\\")
    assert list(answer["deep"]) == [f"Bearer {TOKEN_MARK}"]


def test_a_token_that_is_an_ordinary_word_changes_nothing() -> None:
    """A token such as ``t`` is used in tests only; replaced, it would destroy every key of an answer."""
    assert read_object(b'{"task_id": "t"}', SecretStr("t")) == {"task_id": "t"}


QUOTING: dict[str, Any] = {
    "a result": {"success": True, "task_id": "t1", "data": {"title": f"for {TOKEN}", "text": TOKEN, "extra": TOKEN}},
    "a failed task": {"success": False, "task_id": "t1", "data": [{"title": "x", "state": "failed"}],
                      "error": {"code": f"c {TOKEN}", "message": f"bad key {TOKEN}"}, "trace_id": TOKEN},
    "an error that names a task": {"error": {"message": TOKEN}, "task_id": "t1", "trace_id": TOKEN},
}  # fmt: skip


@pytest.mark.parametrize("answer", QUOTING.values(), ids=list(QUOTING))
async def test_a_quoted_token_reaches_neither_ledger_nor_model_nor_artifact(
    answer: dict[str, Any], tmp_path: Path
) -> None:
    """In a checkpoint or a ledger it would outlive the run, and a model would repeat it."""
    token = TOKEN.replace('"', "").replace("\\", "")
    raw = json.dumps(answer).replace(json.dumps(TOKEN)[1:-1], token)
    record = {"id": "t1", "state": "failed", "response": json.loads(raw)}
    async with answering(http(raw.encode()), http(raw.encode()), http(record)) as server:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        async with ProducerClient(base_url=server.base_url, ledger=ledger, poll_interval=0) as client:
            with producer_tools.api_token(token):
                task = await client.submit(GenerateLyrics(prompt="x"), key="k")
                call = {"type": "tool_call", "id": "c", "args": {"prompt": "x"}, "name": "producer_generate_lyrics"}
                message = await ProducerGenerateLyrics(client=client).ainvoke(call)
                looked_up = await ProducerGetTask(client=client).ainvoke({**call, "args": {"task_id": "t1"}})
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    shown = f"{task!r} {message!r} {message.artifact!r} {looked_up!r} {looked_up.artifact!r}"
    assert token.encode() not in files
    assert token not in shown
