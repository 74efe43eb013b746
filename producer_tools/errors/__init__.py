"""Every error that this package raises.

```
ProducerError                        anything this package raises
├── ConfigurationError               the application must be fixed; ends an agent's run
│   └── MissingTokenError            no API token at the first call
├── OutcomeKnownError                release or adopt of a request that has a task; nothing was changed
├── BeingSentError                   release or adopt of a request that is being sent now; nothing was changed
└── ProducerToolError                reaches a model as an error message (a LangChain ToolException)
    ├── InvalidArgumentError         an argument is not valid (also a ValueError); nothing was sent
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
    ├── FileHostingError             no file endpoint took a recording, so it was not uploaded
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
    ├── DownloadError                a file of a finished task cannot be downloaded or saved
    └── AudioError                   a file on the disk holds no audio that can be decoded
```
"""

from producer_tools.errors.base import ProducerError, ProducerToolError
from producer_tools.errors.invalid_argument import InvalidArgumentError
from producer_tools.errors.refusals import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    EndpointNotFoundError,
    InsufficientBalanceError,
    RateLimitError,
    ServerError,
    ServiceDisabledError,
)

__all__ = [
    "APIError",
    "AnswerError",
    "AudioError",
    "AuthenticationError",
    "BadRequestError",
    "BeingSentError",
    "BudgetExceededError",
    "ConfigurationError",
    "ContentModerationError",
    "CutOffError",
    "DownloadError",
    "EndpointNotFoundError",
    "FileHostingError",
    "InsufficientBalanceError",
    "InvalidArgumentError",
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


class ServiceUnavailableError(ProducerToolError):
    """The service has failed several times in a row, so this paid call was not sent.

    The message says since when and what was seen. After ``retry_after`` seconds one call tries the service again; it is
    ``None`` while a call is trying it.
    """

    advice = "This call was not sent and not charged. Submit it again later, under the same key if it has one."
    advice_to_model = (
        "This call was not sent and not charged. The service is down: stop submitting and tell the user. "
        "Try again only if the user asks for it later."
    )


class RetiredError(ServiceUnavailableError):
    """410: the service no longer does this. The same client does not send the same action again."""

    advice = "Nothing was charged. The service no longer does this: do not offer it any more."
    advice_to_model = (
        "Nothing was charged. The service no longer does this: tell the user; do not retry it or offer it again."
    )


class ServiceUnreachableError(ProducerToolError):
    """No connection could be made, so nothing was sent."""

    advice = "Nothing was sent and nothing was charged: you may repeat the call. producer-doctor shows what is wrong."
    advice_to_model = "Nothing was sent and nothing was charged. Call once more; if it fails again, tell the user."


class FileHostingError(ProducerToolError):
    """No file endpoint of the provider took a recording, so it has no address and was not uploaded.

    Its ``code`` is ``token_not_accepted`` if each endpoint refused the API token: other calls may accept it. Otherwise
    it is ``no_file_endpoint``, and the message says whether a later call may succeed.
    """

    advice = "Nothing was charged. Put the file on the web yourself and submit UploadAudio(audio_url=...)."
    advice_to_model = (
        "Nothing was charged. Tell the user to put the file on the web and give its audio_url; do not call again now."
    )


class AnswerError(ProducerToolError):
    """A free call broke off, timed out, or brought an answer that cannot be read."""

    advice = "The call is free: you may repeat it."
    advice_to_model = "The call is free: call once more; if it fails again, tell the user."


class SubmissionUnknownError(ProducerToolError):
    """A paid call was sent and its outcome is unknown: a timeout, a reset, a 5xx, an unreadable answer.

    The ledger keeps the request. `ProducerClient.settle` searches the account for its task again; what it does not
    find, a person settles with `ProducerClient.adopt` or `ProducerClient.release`, or with ``producer-ledger``.

    Attributes:
        key: the idempotency key of the request; ``None`` until the client has found it.
    """

    advice = "The outcome of this paid call is unknown: it may have been carried out and charged. Do not repeat it."
    advice_to_model = f"{advice} Tell the user to check in the account whether it was charged."
    key: str | None = None

    def __str__(self) -> str:
        if self.key is None:
            return super().__str__()
        return self._text(
            "The outcome of this paid call is unknown: it may have been carried out and charged. It is never sent "
            f"again automatically. Its key is {self.key!r}. Call client.settle(), which searches the account for its "
            "task. "
            f"If you see the task in the account, call client.adopt({self.key!r}, task_id); if it is not there, call "
            f"client.release({self.key!r}), and the next submit under this key sends it again."
        )


class SubmissionConflictError(ProducerToolError):
    """The idempotency key belongs to an earlier call with other arguments; ``task_id`` is that call's, if known."""

    advice = "Nothing was sent and nothing was charged. Make a new call under a new key."
    advice_to_model = (
        "Nothing was sent and nothing was charged. The application has used one key for two calls: tell the user; do "
        "not retry."
    )

    def __init__(self, key: str, task_id: str | None = None) -> None:
        super().__init__(
            "key_reused", f"The key {key} belongs to an earlier call with other arguments.", task_id=task_id
        )


class CutOffError(ProducerToolError):
    """The model's message was cut off, so the call was not sent.

    LangChain closes the JSON of such a call, so an argument, such as the lyrics, may end in the middle of a line.
    """

    advice = (
        "Nothing was sent and nothing was charged. Make the whole call again, in fewer or other words; "
        "a song can be extended afterwards."
    )
    advice_to_model = f"{advice} If it is cut off again, tell the user."


class LedgerError(ProducerToolError):
    """The ledger cannot be read or written, so the request was not sent. The ledger's own exception is the cause."""

    advice = "Nothing was sent and nothing was charged. When the ledger works again, make the same call again."
    advice_to_model = (
        "Nothing was sent and nothing was charged. Tell the user that the ledger of payments does not work; do not "
        "call again now."
    )

    def __init__(self, message: str) -> None:
        super().__init__("ledger_failed", message)


class BudgetExceededError(ProducerToolError):
    """A paid call does not fit into the budget of the client or of the run."""

    advice = "Nothing was sent and nothing was charged. Raise the budget, or stop."
    advice_to_model = "Nothing was sent and nothing was charged. Tell the user; do not try again within this budget."


class TaskNotFoundError(ProducerToolError):
    """The service knows no task with that id."""

    advice = "Waiting will not help: check the id; do not look this one up again."
    advice_to_model = "Waiting will not help: check the id, or tell the user; do not look this one up again."

    def __init__(self, task_id: str) -> None:
        super().__init__("not_found", "There is no such task.", task_id=task_id)


class TaskNotFinishedError(ProducerToolError):
    """A download of a task that is not finished. Any URLs that it has are previews."""

    advice = "Wait for the task, then download. Do not submit again."
    advice_to_model = "Call producer_wait_for_tasks with this task_id, then download. Do not submit again."

    def __init__(self, task_id: str | None, state: str) -> None:
        super().__init__("not_finished", f"Nothing to download yet: the task is {state}.", task_id=task_id)


class NoFilesError(ProducerToolError):
    """There is nothing to download: the task failed (``task_failed``) or made no files (``no_files``)."""

    advice = "Another download will not help."
    advice_to_model = "Do not download it again; tell the user."


class DownloadError(ProducerToolError):
    """A file of a finished task cannot be downloaded or saved. No part of it is left on the disk.

    Its ``code`` is the reason. The file: ``http_404`` and similar, ``forbidden_url``, ``too_many_redirects``,
    ``too_large``, ``wrong_content``, ``wrong_range``, ``incomplete``, ``unsafe_archive`` (it stays on the disk,
    packed). The connection: ``connection_error`` or ``timeout``. The directory: ``no_write_access``, ``disk_full``. The
    caller was cancelled: ``cancelled``. Any other exception: ``unexpected_error``, which is logged. Several files with
    different reasons: ``download_failed``.
    """

    advice = "Downloads are free: call again later."
    advice_to_model = (
        "Downloads are free: call again later. If it fails again, tell the user; producer_get_task shows the URLs."
    )


class AudioError(ProducerToolError):
    """A file on the disk cannot be read, or holds no audio that can be decoded (``undecodable``)."""

    advice = "Delete the file and download it again: downloads are free."
    advice_to_model = (
        "Tell the user that the saved file is damaged, and that a download into another directory is free; do not call "
        "again."
    )
