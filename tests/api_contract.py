"""Checks request bodies and answers against the API's contract, the ``openapi.json`` of the sandbox."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

CONTRACT: dict[str, Any] = json.loads((files("producer_tools.sandbox") / "openapi.json").read_text("utf-8"))


def refuted_request(path: str, body: object) -> str | None:
    """Why ``body`` is not a valid request to ``path``; None if it is valid."""
    return _problem(_request_validator(path), body)


def check_request(path: str, body: object) -> None:
    """Fail unless ``body`` is a valid request to ``path``."""
    problem = refuted_request(path, body)
    assert problem is None, f"{body} is not a valid request to {path}: {problem}"


def check_answer(path: str, status: int, body: object) -> None:
    """Fail unless ``status`` and the JSON value ``body`` are a valid answer of ``path``."""
    assert path in CONTRACT["paths"], f"the contract has no endpoint {path}"
    responses = CONTRACT["paths"][path]["post"]["responses"]
    assert str(status) in responses, f"the contract of {path} has no status {status}"
    problem = _problem(_answer_validator(path, status), body)
    assert problem is None, f"{body} is not a valid {status} answer of {path}: {problem}"


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
    # The schema's references point below `components` at the root of the document.
    return Draft202012Validator({**schema, "components": CONTRACT["components"]})


def _problem(validator: Draft202012Validator, value: object) -> str | None:
    error = best_match(validator.iter_errors(value))
    return f"{error.json_path}: {error.message}" if error else None
