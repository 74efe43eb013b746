"""Finds the task of a request whose answer was lost, in the account's listing of tasks.

Whether an API token may list tasks is not known: the provider's own web application does it, with another token. So if
the service refuses, this is remembered for the account, and the service is not asked again. The same holds if it
answers three times with something else, with other accounts' tasks, or with none although the account has some. But
once it has listed one of the account's own tasks, such an answer counts as a temporary fault.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from producer_tools.errors import AnswerError, APIError, InsufficientBalanceError, RateLimitError, ServerError
from producer_tools.http.safe_text import LONGEST_ID, safe_name
from producer_tools.http.transport import Transport
from producer_tools.requests import AUDIOS, DELIVERY, LYRICS, TASKS, UPLOAD, VIDEOS, WAV, GetTask

_PAGE = 50
_MOST_PAGES = 20
_DOUBTS = 3
_TYPES = {endpoint.rpartition("/")[2] for endpoint in (AUDIOS, LYRICS, UPLOAD, VIDEOS, WAV)}


class SentRequest(NamedTuple):
    """A paid request as it was sent.

    Attributes:
        endpoint: the path that it went to.
        body: its JSON body.
    """

    endpoint: str
    body: Mapping[str, Any]

    def made(self, record: Mapping[str, Any]) -> bool:
        """Whether a task's record says that this request made the task.

        The service may add fields, leave out unset ones, and write a number as text. A callback address is compared too
        if the record has one: no two requests share it.
        """
        request = record.get("request")
        if not isinstance(request, Mapping) or self._is_of_another_endpoint(record.get("type"), request):
            return False
        url = self.body.get("callback_url")
        if url is not None and request.get("callback_url") not in (None, url):
            return False
        return all(_same(value, request.get(name)) for name, value in self.body.items() if name not in DELIVERY)

    def may_have_made(self, record: Mapping[str, Any], since: float, until: float) -> bool:
        """Whether a record does not rule out that it is this request's: of the same kind, from about the same time."""
        request = record.get("request")
        if not since <= _created_at(record, default=since) <= until:
            return False
        if not isinstance(request, Mapping):
            return record.get("type") not in _TYPES or record.get("type") == self.endpoint.rpartition("/")[2]
        return not self._is_of_another_endpoint(record.get("type"), request) and all(
            _same(self.body.get(name), request.get(name)) for name in ("action", "audio_id")
        )

    def _is_of_another_endpoint(self, kind: object, request: Mapping[str, Any]) -> bool:
        # The other endpoints' bodies have no action, and one field that a song's body may have as well.
        if ("action" in self.body) != ("action" in request):
            return True
        return kind in _TYPES and kind != self.endpoint.rpartition("/")[2]


class Listing:
    """Finds tasks by the request that made them.

    Args:
        transport: sends the requests, with the token of the call.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._refused: set[str] = set()
        self._working: set[str] = set()
        self._doubts: Counter[str] = Counter()

    def is_refused(self, account: str) -> bool:
        """Whether the service is known not to list this account's tasks; then it is not asked again."""
        return account in self._refused

    def doubt(self, account: str) -> None:
        """Note an answer that a service which lists this account's tasks does not give. The third is a refusal.

        Raises:
            AnswerError: the answer may be a fault that passes.
        """
        self._doubts[account] += 1
        if account in self._working or self._doubts[account] < _DOUBTS:
            raise _odd_answer()
        self._refused.add(account)

    async def find(
        self, account: str, sent: SentRequest, since: float, until: float
    ) -> dict[str, Mapping[str, Any]] | None:
        """The records of the tasks that a request may have become, by their ids.

        Args:
            account: the hash of the token of this call.
            sent: the request.
            since: Unix seconds; only tasks created then or later.
            until: Unix seconds; only tasks created then or earlier.

        Returns:
            The records, or ``None`` if the service lists no task of this account at all.

        Raises:
            ProducerToolError: the service cannot answer now, or lists more than 1,000 tasks of that time.
        """
        first, last = int(since), int(until) + 1
        window = {"created_at_min": first, "created_at_max": last}
        read: set[str | None] = set()
        found: dict[str, Mapping[str, Any]] = {}
        offset = 0
        for _ in range(_MOST_PAGES):
            records = await self._records(account, {**window, "limit": _PAGE, "offset": offset})
            if records is None or (offset == 0 and not records and not await self._lists_anything(account)):
                return None
            # A service may ignore the window, and would then list an earlier request for the same song.
            created = [_created_at(each, default=since) for each in records]
            inside = [each for each, at in zip(records, created, strict=True) if first <= at <= last]
            found |= {task_id: each for each in inside if (task_id := _id(each)) and sent.made(each)}
            ids = {_id(each) for each in records}
            # The end, or a service that does not know `offset`, or tasks that are too old: the newest come first.
            if ids <= read or all(at < first for at in created):
                return found
            read |= ids
            offset += len(records)  # the service's pages may be shorter than the limit
        raise AnswerError("too_many_tasks", f"The account has more than {len(read)} tasks of that time.")

    async def may_have_become(self, account: str, sent: SentRequest, since: float, until: float) -> list[str]:
        """The ids of the newest tasks that rule out that a request has no task, although `find` does not return them.

        The service's clock may differ from this machine's: then an equal request is outside of the time that was
        searched. Or the service may write a request down in another way, or leave it out of the list.

        Raises:
            ProducerToolError: the service cannot answer now.
        """
        records = await self._records(account, {"limit": _PAGE}) or []
        return [
            task_id
            for each in records
            if (task_id := _id(each)) and (sent.made(each) or sent.may_have_made(each, since, until))
        ]

    async def is_own(self, account: str, task_id: str, sent: SentRequest) -> bool | None:
        """Whether a task that was found is one of this account, made by this request.

        Args:
            account: the hash of the token of this call.
            task_id: the task's id.
            sent: the request.

        Returns:
            ``None`` if the account has no such task, so that the service lists other accounts' tasks.

        Raises:
            ProducerToolError: the service cannot answer now.
        """
        is_own = await self.is_task_of(task_id, sent)
        if is_own is None:
            self.doubt(account)
        elif is_own:
            self._working.add(account)
        return is_own

    async def is_task_of(self, task_id: str, sent: SentRequest) -> bool | None:
        """Whether a task was made by this request; ``None`` if the account of this call's token has no such task.

        Args:
            task_id: the service's id of the task.
            sent: the request.

        Raises:
            ProducerToolError: the service cannot answer now.
        """
        try:
            record = await self._transport.post(TASKS, GetTask(task_id=task_id).body(), paid=False)
        except (RateLimitError, ServerError):
            raise
        except APIError:
            return None
        return sent.made(record) if _id(record) == task_id else None

    async def _lists_anything(self, account: str) -> bool:
        """Whether the account has any tasks at all in the listing; if it has none, an empty answer proves nothing."""
        return bool(await self._records(account, {"limit": 1}))

    async def _records(self, account: str, filters: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
        if self.is_refused(account):
            return None
        try:
            answer = await self._transport.post(TASKS, {"action": "retrieve_batch", **filters}, paid=False)
        except (InsufficientBalanceError, RateLimitError, ServerError):
            raise
        except APIError as error:
            if account in self._working:
                raise _odd_answer() from error
            self._refused.add(account)
            return None
        items = answer.get("items")
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            self.doubt(account)
            return None
        return items


def _same(sent: object, recorded: object) -> bool:
    if _is_unset(sent) or _is_unset(recorded):
        return _is_unset(sent) and _is_unset(recorded)
    if isinstance(sent, float | int) and isinstance(recorded, float | int | str):
        try:
            return float(sent) == float(recorded)
        except ValueError:
            return False
    return str(sent) == str(recorded)


def _is_unset(value: object) -> bool:
    # Zero is a value, although it equals False.
    return value is None or value is False or value == ""


def _odd_answer() -> AnswerError:
    return AnswerError("odd_listing", "The tasks could not be listed this time.")


def _created_at(record: Mapping[str, Any], default: float) -> float:
    """When a task was created, in Unix seconds; the default if its record does not say so in a number."""
    value = record.get("created_at")
    return float(value) if isinstance(value, int | float) else default


def _id(record: Mapping[str, Any]) -> str | None:
    value = record.get("id") or record.get("task_id")
    return safe_name(value, LONGEST_ID) if isinstance(value, str) else None
