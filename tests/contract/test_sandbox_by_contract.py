"""The sandbox against the contract: a client written for one must work with the other."""

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from producer_tools.sandbox import ProducerSandbox
from tests.api_contract import CONTRACT, check_answer, refuted_request
from tests.contract.leniency import normalised

Case = schemathesis.Case[Any]
# The tests of the endpoints that take files check their answers by the contract: the bodies are no JSON.
FILES = {"/files/upload", "/api/v1/files/"}
contract = schemathesis.openapi.from_dict(CONTRACT).exclude(path=list(FILES))

LOOK_UPS = "/producer/tasks"
# How many cases each test of an endpoint sends at least. Most are boundary cases that schemathesis derives from the
# contract, which has most to say about audios.
CASES = {
    "/producer/audios": 380,
    LOOK_UPS: 170,
    "/producer/lyrics": 70,
    "/producer/upload": 70,
    "/producer/videos": 70,
    "/producer/wav": 70,
}
GENERATED = 50  # of these

NOT_CHECKED: list[Any] = [
    CHECKS.get_one(name)
    for name in (
        # `check_decision` replaces these: the sandbox accepts more than the contract, and refuses unknown audio.
        "negative_data_rejection",
        "positive_data_acceptance",
        # The API has no error with status 405: a method other than POST is a bad request.
        "unsupported_method",
        # These expect 401 without a token, but the API answers 400 `no_token`, which `check_decision` checks.
        "ignored_auth",
        "missing_required_header",
    )
]
# Rules of the API that a schema cannot express.
BEYOND_THE_CONTRACT = re.compile(
    r"there is no audio|audio \S+ was (not )?uploaded|replace_section_end must be greater|(callback|audio)_url: "
)


class Served(NamedTuple):
    """The address and the token of a running sandbox."""

    base_url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(self.base_url + path, json.dumps(body).encode(), self.headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=50) as response:  # noqa: S310 - loopback
            answer = json.load(response)
        assert isinstance(answer, dict)
        return answer


class Existing(NamedTuple):
    """Ids that exist in the sandbox."""

    song: str
    upload: str
    task: str


@pytest.fixture(scope="module", params=["record"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with ProducerSandbox(render_seconds=0, vocabulary=request.param) as sandbox:
        sandbox.listing.largest_page = 5  # checking hundreds of records in each answer would take minutes
        yield Served(sandbox.base_url, sandbox.api_token)


@pytest.fixture(scope="module")
def existing(served: Served) -> Existing:
    song = served.post("/producer/audios", {"action": "generate", "prompt": "rain", "lyric": ""})
    upload = served.post("/producer/upload", {"audio_url": "https://audio.example/a.mp3"})
    return Existing(song["data"][0]["id"], upload["data"]["audio_id"], song["task_id"])


@pytest.fixture
def sent() -> Iterator[list[Case]]:
    """Collects the cases that a test sends, and checks at the end that there were enough."""
    cases: list[Case] = []
    yield cases
    assert len(cases) >= CASES[cases[0].path]


each_case = settings(
    max_examples=GENERATED,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@contract.parametrize()
@each_case
def test_the_sandbox_matches_the_contract(case: Case, served: Served, existing: Existing, sent: list[Case]) -> None:
    """Otherwise a client that works with the sandbox fails with the service, or the other way round."""
    sent.append(case)
    check(case, served, existing)


@pytest.mark.parametrize("served", ["state"], indirect=True)
@contract.include(path=LOOK_UPS).parametrize()
@each_case
def test_records_in_the_other_vocabulary_match_the_contract(
    case: Case, served: Served, existing: Existing, sent: list[Case]
) -> None:
    """Only the records that look-ups return are in one of two vocabularies."""
    sent.append(case)
    check(case, served, existing)


def test_a_thousand_cases_are_sent() -> None:
    """Fewer would miss differences; the tests above check that each endpoint gets its share."""
    assert CASES.keys() == CONTRACT["paths"].keys() - FILES
    assert sum(CASES.values()) + CASES[LOOK_UPS] >= 1000


def check(case: Case, served: Served, existing: Existing) -> None:
    """Send a case, and compare the answer with the contract."""
    if isinstance(case.body, dict):
        _use_existing_ids(case.body, existing)
    response = case.call(base_url=served.base_url, headers=served.headers)
    case.validate_response(response, excluded_checks=NOT_CHECKED, headers=served.headers)
    if case.method == "POST":
        check_answer(case.path, response.status_code, response.json())
        check_decision(case.path, case.body, response)


def check_decision(path: str, body: object, response: schemathesis.Response) -> None:
    """The sandbox accepts what the contract allows, and refuses the rest, except for what the service accepts."""
    answer = response.json()
    if "Authorization" not in response.request.headers:
        assert answer["error"]["code"] == "no_token"
    elif not isinstance(body, dict) or refuted_request(path, normalised(path, body)):
        assert answer.get("error", {}).get("code") == "bad_request", body
    elif refuted_request(path, body) is None and response.status_code != 200:
        assert BEYOND_THE_CONTRACT.match(answer["error"]["message"]), answer


def _use_existing_ids(body: dict[str, Any], existing: Existing) -> None:
    """Put existing ids into half of the bodies; otherwise all of them would be refused for an unknown id."""
    uploaded = str(body.get("action")).startswith("upload_")
    for name, audio_or_task in (("audio_id", existing.upload if uploaded else existing.song), ("id", existing.task)):
        text = body.get(name)
        if isinstance(text, str) and text.strip() and len(text) % 2:
            body[name] = audio_or_task
