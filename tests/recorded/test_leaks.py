"""No recording contains private data, and no committed file contains a credential."""

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
# Credentials with a known prefix, and values of fields called token, key or the like that look like credentials.
_CREDENTIALS = re.compile(
    r"(?i:bearer|basic)\s+(?=[^\s]*\d)[a-z0-9+/_.~=-]{16,}"
    r"|\b(?:(?:sk|pk|rk)-|gh[po]_|xox[abp]-|lsv2_|AIza|eyJhbGciOi)(?=\S*\d)[-_A-Za-z0-9.]{24,}|\bAKIA[0-9A-Z]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?i:(?:api[_-]?key|token|secret|password)[\"']?\s*[:=]\s*[\"']?)[0-9a-f]{32,}\b"
    r"|(?i:x-(?:goog|amz)-(?:signature|credential|security-token)=)(?!\()[^&\s\"']+"
)


def decodings(text: str) -> Iterator[str]:
    """A text, and everything in it that is percent-encoded, hex, or base64 at any offset, decoded."""
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


def assert_absent(secret: str, text: str) -> None:
    """Assert that neither the secret nor a long part of it is in the text, in any encoding."""
    for decoded in decodings(text):
        for part in (secret, secret[:12], secret[-12:]):
            assert part.lower() not in decoded.lower()


def indiscreet_answer(token: str) -> bytes:
    """An HTTP response that contains the token in every encoding, and the ids of the account."""
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
async def test_a_recording_contains_no_token_and_no_account(token: str, tmp_path: Path) -> None:
    """Anyone who reads the repository could use them. The server sends the token back in every encoding."""
    path = tmp_path / "recorded.yaml"
    async with answering(indiscreet_answer(token)) as server:
        recorder = Recorder("live", Scrubber(server.base_url, [token]), recording=True)
        vcr = VCR()
        vcr.register_persister(recorder)
        with vcr.use_cassette(str(path), **recorder.settings()):
            headers = {"Authorization": f"Bearer {token.encode().hex()}", "Cookie": f"key={token.encode().hex()}"}
            async with aiohttp.ClientSession(headers=headers) as session:
                client = ProducerClient(token, server.base_url, session=session)
                await client.submit(GenerateMusic(prompt=f"sing {token} {quote(token)}"))
    text = path.read_text("utf-8")
    assert_absent(token, text)
    for private in ("4242", "somebody", "s1gnature", "Authorization", "Cookie", "X-Token", server.base_url):
        assert private not in text
    assert "part=2" in text
    assert f"{SERVICE}/producer/audios" in text
    assert "trace-1" in text


def test_the_search_finds_a_token_in_every_encoding() -> None:
    """A search that finds nothing would pass every recording."""
    raw = TOKEN.encode()
    encoded = [
        TOKEN, quote(TOKEN, safe=""), raw.hex(), "f" + raw.hex().upper(), json.dumps({"a": TOKEN}),
        *(base64.b64encode(b"x" * n + raw + b"yz").decode() for n in range(4)),
        *(base64.urlsafe_b64encode(b"x" * n + raw).decode() for n in range(4)),
    ]  # fmt: skip
    for text in encoded:
        with pytest.raises(AssertionError):
            assert_absent(TOKEN, f"string: '{text}'")
    assert_absent(TOKEN, "string: 'nothing here'")


class LeakyScrubber(Scrubber):
    """A scrubber that overlooks the secrets in requests."""

    def request(self, request: Request) -> Request:
        return request


def test_a_recording_with_a_secret_is_not_written(tmp_path: Path) -> None:
    """The last check: a secret that was overlooked before must not get into a file."""
    recorder = Recorder("live", LeakyScrubber(SERVICE, [TOKEN]), recording=True)
    vcr = VCR()
    request = recorder.settings()["before_record_request"](request_with_token())
    answer = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": b"{}"}}
    with pytest.raises(LeakError):
        recorder.save_cassette(
            str(tmp_path / "a.yaml"), {"requests": [request], "responses": [answer]}, vcr.serializers["yaml"]
        )
    assert list(tmp_path.iterdir()) == []


def test_cleaning_twice_changes_nothing() -> None:
    """Recordings are cleaned again when they are loaded: if that changed them, no request would match."""
    scrubber = Scrubber("http://127.0.0.1:8080", [TOKEN])
    once = scrubber.request(request_with_token())
    before = (once.uri, once.body)
    twice = scrubber.request(once)
    assert (twice.uri, twice.body) == before
    assert before[1]["url"].startswith("https://sandbox.invalid/sandbox/files/")


def test_no_credential_is_committed() -> None:
    """Anyone who reads the repository could use it, and scanners report whatever looks like one."""
    folders = ("cassettes", "examples", "tests", "producer_tools")
    # Another process that runs tests may be writing compiled modules, under names that are soon gone.
    found_files = (path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts)
    files = [path for path in found_files if path.is_file()]
    texts = {path: text_of(path) for path in files if path.suffix not in (".pyc", ".png", ".jpg", ".wav")}
    assert len(texts) > len(folders)
    found = {str(path.relative_to(ROOT)): hits for path, text in texts.items() if (hits := credentials_in(text))}
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
def test_the_pattern_finds_credentials(text: str) -> None:
    """A pattern that finds nothing would pass every file."""
    assert credentials_in(text)


def text_of(path: Path) -> str:
    """A file's text without the songs and pictures that are embedded in a notebook."""
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", path.read_text("utf-8", errors="replace"))


def credentials_in(text: str) -> list[str]:
    """Everything in a text that looks like a credential."""
    return [match[0] for match in _CREDENTIALS.finditer(text)]


def request_with_token() -> Request:
    """A request to a sandbox, with the token in its header and body."""
    body = {"url": "http://127.0.0.1:8080/sandbox/files/a.wav", "token_in_words": f"it is {TOKEN}", "echo": TOKEN}
    return Request("POST", "http://127.0.0.1:8080/producer/tasks", body, {"Authorization": TOKEN})
