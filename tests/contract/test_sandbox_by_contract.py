"""The sandbox against the contract: whoever writes a client from the one must get along with the other."""

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from producer_tools.sandbox import ProducerSandbox
from producer_tools.sandbox.records import Vocabulary
from tests.api_contract import CONTRACT, check_answer, refuted_request
from tests.contract.forgiveness import as_meant

Case = schemathesis.Case[Any]
contract = schemathesis.openapi.from_dict(CONTRACT)

# For each of six endpoints in two vocabularies, so that there are a thousand in all.
CASES = 1000 // (6 * 2) + 1
GENERATED = 65  # of them; the others are the boundary cases that schemathesis reads out of the contract

NOT_CHECKED: list[Any] = [
    CHECKS.get_one(name)
    for name in (
        # `check_decision` takes their place: the sandbox forgives on purpose, and refuses audio it does not know.
        "negative_data_rejection",
        "positive_data_acceptance",
        # The API's errors have no 405: another method than POST is a bad request.
        "unsupported_method",
        # They expect 401 without a token, and the API answers 400 `no_token`, which `check_decision` looks for.
        "ignored_auth",
        "missing_required_header",
    )
]
# Rules of the API that a schema cannot say.
BEYOND_THE_CONTRACT = re.compile(
    r"there is no audio|audio \S+ was (not )?uploaded|replace_section_end must be greater|(callback|audio)_url: "
)


class Served(NamedTuple):
    """A sandbox that has made a song and taken in an upload."""

    base_url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(self.base_url + path, json.dumps(body).encode(), self.headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - loopback
            answer = json.load(response)
        assert isinstance(answer, dict)
        return answer


class Known(NamedTuple):
    """Ids that a request may name with success."""

    song: str
    upload: str
    task: str


@pytest.fixture(scope="module", params=get_args(Vocabulary))
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with ProducerSandbox(render_seconds=0, vocabulary=request.param) as sandbox:
        yield Served(sandbox.base_url, sandbox.api_token)


@pytest.fixture(scope="module")
def known(served: Served) -> Known:
    song = served.post("/producer/audios", {"action": "generate", "prompt": "rain", "lyric": ""})
    upload = served.post("/producer/upload", {"audio_url": "https://audio.example/a.mp3"})
    return Known(song["data"][0]["id"], upload["data"]["audio_id"], song["task_id"])


@pytest.fixture
def sent() -> Iterator[list[Case]]:
    """Where a test puts each case it has sent; afterwards there must have been enough."""
    cases: list[Case] = []
    yield cases
    assert len(cases) >= CASES


@contract.parametrize()
@settings(
    max_examples=GENERATED,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_sandbox_keeps_to_the_contract(case: Case, served: Served, known: Known, sent: list[Case]) -> None:
    """Broken, a client written from the contract fails at the sandbox, or one tried at the sandbox at the service."""
    sent.append(case)
    if isinstance(case.body, dict):
        _name_what_exists(case.body, known)
    response = case.call(base_url=served.base_url, headers=served.headers)
    case.validate_response(response, excluded_checks=NOT_CHECKED, headers=served.headers)
    if case.method == "POST":
        check_answer(case.path, response.status_code, response.json())
        check_decision(case.path, case.body, response)


def check_decision(path: str, body: object, response: schemathesis.Response) -> None:
    """What the contract allows is accepted; what it does not allow is refused, but for what is forgiven."""
    answer = response.json()
    if "Authorization" not in response.request.headers:
        assert answer["error"]["code"] == "no_token"
    elif not isinstance(body, dict) or refuted_request(path, as_meant(path, body)):
        assert answer.get("error", {}).get("code") == "bad_request", body
    elif refuted_request(path, body) is None and response.status_code != 200:
        assert BEYOND_THE_CONTRACT.match(answer["error"]["message"]), answer


def _name_what_exists(body: dict[str, Any], known: Known) -> None:
    """Let every other body that names something name something that exists: the rest is refused for that alone."""
    uploaded = str(body.get("action")).startswith("upload_")
    for name, existing in (("audio_id", known.upload if uploaded else known.song), ("id", known.task)):
        text = body.get(name)
        if isinstance(text, str) and text.strip() and len(text) % 2:
            body[name] = existing
