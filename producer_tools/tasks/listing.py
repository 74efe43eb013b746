"""Finds the task of a request whose answer was lost, in the account's listing of tasks.

Whether an API key may list tasks is not known: the provider's own web application does it, with another token. So a
service that refuses, or answers with something else, is remembered and not asked again.
"""

from collections.abc import Mapping
from typing import Any

from producer_tools.errors import APIError, RateLimitError, ServerError
from producer_tools.http.safe_text import LONGEST_ID, safe_name
from producer_tools.http.transport import Transport
from producer_tools.requests import DELIVERY, TASKS, GetTask

_PAGE = 50
_MOST_PAGES = 20
_UNSET = (None, "", False)


class Listing:
    """Finds tasks by the request that made them.

    Args:
        transport: sends the requests, with the token of the call.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._refused: set[str] = set()

    async def find(self, account: str, body: Mapping[str, Any], since: float, until: float) -> list[str] | None:
        """The ids of the tasks that a request may have become.

        Args:
            account: the hash of the token of this call.
            body: the JSON body that was sent.
            since: Unix seconds; only tasks created then or later.
            until: Unix seconds; only tasks created then or earlier.

        Returns:
            The ids, or ``None`` if the service does not list this account's tasks.

        Raises:
            ProducerToolError: the service cannot answer now.
        """
        window = {"created_at_min": int(since), "created_at_max": int(until) + 1}
        found: dict[str, None] = {}
        for page in range(_MOST_PAGES):
            records = await self._records(account, {**window, "limit": _PAGE, "offset": page * _PAGE})
            if records is None or (page == 0 and not records and not await self._lists_anything(account)):
                return None
            found |= dict.fromkeys(task_id for each in records if (task_id := _id(each)) and is_made_by(body, each))
            if not records:
                break
        return list(found)

    async def is_task_of(self, task_id: str, body: Mapping[str, Any]) -> bool:
        """Whether a task exists in the account of this call's token, and was made by this request.

        Raises:
            ProducerToolError: the service cannot answer now.
        """
        record = await self._transport.post(TASKS, GetTask(task_id=task_id).body(), paid=False)
        return _id(record) == task_id and is_made_by(body, record)

    async def _lists_anything(self, account: str) -> bool:
        """Whether the account has any tasks at all in the listing; if it has none, an empty answer proves nothing."""
        if await self._records(account, {"limit": 1}):
            return True
        self._refused.add(account)
        return False

    async def _records(self, account: str, filters: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
        if account in self._refused:
            return None
        try:
            answer = await self._transport.post(TASKS, {"action": "retrieve_batch", **filters}, paid=False)
        except (RateLimitError, ServerError):
            raise
        except APIError:
            answer = {}
        items = answer.get("items")
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            self._refused.add(account)
            return None
        return items


def is_made_by(body: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a task's record names a request with the same values.

    The service may add fields, leave out unset ones, and write a number as text. A callback address is compared too if
    the record has one: no two requests share it.
    """
    request = record.get("request")
    if not isinstance(request, Mapping):
        return False
    if "callback_url" in body and request.get("callback_url") not in (None, body["callback_url"]):
        return False
    return all(_same(value, request.get(name)) for name, value in body.items() if name not in DELIVERY)


def _same(sent: object, recorded: object) -> bool:
    if sent in _UNSET or recorded in _UNSET:
        return sent in _UNSET and recorded in _UNSET
    if isinstance(sent, float | int) and isinstance(recorded, float | int):
        return float(sent) == float(recorded)
    return str(sent) == str(recorded)


def _id(record: Mapping[str, Any]) -> str | None:
    value = record.get("id") or record.get("task_id")
    return safe_name(value, LONGEST_ID) if isinstance(value, str) else None
