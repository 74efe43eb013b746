"""Decides whether a task failed because the service could not do the work, whatever the request was."""

import re

from producer_tools.errors import ServerError
from producer_tools.http.faults import class_of_code
from producer_tools.tasks.task import STUCK, Task

# The service's own words are known only roughly: "api_error", "timeout", "temporary capacity" (reported by clients).
_FAILURE_CODE = re.compile(
    r"(http_)?5\d\d|.*(server_error|internal_error|unavailable|overloaded|capacity|timeout|timed_out)", re.IGNORECASE
)
_FAILURE_WORDS = re.compile(
    r"capacity|temporar(y|ily)|overload|unavailable|(server|internal|upstream) error|timed? ?out|too busy"
    r"|try (again|it) later|maintenance",
    re.IGNORECASE,
)
# The same code can come with a reason that lies in the request.
_FAULT_OF_REQUEST = re.compile(
    r"moderat|flagged|forbidden|copyright|polic(y|ies)|inappropriate|sensitive|violat|prohibited|not allowed"
    r"|invalid|must be|must not|required|not supported|too (long|short|large)|not found|retired|no longer",
    re.IGNORECASE,
)


def failed_by_service(task: Task) -> bool:
    """Whether a task failed for want of capacity or by a fault of the service, or never ended.

    A task that moderation refused, or whose arguments are wrong, did not.
    """
    if task.error is None:
        return False
    code, message = task.error["code"], task.error["message"]
    known = class_of_code(code)
    if code == STUCK:
        return True
    if (known is not None and known is not ServerError) or _FAULT_OF_REQUEST.search(message):
        return False
    return known is ServerError or bool(_FAILURE_CODE.fullmatch(code) or _FAILURE_WORDS.search(message))
