"""Finds the task of a request whose answer was lost, in the account's listing of tasks.

Whether an API token may list tasks is not known: the provider's own web application does it, with another token. So if
the service refuses, this is remembered for the account, and the service is not asked again. The same holds if it
answers three times with something else, with other accounts' tasks, or with none although the account has some. But
once it has listed one of the account's own tasks, such an answer counts as a temporary fault.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from producer_tools.errors import (
    AnswerError,
    APIError,
    AuthenticationError,
    InsufficientBalanceError,
    RateLimitError,
    ServerError,
    ServiceDisabledError,
)
from producer_tools.http.safe_text import LONGEST_ID, safe_name
from producer_tools.http.transport import Transport
from producer_tools.requests import AUDIOS, DELIVERY, LYRICS, TASKS, UPLOAD, VIDEOS, WAV, GetTask

_PAGE = 50
_MOST_PAGES = 20
_DOUBTS = 3
# Before a task counts as never begun, the clocks may differ by so much.
_LARGEST_CLOCK_DIFFERENCE = 3600.0
_TYPES = [endpoint.rpartition("/")[2] for endpoint in (AUDIOS, LYRICS, UPLOAD, VIDEOS, WAV)]

# The default of each field of a song's request (spec), which the service may write down; ``None`` if it has none.
_DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(("lyric", "prompt", "title", "audio_id", "seed", "lyrics_strength", "sound_strength")),
    **dict.fromkeys(("continue_at", "replace_section_start", "replace_section_end")),
    "instrumental": False,
    "model": "FUZZ-2.0",
    "weirdness": 0.5,
    "cover_strength": 1,
}
# These answers to a look-up say nothing about the task.
_NOT_ABOUT_THE_TASK = (AuthenticationError, InsufficientBalanceError, RateLimitError, ServerError, ServiceDisabledError)
_EQUAL_NUMBERS = 1e-6  # a service that computes with 32 bits writes 0.3 as 0.30000001192092896


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

        The service may add defaults and fields that the API does not have, leave out unset ones, and write a number as
        text. A callback address is compared too if the record has one: no two requests share it.
        """
        request = record.get("request")
        if not isinstance(request, Mapping) or self._is_of_another_endpoint(record.get("type"), request):
            return False
        url = self.body.get("callback_url")
        if url is not None and request.get("callback_url") not in (None, url):
            return False
        is_same = all(_same(value, request.get(name)) for name, value in self.body.items() if name not in DELIVERY)
        return is_same and not self._says_more(request)

    def _says_more(self, request: Mapping[str, Any]) -> bool:
        """Whether a song's request asks for something that this one does not: other software may have sent it."""
        return self.endpoint == AUDIOS and any(
            not (_same(None, request.get(name)) or _same(default, request.get(name)))
            for name, default in _DEFAULTS.items()
            if name not in self.body
        )

    def may_have_made(self, record: Mapping[str, Any], since: float, until: float) -> bool:
        """Whether a record does not rule out that it is this request's: of the same kind, from about the same time."""
        request = record.get("request")
        created = _created_at(record)
        if created is not None and not since <= created <= until:
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


class _Page(NamedTuple):
    """A page of the list.

    Attributes:
        records: the records on it; ``None`` if the service does not list the account's tasks.
        total: how many there are on all pages, if the service says so.
    """

    records: list[Mapping[str, Any]] | None
    total: object = None


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
        if self.is_refused(account):
            return
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
        read: dict[str | None, float | None] = {}
        found: dict[str, Mapping[str, Any]] = {}
        offset = 0
        for _ in range(_MOST_PAGES):
            records, total = await self._page(account, {**window, "limit": _PAGE, "offset": offset})
            if records is None or (offset == 0 and not records and not await self._lists_anything(account)):
                return None
            for each in records:
                # A service may ignore the window, and would then list an earlier request for the same song.
                if (created := _created_at(each)) is not None and first <= created <= last and sent.made(each):
                    found |= {task_id: each} if (task_id := _id(each)) else {}
            page = {_id(each): _created_at(each) for each in records}
            if page.keys() <= read.keys():
                if not found:
                    _check_end(len(records), len(read), total)
                return found
            read |= page
            times = [created for created in read.values() if created is not None]
            if _is_newest_first(times, certainly=True) and all(at is not None and at < first for at in page.values()):
                return found
            offset += len(records)  # the service's pages may be shorter than the limit
        raise AnswerError("too_many_tasks", f"The account has more than {len(read)} tasks of that time.")

    async def may_have_become(self, account: str, sent: SentRequest, since: float, until: float) -> list[str]:
        """The ids of the tasks that rule out that a request has no task, although `find` does not return them.

        The service's clock may differ from this machine's: then an equal request is outside of the time that was
        searched. Or the service may write a request down in another way, or leave it out of the list.

        Raises:
            ProducerToolError: the service cannot answer now, or lists more than 1,000 tasks since then.
        """
        read: dict[str | None, Mapping[str, Any]] = {}
        offset = 0
        for _ in range(_MOST_PAGES):
            records, total = await self._page(account, {"limit": _PAGE, "offset": offset})
            page = {_id(each): each for each in records or []}
            times = [created for each in page.values() if (created := _created_at(each)) is not None]
            if not _is_newest_first(times):
                raise _odd_answer()
            is_end = _is_newest_first(times, certainly=True) and times[-1] < since - _LARGEST_CLOCK_DIFFERENCE
            if page.keys() <= read.keys():
                _check_end(len(page), len(read), total)
                is_end = True
            read |= page
            if is_end:
                near = [each for each in read.values() if sent.made(each) or sent.may_have_made(each, since, until)]
                return [task_id for each in near if (task_id := _id(each))]
            offset += len(records or [])
        raise AnswerError("too_many_tasks", f"The account has more than {len(read)} tasks of that time.")

    async def lists_own(self, account: str) -> bool:
        """Whether the newest task in the list is this account's; if not, a task that is not listed may exist.

        Raises:
            ProducerToolError: the service cannot answer now.
        """
        records = (await self._page(account, {"limit": 1})).records or []
        task_id = _id(records[0]) if records else None
        is_own = task_id is not None and await self._record(task_id) is not None
        if not is_own:
            self.doubt(account)
        return is_own

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
        if is_own:
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
        record = await self._record(task_id)
        return None if record is None else sent.made(record)

    async def _record(self, task_id: str) -> Mapping[str, Any] | None:
        """The record of a task; ``None`` if the account has no such task."""
        try:
            record = await self._transport.post(TASKS, GetTask(task_id=task_id).body(), paid=False)
        except _NOT_ABOUT_THE_TASK:
            raise
        except APIError:
            return None
        return record if _id(record) == task_id else None

    async def _lists_anything(self, account: str) -> bool:
        """Whether the account has any tasks at all in the listing; if it has none, an empty answer proves nothing."""
        return bool((await self._page(account, {"limit": 1})).records)

    async def _page(self, account: str, filters: Mapping[str, Any]) -> _Page:
        if self.is_refused(account):
            return _Page(None)
        try:
            answer = await self._transport.post(TASKS, {"action": "retrieve_batch", **filters}, paid=False)
        except (InsufficientBalanceError, RateLimitError, ServerError):
            raise
        except APIError as error:
            if account in self._working:
                raise _odd_answer() from error
            self._refused.add(account)
            return _Page(None)
        items = answer.get("items")
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            self.doubt(account)
            return _Page(None)
        return _Page(items, answer.get("count"))


def _check_end(size: int, read: int, total: object) -> None:
    """Check that a page without new tasks means that all were read.

    Args:
        size: how many tasks the page has.
        read: how many tasks were read.
        total: how many there are, if the service says so.

    Raises:
        AnswerError: new tasks may have moved the pages, or the service may not know ``offset``.
    """
    if size == _PAGE or (size > 0 and isinstance(total, int) and total > read):
        raise _odd_answer()


def _is_newest_first(times: Sequence[float], *, certainly: bool = False) -> bool:
    """Whether a list of tasks begins with the newest one, by when they were created.

    Args:
        times: when, in the list's order.
        certainly: not if the times do not differ.
    """
    if not times or times[0] == times[-1]:
        return not certainly
    return times[0] > times[-1]


def _same(sent: object, recorded: object) -> bool:
    """Whether a record has the value that was sent, perhaps written in another way."""
    if not isinstance(recorded, str | int | float | None):
        return False
    if isinstance(sent, bool):
        return str(recorded).lower() in ({"true", "1"} if sent else {"false", "0", "none", ""})
    if sent is None or sent == "":
        return recorded is None or recorded is False or recorded == ""
    if isinstance(sent, float | int) and recorded is not None:
        try:
            return math.isclose(float(sent), float(recorded), rel_tol=_EQUAL_NUMBERS)
        except (ValueError, OverflowError):
            return False
    return str(sent).split() == str(recorded).split()


def _odd_answer() -> AnswerError:
    return AnswerError("odd_listing", "The tasks could not be listed this time.")


def _created_at(record: Mapping[str, Any]) -> float | None:
    """When a task was created, in Unix seconds; ``None`` if its record does not say so in a number."""
    value = record.get("created_at")
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:
        return None


def _id(record: Mapping[str, Any]) -> str | None:
    value = record.get("id") or record.get("task_id")
    return safe_name(value, LONGEST_ID) if isinstance(value, str) else None
