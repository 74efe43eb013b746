"""What all errors share: their parts, and their words for a person and for a model."""

from typing import Any, ClassVar

from langchain_core.tools import ToolException
from typing_extensions import Self

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
        advice: what a person should do next.
        advice_to_model: what a model should do next, if it is not the same.
    """

    advice: ClassVar[str] = ""
    advice_to_model: ClassVar[str | None] = None

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
        super().__init__(self.for_model())

    def for_model(self) -> str:
        """What a model reads in place of ``str(error)``. LangChain shows it the first of ``args``, which is this."""
        return self._text(self.advice if self.advice_to_model is None else self.advice_to_model)

    def about(self, task_id: str) -> None:
        """Name the task concerned, if the error does not name one yet."""
        self.task_id = self.task_id or task_id
        self.args = (self.for_model(),)

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
        return self._text(self.advice)

    def _text(self, advice: str) -> str:
        ids = [f"{name} {value}" for name, value in (("task_id", self.task_id), ("trace_id", self.trace_id)) if value]
        # The ids belong to the message, so they stand before its full stop, which a service's message may lack.
        happened = f"{self.code}: {self.message.rstrip('.')}" + (f" ({', '.join(ids)})" if ids else "")
        full_stop = "" if happened.endswith(("!", "?", "…")) else "."
        return f"{happened}{full_stop} {advice}".rstrip()


class ProducerToolError(ProducerError, ToolException):
    """An error that a model can act on. LangChain shows it to the model as a tool message with status ``error``."""


def shorten(text: str) -> str:
    """The text as one line of at most 500 characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"


def _restore(cls: type[ProducerError], args: tuple[Any, ...], state: dict[str, Any]) -> ProducerError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error
