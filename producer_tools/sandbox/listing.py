"""The list of an account's tasks: what it has, and what a test can make it answer instead.

The provider's web application lists tasks with a bearer token. Whether an application's API key suffices is not known,
and neither are the largest page and the meaning of ``count``: what is here is the sandbox's own choice.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from producer_tools.sandbox.contract import TasksBody
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.jobs import StoredTask
from producer_tools.sandbox.users import User

_Answer = Literal["works", "bad_request", "invalid_token", "forbidden", "no_api", "empty", "foreign", "other_shape"]

_DEFAULT_PAGE = 20
_REFUSALS = {"bad_request", "invalid_token", "forbidden", "no_api"}


class Listing(BaseModel):
    """How the sandbox answers a request for the list of tasks. Each attribute can be changed at any time.

    An impossible value raises ``pydantic.ValidationError``, which is a ValueError.

    Attributes:
        answer: ``works``: the account's tasks, newest first. ``bad_request`` (400), ``invalid_token`` (401),
            ``forbidden`` (403) or ``no_api`` (404): refused with this code. ``empty``: no tasks. ``foreign``: the
            tasks of all accounts, whatever account is asked for. ``other_shape``: the tasks in another JSON object
            than the one that is known.
        delay_seconds: A task is listed only this long after its submit, by the sandbox's clock.
        largest_page: How many tasks one answer has at most; a larger ``limit`` is cut down to it. Without a
            ``limit``, an answer has 20 at most.
    """

    model_config = ConfigDict(strict=True, extra="forbid", validate_assignment=True)

    answer: _Answer = "works"
    delay_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    largest_page: Annotated[int, Field(ge=1)] = 100

    def select(
        self, tasks: Iterable[StoredTask], body: TasksBody, user: User, now: float
    ) -> tuple[list[StoredTask], int]:
        """The page of tasks that ``user`` asks for with ``body``, and how many there are on all pages.

        Args:
            tasks: All tasks of all accounts, oldest first.
            body: The request.
            user: Who asks.
            now: The time, in Unix seconds.

        Raises:
            ApiError: The list is refused.
        """
        if self.answer in _REFUSALS:
            raise ApiError(self.answer, "this token may not list tasks")
        matching = [] if self.answer == "empty" else [task for task in tasks if self._shows(task, body, user, now)]
        matching.reverse()
        size = min(_DEFAULT_PAGE if body.limit is None else body.limit, self.largest_page)
        return matching[body.offset : body.offset + size], len(matching)

    def write(self, records: list[dict[str, Any]], count: int) -> dict[str, Any]:
        """The answer with these task records."""
        if self.answer == "other_shape":
            return {"success": True, "data": {"tasks": records, "total": count}}
        return {"items": records, "count": count}

    def _shows(self, task: StoredTask, body: TasksBody, user: User, now: float) -> bool:
        asked_for = (
            task.owner == user
            and body.user_id in {"", user.user_id}
            and body.application_id in {"", user.application_id}
        )
        return (
            (asked_for or self.answer == "foreign")
            and now >= task.created_at + self.delay_seconds
            and body.type in {"", task.record_type}
            and (body.created_at_min is None or task.created_at >= body.created_at_min)
            and (body.created_at_max is None or task.created_at <= body.created_at_max)
        )
