"""Finds the task of a request whose answer was lost, in the account's listing of tasks.

Whether an API token may list tasks is not known: the provider's own web application does it, with another token. So if
the service refuses, this is remembered for the account, and the service is not asked again. The same holds if it
answers three times with something else, with other accounts' tasks, or with none although the account has some. But
once it has listed one of the account's own tasks, such an answer counts as a temporary fault.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
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
from producer_tools.requests import TASKS, GetTask
from producer_tools.tasks.sent_request import SentRequest, created_at

_PAGE = 50
_MOST_PAGES = 400
# Of hundreds of pages one often fails, and the search would begin anew.
_ATTEMPTS_FOR_A_PAGE = 3
_DOUBTS = 3
# Before a task counts as never begun, the clocks may differ by so much.
_LARGEST_CLOCK_DIFFERENCE = 3600.0

# These answers to a look-up say nothing about the task.
_NOT_ABOUT_THE_TASK = (AuthenticationError, InsufficientBalanceError, RateLimitError, ServerError, ServiceDisabledError)


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
            ProducerToolError: the service cannot answer now, or lists more than 20,000 tasks of that time.
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
            # A service may ignore the window, and would then list an earlier request for the same song.
            inside = [each for each in records if (at := created_at(each)) is not None and first <= at <= last]
            found |= {task_id: each for each in inside if (task_id := _id(each)) and sent.made(each)}
            page = {_id(each): created_at(each) for each in records}
            if page.keys() <= read.keys():
                if not found:
                    _check_end(len(records), len(read), total)
                return found
            read |= page
            if all(at is not None and at < first for at in page.values()):
                newest, oldest = _first_and_last(read.values())
                if newest > oldest:
                    return found  # the newest come first, and the next pages have only older ones
            offset += len(records)  # the service's pages may be shorter than the limit
        raise AnswerError("too_many_tasks", f"The account has more than {len(read)} tasks of that time.")

    async def possible_tasks(self, account: str, sent: SentRequest, since: float, until: float) -> list[str]:
        """The ids of the tasks that a request may have become, although `find` does not return them.

        The service's clock may differ from this machine's: then an equal request is outside of the time that was
        searched. Or the service may write a request down in another way, or leave it out of the list.

        Raises:
            ProducerToolError: the service cannot answer now, or lists more than 20,000 tasks since then.
        """
        read: set[str | None] = set()
        near: list[str] = []
        offset = 0
        for _ in range(_MOST_PAGES):
            records, total = await self._page(account, {"limit": _PAGE, "offset": offset})
            page = {_id(each): each for each in records or []}
            newest, oldest = _first_and_last(created_at(each) for each in page.values())
            if newest < oldest:  # the oldest come first
                raise _odd_answer()
            is_last = page.keys() <= read
            if is_last:
                _check_end(len(page), len(read), total)
            # Only ids are kept: the records of 20,000 tasks would take 60 MB.
            near += [
                task_id
                for task_id, each in page.items()
                if task_id and task_id not in read and (sent.made(each) or sent.may_have_made(each, since, until))
            ]
            read |= page.keys()
            if is_last or oldest < min(newest, since - _LARGEST_CLOCK_DIFFERENCE):
                return near
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

        If it is, the service is known to list this account's tasks.

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
            answer = await self._answer({"action": "retrieve_batch", **filters})
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

    async def _answer(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        # Not `with_retries`: its pauses would let a search that runs after the shared minute take half a minute more.
        for _ in range(_ATTEMPTS_FOR_A_PAGE - 1):
            with suppress(AnswerError, ServerError):
                return await self._transport.post(TASKS, body, paid=False)
        return await self._transport.post(TASKS, body, paid=False)


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


def _first_and_last(created: Iterable[float | None]) -> tuple[float, float]:
    """The first and the last of the times that are known; the same twice if none is."""
    times = [at for at in created if at is not None] or [0.0]
    return times[0], times[-1]


def _odd_answer() -> AnswerError:
    return AnswerError("odd_listing", "The tasks could not be listed this time.")


def _id(record: Mapping[str, Any]) -> str | None:
    value = record.get("id") or record.get("task_id")
    return safe_name(value, LONGEST_ID) if isinstance(value, str) else None
