"""The price list: who may read it, its known fields, and what a test can make it answer instead."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api_contract import CONTRACT
from tests.sandbox.calls import Api, send, serving


@pytest.fixture(scope="module")
def running() -> Iterator[Api]:
    with serving() as api:
        yield api


@pytest.fixture
def api(running: Api) -> Api:
    running.sandbox.price_list.answer, running.sandbox.price_list.stage = "works", "Production"
    return running


def read(api: Api, path: str) -> Any:
    """Read without a token."""
    answer = send(f"{api.sandbox.base_url}/api/v1/{path}")
    assert answer.status == 200
    return answer.json


def test_one_api_is_found_by_its_path(api: Api) -> None:
    answer = read(api, "apis/?path=/producer/audios")
    assert answer["count"] == 1
    (item,) = answer["items"]
    assert set(item) == {"path", "method", "stage", "cost", "definition"}
    assert (item["path"], item["method"], item["stage"]) == ("/producer/audios", "POST", "Production")
    assert item["cost"]["generate"] > 0


def test_all_apis_are_listed_without_a_path_and_none_for_an_unknown_one(api: Api) -> None:
    answer = read(api, "apis/")
    paths = {path for path in CONTRACT["paths"] if path.startswith("/producer/")}
    assert {item["path"] for item in answer["items"]} == paths
    assert answer["count"] == len(paths)
    assert read(api, "apis/?path=/suno/audios") == {"count": 0, "items": []}


def test_every_action_of_the_contract_has_a_price(api: Api) -> None:
    (item,) = read(api, "apis/?path=/producer/audios")["items"]
    actions = CONTRACT["components"]["schemas"]["AudiosRequest"]["properties"]["action"]["enum"]
    assert set(item["cost"]) == set(actions)


def test_the_service_is_listed_and_found_by_its_id(api: Api) -> None:
    (service,) = read(api, "services/")["items"]
    assert {"id", "alias", "unit", "free_amount", "cost"} == set(service)
    assert read(api, f"services/?id={service['id']}")["items"] == [service]
    assert read(api, "services/?id=unknown") == {"count": 0, "items": []}


def test_the_stage_can_be_set(api: Api) -> None:
    api.sandbox.price_list.stage = "Alpha"
    assert {item["stage"] for item in read(api, "apis/")["items"]} == {"Alpha"}


@pytest.mark.parametrize("path", ["apis/", "services/"])
def test_the_price_list_can_have_another_shape_be_empty_or_missing(api: Api, path: str) -> None:
    """Its shape is not documented: a client must not fail on another one."""
    api.sandbox.price_list.answer = "other_shape"
    assert {type(item["cost"]) for item in read(api, path)["items"]} == {str}
    api.sandbox.price_list.answer = "empty"
    assert read(api, path) == {"count": 0, "items": []}
    api.sandbox.price_list.answer = "no_api"
    assert send(f"{api.sandbox.base_url}/api/v1/{path}").refusal == (404, "no_api")


@pytest.mark.parametrize(("name", "value"), [("answer", "no"), ("stage", "Gamma"), ("cost", 1)])
def test_an_impossible_setting_is_refused(api: Api, name: str, value: object) -> None:
    """A misspelt one would leave the prices as they are, and the test that sets it would prove nothing."""
    with pytest.raises(ValueError, match=name):
        setattr(api.sandbox.price_list, name, value)
