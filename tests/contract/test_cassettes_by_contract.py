"""Every recording against the contract: one that departs from it shows a tool what the API does not send."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.api_contract import CONTRACT, check_answer, check_request
from tests.contract.forgiveness import as_meant

CASSETTES = Path(__file__).parents[2] / "cassettes"


@pytest.mark.parametrize(
    "cassette", sorted(CASSETTES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CASSETTES).with_suffix(""))
)
def test_a_recording_keeps_to_the_contract(cassette: Path) -> None:
    recording = yaml.safe_load(cassette.read_text("utf-8"))
    if recording.get("contract") is False:
        pytest.skip("recorded from a server that answers nonsense on purpose")
    assert recording["interactions"]
    for interaction in recording["interactions"]:
        # The provider's own examples rely on what the service forgives; what the tools send must not.
        forgiving = recording["provenance"]["kind"] == "documented"
        check_interaction(interaction["request"], interaction["response"], forgiving=forgiving)


def check_interaction(request: dict[str, Any], response: dict[str, Any], *, forgiving: bool) -> None:
    path, status = urlsplit(request["uri"]).path, response["status"]["code"]
    if path in CONTRACT["paths"]:
        body = _json(request["body"])
        check_request(path, as_meant(path, body) if forgiving else body)
    else:
        # An address that is not the API's: any endpoint's 404 says what the answer looks like.
        assert status == 404
        path = "/producer/tasks"
    check_answer(path, status, _json(response["body"]["string"]))


def _json(body: Any) -> Any:
    """A body as vcrpy keeps it, or one that has been unfolded so that people can read it."""
    return json.loads(body) if isinstance(body, str | bytes) else body
