"""Idempotency keys, and fingerprints of requests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from producer_tools.requests import DELIVERY


def fingerprint(endpoint: str, body: Mapping[str, Any]) -> str:
    """A hash of a request. The fields that only say how the result is delivered do not change it."""
    asked = {name: value for name, value in body.items() if name not in DELIVERY}
    return hashlib.sha256(f"{endpoint} {json.dumps(asked, sort_keys=True)}".encode()).hexdigest()
