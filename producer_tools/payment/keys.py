"""Idempotency keys, and fingerprints of requests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic.fields import FieldInfo

from producer_tools.requests import DELIVERY, Model, MusicRequest, PaidRequest

_VERSION = "2:"
_NOT_ASKED = DELIVERY | {"submission_key", "runtime"}


def fingerprint(request: PaidRequest) -> str:
    """A hash of what the caller asked, with its version.

    Neither the fields that were filled in, such as a default model, nor those that only say how the result is
    delivered change it. So it is the same after a default has changed, and in a version that has more fields. A fixed
    default that is spelt out counts as left out: the body is the same.
    """
    given = request.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    fields = type(request).model_fields
    asked = {
        fields[name].alias or name: value
        for name, value in given.items()
        if value not in (_fixed_default(fields[name]), "")
    }
    action = request.action if isinstance(request, MusicRequest) else ""
    return _VERSION + _hash(f"{request.endpoint} {action}", asked, _NOT_ASKED | request.not_asked)


def is_same_request(request: PaidRequest, asked: str) -> bool:
    """Whether a fingerprint, also one of the first version, is that of a request.

    The first version hashed the whole body, with the model that was the default then.
    """
    if asked.startswith(_VERSION):
        return asked == fingerprint(request)
    body = request.body()
    bodies = [body]
    if "model" in body and "model" not in request.model_fields_set:
        bodies = [{**body, "model": model} for model in get_args(Model)]
    return asked in {_hash(request.endpoint, body, DELIVERY) for body in bodies}


def ledger_key(key: str, account: str) -> str:
    """The key that an entry is filed under: each account has its own keys.

    Args:
        key: the caller's idempotency key.
        account: the hash of the API token.
    """
    return f"{account}/{key}"


def _fixed_default(field: FieldInfo) -> object:
    """The default that does not depend on the environment; ``None`` if there is none."""
    return None if field.default_factory is not None or field.is_required() else field.default


def _hash(name: str, values: Mapping[str, Any], left_out: frozenset[str]) -> str:
    asked = {field: value for field, value in values.items() if field not in left_out}
    return hashlib.sha256(f"{name} {json.dumps(asked, sort_keys=True)}".encode()).hexdigest()
