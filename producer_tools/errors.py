"""Every error of the pack, and the one table that turns a refusal of the service into one of them.

```
ProducerError                        anything this pack raises
├── ConfigurationError               the application's to mend; ends an agent's run
│   └── MissingTokenError            no API token at the first call
└── ProducerToolError                reaches a model as an error message (a LangChain ToolException)
    ├── APIError                     the service refused; nothing was charged
    │   ├── BadRequestError          400: the message says which argument
    │   ├── AuthenticationError      the API token is missing, wrong, expired or another application's
    │   ├── InsufficientBalanceError 403 used_up
    │   ├── ServiceDisabledError     disabled, for this token or for everybody
    │   ├── ContentModerationError   403 forbidden: the content was refused
    │   ├── EndpointNotFoundError    404: the base URL is not the API's
    │   ├── RateLimitError           429: refused before any work
    │   └── ServerError              5xx, on a call that costs nothing
    ├── ServiceUnreachableError      no connection: nothing was sent
    ├── AnswerError                  a look-up broke off, timed out or brought an answer that cannot be read
    ├── SubmissionUnknownError       a paid call whose outcome nobody knows: money may have been spent
    ├── SubmissionConflictError      the key of an earlier call, with other arguments
    ├── BudgetExceededError          the call does not fit into a budget
    ├── TaskNotFoundError            no such task: not an unfinished one
    ├── TaskNotFinishedError         a download of what is not finished yet
    ├── NoFilesError                 a download of what failed, or made no files
    └── DownloadError                a file of a finished task cannot be had, or not be saved
```
"""

from http import HTTPStatus
from typing import Any, ClassVar

from langchain_core.tools import ToolException

LONGEST_MESSAGE = 500


class ProducerError(Exception):
    """Anything this pack raises.

    Attributes:
        code: the service's error code, or one of ours for a fault on the way to it.
        message: what happened, in at most 500 characters.
        status: the HTTP status, where there was an answer.
        trace_id: the service's id of the request, for its support.
        task_id: the task concerned, where there is one.
        retry_after: seconds to wait before another try, where the service asks for that.
    """

    advice: ClassVar[str] = ""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        trace_id: str | None = None,
        task_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.code = code
        self.message = shorten(message)
        self.status = status
        self.trace_id = trace_id
        self.task_id = task_id
        self.retry_after = retry_after
        # LangChain shows a ToolException by its first argument.
        super().__init__(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        ids = [f"{name} {value}" for name, value in (("task_id", self.task_id), ("trace_id", self.trace_id)) if value]
        parts = [f"{self.code}: {self.message}", f"({', '.join(ids)})" if ids else "", self.advice]
        return " ".join(part for part in parts if part)


class ConfigurationError(ProducerError):
    """The application is set up wrongly: a programming fault, so it propagates through an agent's run."""


class MissingTokenError(ConfigurationError):
    """No API token was given, neither to the client, nor for the call, nor in the environment."""


class ProducerToolError(ProducerError, ToolException):
    """What a model can act on: LangChain shows it to the model as a tool message with status ``error``."""


class APIError(ProducerToolError):
    """The service answered with an error. A refused call is not charged (faq: billing on success only)."""

    advice = "Nothing was charged."


class BadRequestError(APIError):
    """400: the request is not what the API takes (``bad_request``, ``api_not_implemented``)."""

    advice = "Nothing was charged. Correct the argument the message names; the same call will fail again."


class AuthenticationError(APIError):
    """The API token is not accepted (``no_token``, ``invalid_token``, ``token_expired``, ``token_mismatched``)."""

    advice = "Nothing was charged. Only the application's owner can mend this: tell the user; do not retry."


class InsufficientBalanceError(APIError):
    """403 ``used_up``: the account's balance is spent. The token itself is fine."""

    advice = "Nothing was charged. The account has to be topped up: tell the user; do not retry."


class ServiceDisabledError(APIError):
    """``disabled``: the service is switched off, for this application or altogether. The token itself is fine."""

    advice = "Nothing was charged. The service is switched off: tell the user; do not retry."


class ContentModerationError(APIError):
    """403 ``forbidden``: the content was refused by moderation. The token itself is fine."""

    advice = "Nothing was charged. Moderation refused the content: change the words, or tell the user."


class EndpointNotFoundError(APIError):
    """404 ``no_api``: there is no such endpoint under the base URL."""

    advice = "Nothing was charged. The base URL is wrong: tell the user; do not retry."


class RateLimitError(APIError):
    """429 ``too_many_requests`` or ``rate_limited``: refused before any work."""

    advice = "Nothing was charged. Wait a little, then call again."


class ServerError(APIError):
    """5xx on a call that costs nothing."""

    advice = "The call costs nothing: it may be made again."


class ServiceUnreachableError(ProducerToolError):
    """No connection could be made, so nothing was sent."""

    advice = "Nothing was sent and nothing was charged: the call may be made again."


class AnswerError(ProducerToolError):
    """A call that costs nothing broke off, timed out, or brought an answer that cannot be read."""

    advice = "The call costs nothing: it may be made again."


class SubmissionUnknownError(ProducerToolError):
    """A paid call was sent and its outcome is not known: a time-out, a reset, a 5xx, an answer that cannot be read."""

    advice = (
        "The outcome of this paid call is unknown: it may have been carried out and charged. "
        "Do not repeat it; tell the user, who can see in the account whether it was."
    )


class SubmissionConflictError(ProducerToolError):
    """A call under the key of an earlier one asks for something else; ``task_id`` is that one's, where it is known."""

    advice = "Nothing was sent and nothing was charged. Make a new call, under a key of its own."

    def __init__(self, key: str, task_id: str | None = None) -> None:
        told = f"The key {key} stands for an earlier call with other arguments."
        super().__init__("key_reused", told, task_id=task_id)


class BudgetExceededError(ProducerToolError):
    """A paid call that does not fit into the budget of the client or of the run."""

    advice = "Nothing was sent and nothing was charged. Tell the user; do not try again within this budget."


class TaskNotFoundError(ProducerToolError):
    """The service knows no task of that id."""

    advice = "It is not an unfinished task: do not ask again; check the id."

    def __init__(self, task_id: str) -> None:
        super().__init__("not_found", "There is no such task.", task_id=task_id)


class TaskNotFinishedError(ProducerToolError):
    """A download was asked for, and the task has no files yet: the URLs it may have are previews."""

    advice = "Call producer_wait_for_tasks with this task_id, then download. Do not submit again."

    def __init__(self, task_id: str | None, state: str) -> None:
        super().__init__("not_finished", f"Nothing to download yet: the task is {state}.", task_id=task_id)


class NoFilesError(ProducerToolError):
    """There is nothing to download: the task failed (``task_failed``), or made no files (``no_files``)."""

    advice = "Do not download it again; tell the user."


class DownloadError(ProducerToolError):
    """A file of a finished task cannot be had, or cannot be saved. Nothing of it is left behind.

    Its ``code`` says why: ``http_404`` and the like, ``forbidden_url``, ``too_many_redirects``, ``too_large``,
    ``wrong_content`` (the file); ``no_write_access``, ``disk_full`` (the directory); ``download_failed`` (several
    files, and not one reason).
    """

    advice = (
        "Downloads cost nothing: call again later. If it fails again, tell the user; producer_get_task shows the URLs."
    )


_BY_CODE: dict[str, type[APIError]] = {
    "bad_request": BadRequestError,
    "api_not_implemented": BadRequestError,
    "no_token": AuthenticationError,
    "invalid_token": AuthenticationError,
    "token_expired": AuthenticationError,
    "token_mismatched": AuthenticationError,
    "used_up": InsufficientBalanceError,
    "disabled": ServiceDisabledError,
    "forbidden": ContentModerationError,
    "no_api": EndpointNotFoundError,
    "too_many_requests": RateLimitError,
    "rate_limited": RateLimitError,
    "api_error": ServerError,
    "timeout": ServerError,
}
_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    404: EndpointNotFoundError,
    429: RateLimitError,
}


def error_class(status: int, code: str, *, paid: bool) -> type[ProducerToolError]:
    """Decide what a refusal means.

    Args:
        status: the HTTP status of the answer.
        code: the service's error code, or ``""``.
        paid: whether the call costs money; then what is no clear refusal is a submission with an unknown outcome.
    """
    known = _BY_CODE.get(code) or _BY_STATUS.get(status)
    work_may_have_begun = known is ServerError or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    work_may_have_begun = work_may_have_begun or status == HTTPStatus.REQUEST_TIMEOUT
    refused = not work_may_have_begun and (known is not None or status >= HTTPStatus.BAD_REQUEST)
    if refused:
        return known or APIError
    return SubmissionUnknownError if paid else ServerError


def shorten(text: str) -> str:
    """One line of at most 500 characters, whatever the service sent."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"


def _restore(cls: type[ProducerError], args: tuple[Any, ...], state: dict[str, Any]) -> ProducerError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error
