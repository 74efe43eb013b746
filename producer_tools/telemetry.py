"""What is logged, traced and counted. The words, levels and names of all of it are here.

Log records go to the logger ``producer_tools``. Spans and metrics go to OpenTelemetry, if the application has imported
it, which it must do to configure the SDK. Otherwise nothing is imported and nothing is recorded.

A call may have been paid for when it is recorded, so what a log handler or an SDK raises never reaches it.

No log record, span or metric holds a token, a prompt, lyrics or a title. An error's message may quote the service;
`producer_tools.http.safe_text` has made that text safe and bounded.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter  # it takes no parameter on Python 3.10

SECONDS_OF_A_LONG_WAIT = 5.0
"""A wait for a place among the paid requests that takes longer than this is logged."""

_NAME = "producer_tools"

_STACK_LEVEL = 2 if sys.version_info >= (3, 11) else 3
"""Names the line that logs, not that of `_HarmlessLogger.log`. Before Python 3.11, frames of `logging` count too."""


@contextmanager
def _harmless() -> Iterator[None]:
    """Print what is raised in the block, as `logging` does with an error of its own handlers, and go on."""
    try:
        yield
    except Exception:  # noqa: BLE001 - handlers, filters and SDKs are the application's
        with suppress(Exception):  # there may be no stderr
            traceback.print_exc()


class _HarmlessLogger(_Adapter):
    """The logger ``producer_tools``. What its handlers and filters raise does not reach the caller."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a record. All other methods for that call this one."""
        with _harmless():
            super().log(level, msg, *args, stacklevel=_STACK_LEVEL, **kwargs)


logger = _HarmlessLogger(logging.getLogger(_NAME), {})
"""What the whole package logs with."""


class _Instruments:
    """OpenTelemetry's tracer, and this package's metrics."""

    def __init__(self) -> None:
        from opentelemetry import metrics, trace  # noqa: PLC0415 - only if the application has imported it

        self._trace = trace
        self.tracer = trace.get_tracer(_NAME)
        self.kind = trace.SpanKind
        self.failed = trace.Status(trace.StatusCode.ERROR)
        meter = metrics.get_meter(_NAME)
        self.submits = meter.create_counter(f"{_NAME}.submits", "{submit}", "Paid requests that became a task.")
        self.charges = meter.create_counter(f"{_NAME}.estimated_charges", "USD", "What these are estimated to cost.")
        self.waits = meter.create_histogram(f"{_NAME}.wait.duration", "s", "How long a final task was waited for.")
        self.retries = meter.create_counter(f"{_NAME}.retries", "{retry}", "Requests that are sent again.")
        self.unknowns = meter.create_counter(
            f"{_NAME}.unknown_outcomes", "{submit}", "Paid requests whose outcome is unknown."
        )

    @property
    def records_spans(self) -> bool:
        """Whether the application has set up tracing. It may not have: LangSmith imports OpenTelemetry where it can."""
        return not (
            isinstance(self.tracer, self._trace.ProxyTracer)
            and isinstance(self._trace.get_tracer_provider(), self._trace.ProxyTracerProvider)
        )


_instruments: _Instruments | None = None


def _opentelemetry() -> _Instruments | None:
    global _instruments  # noqa: PLW0603 - made once, when the application turns out to use OpenTelemetry
    if _instruments is None and ("opentelemetry.trace" in sys.modules or "opentelemetry.metrics" in sys.modules):
        _instruments = _Instruments()
    return _instruments


class RequestFacts:
    """What becomes known of an HTTP request while it is made.

    Attributes:
        status: the HTTP status, once there is an answer.
        trace_id: the service's id of the request.
        error: the class of what went wrong, if no complete answer came.
    """

    __slots__ = ("error", "status", "trace_id")

    def __init__(self) -> None:
        self.status: int | None = None
        self.trace_id: str | None = None
        self.error: str | None = None


@contextmanager
def request(method: str, url: str, path: str | None = None) -> Iterator[RequestFacts]:
    """A client span around one HTTP request, and a log record at its end.

    Args:
        method: ``GET`` or ``POST``.
        url: the URL without a query.
        path: the path of the API that is called. ``None`` for a file: its path may hold a secret, so only the host is
            shown.
    """
    facts, began = RequestFacts(), perf_counter()
    with _span(f"{method} {path}" if path else method, client=True) as span:
        try:
            yield facts
        except BaseException as error:
            if (facts.status or 0) < HTTPStatus.BAD_REQUEST:  # else the status says what went wrong
                facts.error = type(error).__name__
            raise
        finally:
            if span is not None:
                is_refused = (facts.status or 0) >= HTTPStatus.BAD_REQUEST
                failure = facts.error or (str(facts.status) if is_refused else None)
                _describe(span, _http_attributes(method, url, path, facts), failure)
            if logger.isEnabledFor(logging.DEBUG):
                outcome = facts.error or f"HTTP {facts.status}"
                logger.debug(
                    "%s %s: %s, %.0f ms%s",
                    method,
                    path or urlsplit(url).hostname,
                    outcome,
                    (perf_counter() - began) * 1000,
                    f", trace id {facts.trace_id}" if facts.trace_id else "",
                )


@contextmanager
def operation(name: Literal["submit", "wait", "download"], **facts: Any) -> Iterator[dict[str, Any]]:
    """A span around what a caller asked for; the requests that are made for it are inside.

    Args:
        name: what was asked for.
        facts: what is known of it; what the caller adds to the result is recorded too. No prompts and no secrets.
    """
    failure = None
    with _span(f"{_NAME}.{name}") as span:
        try:
            yield facts
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            if span is not None:
                _describe(span, {f"{_NAME}.{fact}": value for fact, value in facts.items()}, failure)


def submitted(what: str, task_id: str | None, key: str, usd: str) -> None:
    """A paid request was sent, and became a task.

    Args:
        what: the action, or the endpoint of a request without one.
        task_id: the task; ``None`` if the answer has results and no id.
        key: the idempotency key.
        usd: the estimated price in US dollars.
    """
    logger.info("Submitted %s: task %s, key %r, estimated %s US dollars.", what, task_id, key, usd)
    with _harmless():
        if otel := _opentelemetry():
            otel.submits.add(1, {f"{_NAME}.action": what})
            otel.charges.add(float(usd), {f"{_NAME}.action": what})


def reused(what: str, task_id: str | None, key: str) -> None:
    """A request was sent before, and the ledger has its task: nothing was sent."""
    logger.info("Reused from the ledger, nothing was sent: %s, task %s, key %r.", what, task_id, key)


def unknown_outcome(what: str, key: str, code: str) -> None:
    """A paid request was sent, now or before, and its outcome is unknown."""
    logger.warning(
        "The outcome of %s under the key %r is unknown (%s): you may have been charged. Call client.settle() to search "
        "the account for its task. If the account shows it, call client.adopt(%r, task_id); else client.release(%r).",
        what, key, code, key, key,
    )  # fmt: skip
    with _harmless():
        if otel := _opentelemetry():
            otel.unknowns.add(1, {f"{_NAME}.action": what, "error.type": _kind(code)})


def waits_for_a_place(what: str, key: str, limit: int) -> None:
    """A paid request has waited for a place for `SECONDS_OF_A_LONG_WAIT`, and goes on waiting."""
    logger.warning(
        "%s under the key %r has waited for %.0f s and goes on waiting: %d paid requests of its token are in flight "
        "already (max_paid_in_flight).",
        what, key, SECONDS_OF_A_LONG_WAIT, limit,
    )  # fmt: skip


def retrying(what: str, error: object, code: str, seconds: float) -> None:
    """A request failed, and is sent again after a pause that begins now.

    Args:
        what: the request: a path of the API, or ``download`` for a file.
        error: why, in words.
        code: why, as a code.
        seconds: the length of the pause.
    """
    logger.warning("%s failed and is sent again in %.1f s: %s", what, seconds, error)
    with _harmless():
        if otel := _opentelemetry():
            otel.retries.add(1, {f"{_NAME}.request": what, "error.type": _kind(code)})


def finished(task_id: str, state: str, seconds: float) -> None:
    """A task that was waited for is final.

    Args:
        task_id: the task.
        state: ``complete`` or ``failed``.
        seconds: how long this caller has waited for it.
    """
    logger.info("Task %s is %s after a wait of %.1f s.", task_id, state, seconds)
    with _harmless():
        if otel := _opentelemetry():
            otel.waits.record(seconds, {f"{_NAME}.state": state})


def saved(path: str, size: int, task_id: str | None) -> None:
    """A file was saved.

    Args:
        path: where, with ``*`` in place of the name, which is the title: that may repeat the prompt.
        size: its length in bytes.
        task_id: of the task that made it.
    """
    logger.info("Saved %s (%d bytes) of task %s.", path, size, task_id)


def _kind(code: str) -> str:
    """An error's code for a metric. Whatever else the service sends as one would begin a new time series each time."""
    return code if re.fullmatch(r"[a-z_]{1,40}|http_\d{3}", code) else "other"


@contextmanager
def _span(name: str, *, client: bool = False) -> Iterator["Span | None"]:
    """A span that is current during the block. An exception's message may hold anything, so it is not recorded."""
    span, ending = None, ExitStack()
    with _harmless():
        if (otel := _opentelemetry()) and otel.records_spans:
            kind = otel.kind.CLIENT if client else otel.kind.INTERNAL
            entered = otel.tracer.start_as_current_span(
                name, kind=kind, record_exception=False, set_status_on_exception=False
            )
            current = ending.enter_context(entered)
            span = current if current.is_recording() else None
    try:
        yield span
    finally:
        with _harmless():
            ending.close()


def _describe(span: "Span", attributes: Mapping[str, Any], failure: str | None = None) -> None:
    """Add attributes to a span, and the kind of its failure if it has failed."""
    with _harmless():
        span.set_attributes({name: value for name, value in attributes.items() if value is not None})
        if failure and (otel := _opentelemetry()):
            span.set_attribute("error.type", failure)
            span.set_status(otel.failed)


def _http_attributes(method: str, url: str, path: str | None, facts: RequestFacts) -> dict[str, str | int | None]:
    """By OpenTelemetry's conventions for HTTP client spans."""
    address = urlsplit(url)
    return {
        "http.request.method": method,
        "server.address": address.hostname,
        "server.port": address.port or (443 if address.scheme == "https" else 80),
        "url.full": f"{address.scheme}://{address.netloc}{address.path}" if path else None,
        "url.path": address.path if path else None,
        "http.response.status_code": facts.status,
        f"{_NAME}.trace_id": facts.trace_id,
    }
