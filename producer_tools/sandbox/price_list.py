"""The price list, which the service publishes on its platform's host. Here it has the sandbox's own address.

That the platform answers ``{count, items}``, and the names of the items' fields, is known from the provider's MCP
server for its platform. What ``cost`` looks like is documented nowhere, and the list prices of the past have been
withdrawn: the shape and all numbers here are invented.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from producer_tools.sandbox.errors import ApiError

APIS = "/api/v1/apis/"
SERVICES = "/api/v1/services/"

_SERVICE_ID = "sandbox-service-producer"
# Invented. In credits; for an endpoint with actions, of each action.
_COSTS: dict[str, float | dict[str, float]] = {
    "/producer/audios": {
        "generate": 0.8,
        "cover": 1.0,
        "extend": 0.5,
        "variation": 0.5,
        "swap_vocals": 0.5,
        "swap_instrumentals": 0.5,
        "replace_section": 0.5,
        "stems": 0.5,
        "upload_cover": 1.0,
        "upload_extend": 0.5,
        "upload_replace_section": 0.5,
    },
    "/producer/lyrics": 0.05,
    "/producer/upload": 0.1,
    "/producer/videos": 0.2,
    "/producer/wav": 0.2,
    "/producer/tasks": 0.0,
}


class PriceList(BaseModel):
    """How the sandbox answers requests for prices. Each attribute can be changed at any time.

    An impossible value raises ``pydantic.ValidationError``, which is a ValueError.

    Attributes:
        answer: ``works``: the prices as numbers, in credits. ``other_shape``: each ``cost`` is a text. ``empty``: no
            items. ``no_api``: 404.
        stage: The ``stage`` of every API.
    """

    model_config = ConfigDict(strict=True, extra="forbid", validate_assignment=True)

    answer: Literal["works", "other_shape", "empty", "no_api"] = "works"
    stage: Literal["Alpha", "Beta", "Production"] = "Production"

    async def serve_apis(self, request: web.Request) -> web.Response:
        """Answer a GET of ``/api/v1/apis/``, of one ``path`` if the query has one.

        Raises:
            ApiError: ``no_api``.
        """
        return self._answer(list(self._apis(request.query.get("path"))))

    async def serve_services(self, request: web.Request) -> web.Response:
        """Answer a GET of ``/api/v1/services/``, of one ``id`` if the query has one.

        Raises:
            ApiError: ``no_api``.
        """
        service = {
            "id": _SERVICE_ID,
            "alias": "producer",
            "unit": "Credit",
            "free_amount": 0,
            "cost": self._written(_COSTS),
        }
        return self._answer([service] if request.query.get("id", _SERVICE_ID) == _SERVICE_ID else [])

    def _apis(self, path: str | None) -> Iterator[dict[str, Any]]:
        for known, cost in _COSTS.items():
            if path in {None, known}:
                definition = {"paths": {known: _contract_paths()[known]}}
                written = self._written(cost)
                yield {"path": known, "method": "POST", "stage": self.stage, "cost": written, "definition": definition}

    def _written(self, cost: object) -> object:
        return f"Credits: {json.dumps(cost)}" if self.answer == "other_shape" else cost

    def _answer(self, items: list[dict[str, Any]]) -> web.Response:
        if self.answer == "no_api":
            raise ApiError("no_api", "there is no price list here")
        shown = [] if self.answer == "empty" else items
        return web.json_response({"count": len(shown), "items": shown})


@cache
def _contract_paths() -> dict[str, Any]:
    contract: dict[str, Any] = json.loads((files("producer_tools.sandbox") / "openapi.json").read_bytes())
    paths: dict[str, Any] = contract["paths"]
    return paths
