"""Spans and metrics, as an application's OpenTelemetry SDK gets them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from producer_tools import (
    BadRequestError,
    Downloader,
    ProducerClient,
    ServiceUnreachableError,
    SubmissionUnknownError,
    telemetry,
)
from producer_tools.requests import GenerateCustomMusic, GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.raw_server import answering, http

SONG = GenerateMusic(prompt="a slow waltz")
MARKS = ("sk-marked-token-7c1d", "markedprompt", "markedlyric", "markedtitle")


class Recorded(NamedTuple):
    """What the SDK has got since the test began."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def metric(self, name: str) -> list[Any]:
        """The data points of a metric."""
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return [
            point
            for scope in scopes
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def otel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """An SDK of this test's own, where an application would have set one for the whole process."""
    recorded = Recorded(InMemorySpanExporter(), InMemoryMetricReader())
    tracers, meters = TracerProvider(), MeterProvider([recorded.reader])
    tracers.add_span_processor(SimpleSpanProcessor(recorded.exporter))
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    monkeypatch.setattr(telemetry, "_instruments", None)
    yield recorded
    tracers.shutdown()
    meters.shutdown()


def children(span: ReadableSpan, recorded: Recorded) -> list[str]:
    """The names of the spans directly inside a span."""
    assert span.context is not None
    inside = [each for each in recorded.spans if each.parent and each.parent.span_id == span.context.span_id]
    return [each.name for each in inside]


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
def test_requests_are_inside_what_they_are_made_for(sync: bool, otel: Recorded, tmp_path: Path) -> None:
    """Paid requests and sync calls run in a background loop: there a span could lose its parent."""
    with ProducerSandbox(render_seconds=0, silent=True) as sandbox:
        client = ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0)

        async def song() -> None:
            task = await client.submit(SONG)
            await client.wait([str(task.task_id)], 50)
            await Downloader(client, tmp_path).save(str(task.task_id))
            await client.aclose()

        tracer = trace.get_tracer("the application")
        with tracer.start_as_current_span("a user's request"):
            if sync:
                task_id = str(client.submit_sync(SONG).task_id)
                client.wait_sync([task_id], 50)
                Downloader(client, tmp_path).save_sync(task_id)
                client.close()
            else:
                asyncio.run(song())
    (outer,) = otel.named("a user's request")
    assert children(outer, otel) == ["producer_tools.submit", "producer_tools.wait", "producer_tools.download"]
    submit, wait, download = (otel.named(f"producer_tools.{name}")[0] for name in ("submit", "wait", "download"))
    assert children(submit, otel) == ["POST /producer/audios"]
    assert children(wait, otel) == ["POST /producer/tasks"]
    assert sorted(set(children(download, otel))) == ["GET", "POST /producer/tasks"]
    assert submit.attributes is not None
    assert submit.attributes["producer_tools.action"] == "generate"
    assert submit.attributes["producer_tools.task_id"]


async def test_a_request_has_the_attributes_of_the_conventions(otel: Recorded) -> None:
    """Dashboards find a client's requests and errors by these names."""
    refused = {"error": {"code": "bad_request", "message": "no"}, "trace_id": "trace-1"}
    async with answering(http(refused, "400 Bad Request")) as server, ProducerClient("t", server.base_url) as client:
        with pytest.raises(BadRequestError):
            await client.submit(SONG)
    (span,) = otel.named("POST /producer/audios")
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": int(server.base_url.rpartition(":")[2]),
        "url.full": f"{server.base_url}/producer/audios",
        "url.path": "/producer/audios",
        "http.response.status_code": 400,
        "error.type": "400",
        "producer_tools.trace_id": "trace-1",
    }
    (outer,) = otel.named("producer_tools.submit")
    assert outer.attributes is not None
    assert outer.attributes["error.type"] == "BadRequestError"


async def test_what_is_counted(otel: Recorded) -> None:
    """Submits, their estimated price, retries, waits and unknown outcomes: what alerts are made of."""
    with ProducerSandbox(render_seconds=0) as sandbox:
        async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0, clock=InstantClock()) as client:
            sandbox.fail_next(Fault.RATE_LIMITED)
            task = await client.submit(SONG, key="a")
            await client.submit(SONG, key="a")
            async with ProducerClient(sandbox.api_token, sandbox.base_url) as patient:
                await patient.wait([str(task.task_id)], 50)
            sandbox.listing.answer = "forbidden"
            sandbox.fail_next(Fault.RESET_AFTER_WORK)
            with pytest.raises(SubmissionUnknownError):
                await client.submit(SONG, key="b")
    (submits,) = otel.metric("producer_tools.submits")
    assert (submits.value, submits.attributes) == (1, {"producer_tools.action": "generate"})
    assert otel.metric("producer_tools.estimated_charges")[0].value == pytest.approx(0.08)
    assert otel.metric("producer_tools.retries")[0].attributes == {
        "producer_tools.request": "/producer/audios", "error.type": "too_many_requests",
    }  # fmt: skip
    assert otel.metric("producer_tools.wait.duration")[0].count == 1
    assert otel.metric("producer_tools.unknown_outcomes")[0].value == 1


@pytest.mark.parametrize(
    ("code", "counted"), [("api_error", "api_error"), (None, "http_500"), ("no task 5f1c2b for a waltz", "other")]
)
async def test_a_metric_has_few_kinds_of_errors(code: str | None, counted: str, otel: Recorded) -> None:
    """Each new text begins a time series, which is kept and paid for; and it may repeat the prompt."""
    failed = http({"error": {"code": code, "message": "no"}}, "500 Internal Server Error")
    async with answering(failed) as server, ProducerClient("t", server.base_url, clock=InstantClock()) as client:
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG)
    (unknowns,) = otel.metric("producer_tools.unknown_outcomes")
    assert unknowns.attributes["error.type"] == counted


async def test_no_connection_is_an_error_of_the_span(otel: Recorded) -> None:
    """There is no HTTP status, so only the span's error tells that the request failed."""
    async with ProducerClient("t", "http://127.0.0.1:9", clock=InstantClock()) as client:
        with pytest.raises(ServiceUnreachableError):
            await client.submit(SONG)
    for span in otel.named("POST /producer/audios"):
        assert span.attributes is not None
        assert span.attributes["error.type"] == "connection_error"


async def test_spans_have_no_secret_and_no_words_of_a_song(otel: Recorded, tmp_path: Path) -> None:
    """Traces are sent to other companies."""
    token, prompt, lyric, title = MARKS
    with ProducerSandbox(render_seconds=0, silent=True, api_token=token) as sandbox:
        async with ProducerClient(token, sandbox.base_url, poll_interval=0, clock=InstantClock()) as client:
            task = await client.submit(GenerateCustomMusic(prompt=prompt, lyric=lyric, title=title))
            await client.wait([str(task.task_id)], 50)
            await Downloader(client, tmp_path).save(str(task.task_id))
            sandbox.listing.answer = "forbidden"
            sandbox.fail_next(Fault.ERROR_AFTER_WORK)
            with pytest.raises(SubmissionUnknownError):
                await client.submit(GenerateMusic(prompt=prompt), key="k")
    assert len(otel.spans) > 6
    whole = "".join(span.to_json() for span in otel.spans) + repr(otel.reader.get_metrics_data())
    for mark in MARKS:
        assert mark not in whole


@pytest.mark.parametrize("moment", ["on_start", "on_end"])
async def test_an_sdk_that_fails_does_not_lose_what_was_paid_for(
    moment: str, otel: Recorded, monkeypatch: pytest.MonkeyPatch, sandbox: ProducerSandbox
) -> None:
    """The SDK ends a span after the song is charged: what its processor raises would take the place of the task."""
    tracers = TracerProvider()
    processor = SpanProcessor()
    monkeypatch.setattr(processor, moment, lambda *_, **__: 1 / 0)
    tracers.add_span_processor(processor)
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:
        task = await client.submit(SONG)
        assert (await client.wait(task, 50)).tasks[0].state == "complete"
    assert len(sandbox.charges) == 1
    assert not trace.get_current_span().is_recording()
    assert otel.metric("producer_tools.submits")[0].value == 1
    tracers.shutdown()


def test_tracing_that_is_set_up_after_the_first_call_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that sets up tracing after the first call would never get a span."""
    exporter, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_instruments", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)  # a process can set it only once
    with telemetry.operation("wait"):
        pass
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", tracers)
    with telemetry.operation("submit"):
        pass
    assert [span.name for span in exporter.get_finished_spans()] == ["producer_tools.submit"]
    tracers.shutdown()
