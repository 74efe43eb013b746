"""Every recording against the contract, so that no test uses an answer that the API does not send."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.api_contract import CONTRACT, check_answer, check_request
from tests.contract.leniency import normalised

CASSETTES = Path(__file__).parents[2] / "cassettes"


@pytest.mark.parametrize(
    "cassette", sorted(CASSETTES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CASSETTES).with_suffix(""))
)
def test_a_recording_matches_the_contract(cassette: Path) -> None:
    recording = yaml.safe_load(cassette.read_text("utf-8"))
    if recording.get("contract") is False:
        pytest.skip("recorded from a server that gives invalid answers on purpose")
    assert recording["interactions"]
    for interaction in recording["interactions"]:
        # The provider's own examples have bodies that only the service accepts. The tools must not send such bodies.
        lenient = recording["provenance"]["kind"] == "documented"
        check_interaction(interaction["request"], interaction["response"], lenient=lenient)


def check_interaction(request: dict[str, Any], response: dict[str, Any], *, lenient: bool) -> None:
    path, status = urlsplit(request["uri"]).path, response["status"]["code"]
    if path in CONTRACT["paths"]:
        body = _json(request["body"])
        check_request(path, normalised(path, body) if lenient else body)
    else:
        # The path is not in the API. The 404 has the same form for every endpoint.
        assert status == 404
        path = "/producer/tasks"
    check_answer(path, status, _json(response["body"]["string"]))


def _json(body: Any) -> Any:
    """A body as vcrpy stores it (text), or as a readable recording has it (parsed)."""
    return json.loads(body) if isinstance(body, str | bytes) else body
