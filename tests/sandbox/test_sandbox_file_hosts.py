"""The endpoints that take files: their answers, what a test can switch, and what becomes of the files."""

import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.api_contract import check_answer
from tests.files.own_recordings import wav
from tests.sandbox.calls import Answer, Api, send, serving

ENDPOINTS = ("/files/upload", "/api/v1/files/")
LARGEST = 25 * 10**6


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


def post(
    api: Api,
    path: str,
    content: bytes = b"RIFF",
    *,
    token: str | None = None,
    field: str = "file",
    name: str = "a take.wav",
) -> Answer:
    """Send a file as a multipart form."""
    head = f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    body = head.encode() + b"Content-Type: audio/wav\r\n\r\n" + content + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    if token != "":
        headers["Authorization"] = f"Bearer {token or api.sandbox.api_token}"
    answer = send(api.sandbox.base_url + path, body, headers)
    check_answer(path, answer.status, answer.json)
    return answer


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_file_gets_an_address_where_it_can_be_read(path: str, api: Api) -> None:
    answer = post(api, path, wav())
    assert answer.status == 200
    (received,) = api.sandbox.file_hosts.received
    assert answer.json["url"] == received.url
    assert received[:4] == (path, "a take.wav", "audio/wav", wav())
    assert received.user_id == api.sandbox.users[0].user_id
    served = send(received.url)
    assert (served.status, served.headers["Content-Type"], served.content) == (200, "audio/wav", wav())
    assert send(f"{received.url}x").refusal == (404, "no_api")


@pytest.mark.parametrize("name", ["it's (1).wav", "..", ".", "a%2Fb?c#d.wav", "ü.wav", "../x.wav"])
async def test_whatever_a_file_is_called_it_can_be_read(name: str, api: Api) -> None:
    """Clients write some characters of an address in another way than they got them, or resolve its dots."""
    url = post(api, ENDPOINTS[0], wav(), name=name).json["url"]
    async with aiohttp.ClientSession() as session, session.get(url) as served:
        assert (served.status, await served.read()) == (200, wav())
    assert api.sandbox.file_hosts.received[0].name == name


def test_the_two_forms_of_the_answer(api: Api) -> None:
    documented, of_the_sdk = (post(api, path).json for path in ENDPOINTS)
    assert set(documented) == {"success", "url", "expires_at"}
    assert documented["expires_at"] == "2027-01-22T08:00:00+00:00"
    assert set(of_the_sdk) == {"url"}


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [("no_api", (404, "no_api")), ("refused", (401, "invalid_token")), ("failing", (500, "api_error"))],
)
def test_each_endpoint_can_be_switched(answer: Any, refusal: tuple[int, str], api: Api) -> None:
    """Which of them an API token may use is not known, so a client must work with each of them alone."""
    first, second = ENDPOINTS
    api.sandbox.file_hosts.api = answer
    assert post(api, first, bytes(2**20)).refusal == refusal
    assert post(api, second).status == 200
    api.sandbox.file_hosts.api, api.sandbox.file_hosts.platform = "works", answer
    assert post(api, first).status == 200
    assert post(api, second).refusal == refusal
    assert [file.endpoint for file in api.sandbox.file_hosts.received] == [second, first]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_what_is_no_file_of_a_known_account_is_refused(path: str, api: Api) -> None:
    assert post(api, path, token="").refusal == (400, "no_token")
    assert post(api, path, token="wrong").refusal == (401, "invalid_token")
    assert post(api, path, field="audio").refusal == (400, "bad_request")
    as_json = send(
        api.sandbox.base_url + path,
        json.dumps({"file": "x"}).encode(),
        {"Authorization": f"Bearer {api.sandbox.api_token}", "Content-Type": "application/json"},
    )
    assert as_json.refusal == (400, "bad_request")
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=other"):
        headers = {"Authorization": f"Bearer {api.sandbox.api_token}", "Content-Type": content_type}
        assert send(api.sandbox.base_url + path, b"--b\r\nno form", headers).refusal == (400, "bad_request")
    assert api.sandbox.file_hosts.received == ()


def test_a_file_may_have_25_megabytes(api: Api) -> None:
    assert post(api, ENDPOINTS[0], bytes(LARGEST)).status == 200
    assert post(api, ENDPOINTS[0], bytes(LARGEST + 1)).refusal == (413, "bad_request")
    assert [len(file.content) for file in api.sandbox.file_hosts.received] == [LARGEST]


def test_the_content_decides_the_music_of_an_upload(api: Api) -> None:
    """The same recording must give the same song wherever it was hosted, so that a test can tell recordings apart."""

    def style_of(url: str) -> str:
        audio_id = api.post("/producer/upload", {"audio_url": url}).json["data"]["audio_id"]
        return str(api.make("upload_cover", audio_id=audio_id, seed="1")["style"])

    contents = (b"a", b"a", b"b", b"c")
    urls = [post(api, path, each).json["url"] for path, each in zip(ENDPOINTS * 2, contents, strict=True)]
    styles = [style_of(url) for url in urls]
    assert len(set(urls)) == 4
    assert styles[0] == styles[1]
    assert len(set(styles)) > 1
    unknown = {"audio_url": f"{api.sandbox.base_url}/sandbox/uploads/99/a.wav"}
    assert api.post("/producer/upload", unknown).refusal == (400, "bad_request")


def test_files_cost_nothing(api: Api) -> None:
    post(api, ENDPOINTS[0])
    assert api.sandbox.charges == ()


def test_an_impossible_setting_is_refused(api: Api) -> None:
    """A misspelt one would leave the endpoint as it is, and the test that sets it would prove nothing."""
    with pytest.raises(ValueError, match="platform"):
        setattr(api.sandbox.file_hosts, "platform", "broken")  # noqa: B010 - mypy would refuse it
