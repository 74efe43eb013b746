"""No recording holds what is nobody else's business, and no committed file anything that opens an account."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import aiohttp
import pytest
from vcr import VCR
from vcr.request import Request

from producer_tools import ProducerClient
from producer_tools.requests import GenerateMusic
from tests.raw_server import answering
from tests.recorded.cassettes import FOLDER, LeakError, Recorder
from tests.recorded.scrubbing import SERVICE, Scrubber

TOKEN = "k3y/of+a?test~0123456789abcdef"
ROOT = FOLDER.parent
# Keys by the beginnings that their makers give them, and whatever is called a token and looks like one.
_CREDENTIALS = re.compile(
    r"(?i:bearer|basic)\s+(?=[^\s]*\d)[a-z0-9+/_.~=-]{16,}"
    r"|\b(?:(?:sk|pk|rk)-|gh[po]_|xox[abp]-|lsv2_|AIza|eyJhbGciOi)(?=\S*\d)[-_A-Za-z0-9.]{24,}|\bAKIA[0-9A-Z]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?i:(?:api[_-]?key|token|secret|password)[\"']?\s*[:=]\s*[\"']?)[0-9a-f]{32,}\b"
    r"|(?i:x-(?:goog|amz)-(?:signature|credential|security-token)=)(?!\()[^&\s\"']+"
)


def spelled_out(text: str) -> Iterator[str]:
    """A text, and all that can be read out of it: what is percent-encoded, hex, or base64 at any position."""
    yield text
    yield unquote(text)
    yield json.dumps(text)
    for run in re.findall(r"[0-9a-fA-F]{8,}", text):
        for start in (0, 1):
            even = run[start:][: (len(run) - start) // 2 * 2]
            yield bytes.fromhex(even).decode("latin-1")
    for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", text):
        for start in range(4):
            part = run[start:].replace("-", "+").replace("_", "/")
            try:
                yield base64.b64decode(part[: len(part) // 4 * 4]).decode("latin-1")
            except binascii.Error:
                continue


def assert_nowhere(secret: str, text: str) -> None:
    """Neither the secret nor a telling part of it."""
    for found in spelled_out(text):
        for part in (secret, secret[:12], secret[-12:]):
            assert part.lower() not in found.lower()


def telling(token: str) -> bytes:
    """An answer that tells all it was told, in every way it can, and whose account it was."""
    raw = token.encode()
    data = {
        "task_id": "t1", "trace_id": "trace-1", "application_id": "app-4242-of-somebody", "user_id": 42424242,
        "credential": {"credential_id": "cred-4242", "api_id": "api-4242"}, "email": "somebody@example.org",
        "echo": f"you sent Bearer {token}", token: "as a key", "hex": raw.hex(), "HEX": raw.hex().upper(),
        "quoted": quote(token, safe=""), "basic": base64.b64encode(f"user:{token}".encode()).decode(),
        "inside": [base64.b64encode(b"x" * n + raw + b"y").decode() for n in range(4)],
        "urlsafe": [base64.urlsafe_b64encode(b"x" * n + raw + b"y").decode() for n in range(4)],
        "url": f"https://user:{token}@files.example/a.m4a?X-Goog-{'Signature'}=s1gnature&part=2",
        "signed": "https://files.example/b.m4a?Expires=99999&Signature=s1gnature&Key-Pair-Id=K424242",
    }  # fmt: skip
    body = json.dumps(data).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        f"Set-Cookie: session={raw.hex()}\r\nX-Token: {raw.hex()}\r\nX-Account: app-4242-of-somebody\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize("token", [TOKEN, "0123456789abcdef0123456789abcdef", "sandbox-k3y"])
async def test_a_known_token_is_found_nowhere(token: str, tmp_path: Path) -> None:
    """Recorded from a server that echoes it in every spelling, by a session that sends it with every request."""
    path = tmp_path / "told.yaml"
    async with answering(telling(token)) as server:
        recorder = Recorder("live", Scrubber(server.base_url, [token]), anew=True)
        vcr = VCR()
        vcr.register_persister(recorder)
        with vcr.use_cassette(str(path), **recorder.settings()):
            headers = {"Authorization": f"Bearer {token.encode().hex()}", "Cookie": f"key={token.encode().hex()}"}
            async with aiohttp.ClientSession(headers=headers) as session:
                client = ProducerClient(token, server.base_url, session=session)
                await client.submit(GenerateMusic(prompt=f"sing {token} {quote(token)}"))
    text = path.read_text("utf-8")
    assert_nowhere(token, text)
    for private in ("4242", "somebody", "s1gnature", "Authorization", "Cookie", "X-Token", server.base_url):
        assert private not in text
    assert "part=2" in text
    assert f"{SERVICE}/producer/audios" in text
    assert "trace-1" in text


def test_the_search_itself_finds_what_is_there() -> None:
    """A search that finds nothing anywhere would pass every recording."""
    raw = TOKEN.encode()
    spelt = [
        TOKEN, quote(TOKEN, safe=""), raw.hex(), "f" + raw.hex().upper(), json.dumps({"a": TOKEN}),
        *(base64.b64encode(b"x" * n + raw + b"yz").decode() for n in range(4)),
        *(base64.urlsafe_b64encode(b"x" * n + raw).decode() for n in range(4)),
    ]  # fmt: skip
    for spelling in spelt:
        with pytest.raises(AssertionError):
            assert_nowhere(TOKEN, f"string: '{spelling}'")
    assert_nowhere(TOKEN, "string: 'nothing here'")


def test_a_recording_with_a_secret_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last layer: whatever the others have overlooked stays on the machine that recorded it."""
    scrubber = Scrubber(SERVICE, [TOKEN])
    monkeypatch.setattr(scrubber, "_text", lambda text: text)
    recorder = Recorder("live", scrubber, anew=True)
    vcr = VCR()
    request = recorder.settings()["before_record_request"](_request())
    answer = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": b"{}"}}
    with pytest.raises(LeakError):
        recorder.save_cassette(
            str(tmp_path / "a.yaml"), {"requests": [request], "responses": [answer]}, vcr.serializers["yaml"]
        )
    assert list(tmp_path.iterdir()) == []


def test_cleaning_twice_changes_nothing() -> None:
    """Recordings are cleaned when they are loaded, too: a second cleaning that changed them would match no request."""
    scrubber = Scrubber("http://127.0.0.1:8080", [TOKEN])
    once = scrubber.request(_request())
    before = (once.uri, once.body)
    twice = scrubber.request(once)
    assert (twice.uri, twice.body) == before
    assert before[1]["url"].startswith("https://sandbox.invalid/sandbox/files/")


def test_no_credential_is_committed() -> None:
    """Whatever looks like a key in a file that others get is one, or will be taken for one."""
    folders = ("cassettes", "examples", "tests", "producer_tools")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    texts = {path: _readable(path) for path in files if path.suffix not in (".pyc", ".png", ".wav")}
    assert len(texts) > len(folders)
    found = {str(path.relative_to(ROOT)): hits for path, text in texts.items() if (hits := _hits(text))}
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer " + "0f" * 16,
        'api_key="sk-' + "a1B2" * 6 + '"',
        "ACEDATACLOUD_API_TOKEN=" + "0f" * 16,
        "https://files.example/a?X-Goog-Signature=" + "0f" * 8,
        "-----BEGIN " + "PRIVATE KEY-----",
        "gh" + "p_" + "a1B2" * 9,
    ],
)
def test_what_looks_like_a_credential(text: str) -> None:
    """A pattern that knows no key finds none."""
    assert _hits(text)


def _readable(path: Path) -> str:
    """A file's text, but for the songs and pictures that a notebook carries."""
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", path.read_text("utf-8", errors="replace"))


def _hits(text: str) -> list[str]:
    return [found[0] for found in _CREDENTIALS.finditer(text)]


def _request() -> Request:
    body = {"url": "http://127.0.0.1:8080/sandbox/files/a.wav", "token_in_words": f"it is {TOKEN}", "echo": TOKEN}
    return Request("POST", "http://127.0.0.1:8080/producer/tasks", body, {"Authorization": TOKEN})
