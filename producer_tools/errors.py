"""Every error that this package raises.

```
ProducerError                        anything this package raises
├── ConfigurationError               the application must be fixed; ends an agent's run
│   └── MissingTokenError            no API token at the first call
├── OutcomeKnownError                release or adopt of a request that has a task; nothing was changed
├── BeingSentError                   release or adopt of a request that is being sent now; nothing was changed
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
    ├── ServiceUnavailableError      the service keeps failing, so a paid call was not sent
    │   └── RetiredError             410: the service no longer does this
    ├── ServiceUnreachableError      no connection: nothing was sent
    ├── AnswerError                  a free call broke off, timed out or brought an unreadable answer
    ├── SubmissionUnknownError       a paid call whose outcome is unknown: you may have been charged
    ├── SubmissionConflictError      the key of an earlier call, with other arguments
    ├── CutOffError                  a call whose message was cut off: nothing was sent
    ├── LedgerError                  the ledger cannot be read or written: nothing was sent
    ├── BudgetExceededError          the call does not fit into a budget
    ├── TaskNotFoundError            the service knows no such task
    ├── TaskNotFinishedError         a download of a task that is not finished yet
    ├── NoFilesError                 a download of a task that failed, or made no files
    └── DownloadError                a file of a finished task cannot be downloaded or saved
```
"""

from typing import Any, ClassVar

from langchain_core.tools import ToolException
from typing_extensions import Self

__all__ = [
    "APIError",
    "AnswerError",
    "AuthenticationError",
    "BadRequestError",
    "BeingSentError",
    "BudgetExceededError",
    "ConfigurationError",
    "ContentModerationError",
    "CutOffError",
    "DownloadError",
    "EndpointNotFoundError",
    "InsufficientBalanceError",
    "LedgerError",
    "MissingTokenError",
    "NoFilesError",
    "OutcomeKnownError",
    "ProducerError",
    "ProducerToolError",
    "RateLimitError",
    "RetiredError",
    "ServerError",
    "ServiceDisabledError",
    "ServiceUnavailableError",
    "ServiceUnreachableError",
    "SubmissionConflictError",
    "SubmissionUnknownError",
    "TaskNotFinishedError",
    "TaskNotFoundError",
]

LONGEST_MESSAGE = 500


class ProducerError(Exception):
    """Anything this package raises.

    Attributes:
        code: the service's error code, or one of this package's.
        message: what happened, in at most 500 characters.
        status: the HTTP status, if there was an answer.
        trace_id: the service's id of the request, for its support.
        task_id: the task concerned, if there is one.
        retry_after: seconds to wait before a retry, if the service asks for that.
        advice: what to do next.
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
        # LangChain shows the first argument of a ToolException to the model.
        super().__init__(str(self))

    def with_more(self, sentence: str) -> Self:
        """The same error with a sentence after its message."""
        if not sentence:
            return self
        return type(self)(
            self.code,
            f"{self.message.rstrip('.')}. {sentence}",
            status=self.status,
            trace_id=self.trace_id,
            task_id=self.task_id,
            retry_after=self.retry_after,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        ids = [f"{name} {value}" for name, value in (("task_id", self.task_id), ("trace_id", self.trace_id)) if value]
        # The ids belong to the message, so they stand before its full stop, which a service's message may lack.
        happened = f"{self.code}: {self.message.rstrip('.')}" + (f" ({', '.join(ids)})" if ids else "")
        full_stop = "" if happened.endswith(("!", "?", "…")) else "."
        return f"{happened}{full_stop} {self.advice}".rstrip()


class ConfigurationError(ProducerError):
    """The application is set up wrongly. This is a programming error, so it ends an agent's run."""


class MissingTokenError(ConfigurationError):
    """There is no API token: not in an ``api_token`` block, not in the client, not in the environment."""


class OutcomeKnownError(ProducerError):
    """`release` or `adopt` was called for a request whose outcome is known; ``task_id`` is its task.

    Releasing it would let it be paid for again. Adopting another task would lose the one that was paid for.
    """

    advice = "Nothing was changed. Submit the same request under the same key to get its task."

    def __init__(self, key: str, task_id: str | None) -> None:
        super().__init__("outcome_known", f"The request under the key {key} was answered.", task_id=task_id)


class BeingSentError(ProducerError):
    """`release` or `adopt` was called for a request that is being sent now, by this process or another."""

    advice = "Nothing was changed. Submit the same request under the same key to get its outcome, which comes soon."

    def __init__(self, key: str) -> None:
        super().__init__("being_sent", f"The request under the key {key} is being sent.")


class ProducerToolError(ProducerError, ToolException):
    """An error that a model can act on. LangChain shows it to the model as a tool message with status ``error``."""


class APIError(ProducerToolError):
    """The service answered with an error. A refused call is not charged (faq: billing on success only)."""

    advice = "Nothing was charged."


class BadRequestError(APIError):
    """400: the API does not accept the request (``bad_request``, ``api_not_implemented``)."""

    advice = "Nothing was charged. Correct the argument that the message names; the same call will fail again."


class AuthenticationError(APIError):
    """The API token is not accepted (``no_token``, ``invalid_token``, ``token_expired``, ``token_mismatched``)."""

    advice = "Nothing was charged. Only the application's owner can fix this: tell the user; do not retry."


class InsufficientBalanceError(APIError):
    """403 ``used_up``: the account's balance is spent. The token itself is valid."""

    advice = "Nothing was charged. The account has to be topped up: tell the user; do not retry."


class ServiceDisabledError(APIError):
    """``disabled``: the service is switched off, for this application or for all. The token itself is valid."""

    advice = "Nothing was charged. The service is switched off: tell the user; do not retry."


class ContentModerationError(APIError):
    """403 ``forbidden``: moderation refused the content. The token itself is valid."""

    advice = "Nothing was charged. Moderation refused the content: change the words, or tell the user."


class EndpointNotFoundError(APIError):
    """404 ``no_api``: there is no such endpoint under the base URL."""

    advice = "Nothing was charged. The base URL is wrong: tell the user; do not retry."


class RateLimitError(APIError):
    """429 ``too_many_requests`` or ``rate_limited``: refused before any work."""

    advice = "Nothing was charged. Wait a little, then call again."


class ServerError(APIError):
    """5xx on a free call."""

    advice = "The call is free: you may repeat it."


class ServiceUnavailableError(ProducerToolError):
    """The service has failed several times in a row, so this paid call was not sent.

    The message says since when and what was seen. After ``retry_after`` seconds one call tries the service again; it is
    ``None`` while a call is trying it.
    """

    advice = (
        "This call was not sent and not charged. The service is down: stop submitting and tell the user. "
        "Try again only if the user asks for it later."
    )


class RetiredError(ServiceUnavailableError):
    """410: the service no longer does this. The same client does not send the same action again."""

    advice = "Nothing was charged. The service no longer does this: tell the user; do not retry it or offer it again."


class ServiceUnreachableError(ProducerToolError):
    """No connection could be made, so nothing was sent."""

    advice = "Nothing was sent and nothing was charged: you may repeat the call."


class AnswerError(ProducerToolError):
    """A free call broke off, timed out, or brought an answer that cannot be read."""

    advice = "The call is free: you may repeat it."


class SubmissionUnknownError(ProducerToolError):
    """A paid call was sent and its outcome is unknown: a timeout, a reset, a 5xx, an unreadable answer.

    The ledger keeps the request. `ProducerClient.settle` searches the account for its task again; what it does not
    find, a person settles with `ProducerClient.adopt` or `ProducerClient.release`, or with ``producer-ledger``.
    """

    advice = (
        "The outcome of this paid call is unknown: it may have been carried out and charged. "
        "Do not repeat it. Tell the user to check in the account whether it was charged."
    )


class SubmissionConflictError(ProducerToolError):
    """The idempotency key belongs to an earlier call with other arguments; ``task_id`` is that call's, if known."""

    advice = "Nothing was sent and nothing was charged. Make a new call under a new key."

    def __init__(self, key: str, task_id: str | None = None) -> None:
        super().__init__(
            "key_reused", f"The key {key} belongs to an earlier call with other arguments.", task_id=task_id
        )


class CutOffError(ProducerToolError):
    """The model's message was cut off. LangChain repairs its calls: they may end in the middle of a line."""

    advice = (
        "Nothing was sent and nothing was charged. Make the whole call again, in fewer or other words; "
        "a song can be extended afterwards."
    )


class LedgerError(ProducerToolError):
    """The ledger cannot be read or written, so the request was not sent. The ledger's own exception is the cause."""

    advice = (
        "Nothing was sent and nothing was charged. Tell the user that the ledger of payments does not work; "
        "when it works again, the same call may be made again."
    )

    def __init__(self, message: str) -> None:
        super().__init__("ledger_failed", message)


class BudgetExceededError(ProducerToolError):
    """A paid call does not fit into the budget of the client or of the run."""

    advice = "Nothing was sent and nothing was charged. Tell the user; do not try again within this budget."


class TaskNotFoundError(ProducerToolError):
    """The service knows no task with that id."""

    advice = "Waiting will not help: check the id; do not look this one up again."

    def __init__(self, task_id: str) -> None:
        super().__init__("not_found", "There is no such task.", task_id=task_id)


class TaskNotFinishedError(ProducerToolError):
    """A download of a task that is not finished. Any URLs that it has are previews."""

    advice = "Call producer_wait_for_tasks with this task_id, then download. Do not submit again."

    def __init__(self, task_id: str | None, state: str) -> None:
        super().__init__("not_finished", f"Nothing to download yet: the task is {state}.", task_id=task_id)


class NoFilesError(ProducerToolError):
    """There is nothing to download: the task failed (``task_failed``) or made no files (``no_files``)."""

    advice = "Do not download it again; tell the user."


class DownloadError(ProducerToolError):
    """A file of a finished task cannot be downloaded or saved. No part of it is left on the disk.

    Its ``code`` is the reason. The file: ``http_404`` and similar, ``forbidden_url``, ``too_many_redirects``,
    ``too_large``, ``wrong_content``, ``wrong_range``, ``incomplete``. The connection: ``connection_error`` or
    ``timeout``. The directory: ``no_write_access``, ``disk_full``. The caller was cancelled: ``cancelled``. Any other
    exception: ``unexpected_error``, which is logged. Several files with different reasons: ``download_failed``.
    """

    advice = "Downloads are free: call again later. If it fails again, tell the user; producer_get_task shows the URLs."


def shorten(text: str) -> str:
    """The text as one line of at most 500 characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"


def _restore(cls: type[ProducerError], args: tuple[Any, ...], state: dict[str, Any]) -> ProducerError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error
