"""The contract as the tests use it: whether a body, or an answer, is what ``openapi.json`` says."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

CONTRACT: dict[str, Any] = json.loads((files("producer_tools.sandbox") / "openapi.json").read_text("utf-8"))


def refuted_request(path: str, body: object) -> str | None:
    """Why ``body`` is none that ``path`` takes, strictly; None where nothing is wrong with it."""
    return _refuted(_request_validator(path), body)


def check_request(path: str, body: object) -> None:
    """Fail unless ``body`` is one that ``path`` takes, strictly."""
    refuted = refuted_request(path, body)
    assert refuted is None, f"{path} does not take {body}: {refuted}"


def check_answer(path: str, status: int, body: object) -> None:
    """Fail unless ``path`` may answer with ``status`` and the JSON value ``body``."""
    assert path in CONTRACT["paths"], f"the contract knows no {path}"
    responses = CONTRACT["paths"][path]["post"]["responses"]
    assert str(status) in responses, f"{path} never answers with {status}"
    refuted = _refuted(_answer_validator(path, status), body)
    assert refuted is None, f"{path} never answers {status} with {body}: {refuted}"


@cache
def _request_validator(path: str) -> Draft202012Validator:
    return _validator(CONTRACT["paths"][path]["post"]["requestBody"])


@cache
def _answer_validator(path: str, status: int) -> Draft202012Validator:
    response = CONTRACT["paths"][path]["post"]["responses"][str(status)]
    if "$ref" in response:
        response = CONTRACT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return _validator(response)


def _validator(part: dict[str, Any]) -> Draft202012Validator:
    schema = part["content"]["application/json"]["schema"]
    # What it refers to lies below `components`, from the root of the file.
    return Draft202012Validator({**schema, "components": CONTRACT["components"]})


def _refuted(validator: Draft202012Validator, value: object) -> str | None:
    error = best_match(validator.iter_errors(value))
    return f"{error.json_path}: {error.message}" if error else None
