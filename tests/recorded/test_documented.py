"""The answers that the provider publishes are read by the same code as all others."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from vcr import VCR

from producer_tools import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    EndpointNotFoundError,
    InsufficientBalanceError,
    ProducerClient,
    ProducerToolError,
    RateLimitError,
    ServerError,
    ServiceDisabledError,
    SubmissionUnknownError,
    TaskNotFoundError,
)
from producer_tools.http.settings import Settings
from producer_tools.http.transport import Transport
from producer_tools.requests import AUDIOS
from producer_tools.tasks.records import read_answer, read_record
from tests.recorded.cassettes import DOCUMENTED, read
from tests.recorded.scrubbing import SERVICE

TOKEN = "not-a-real-token"
TASK = "1a6ac2ad-10f2-4e2b-b500-66ec27fe82ad"
AUDIO = "1dd08826-478e-43a6-868f-aff5ababac2c"
FILES = "https://storage.googleapis.com/corpusant-app-public/riffs/3bff6223"
LYRIC = "[Verse]\nA short line of ours"
SONG = {
    "audio_id": AUDIO, "title": "A short line", "lyric": LYRIC, "model": "FUZZ-2.0 Pro", "seed": "1490770667",
    "audio_url": f"{FILES}/audio/{AUDIO}.m4a", "image_url": f"{FILES}/image/{AUDIO}.jpg", "image_id": AUDIO,
    "created_at": "2025-12-30T18:36:00.994141Z", "duration_seconds": 135.2330158730159,
}  # fmt: skip
STEMS = {
    "title": "A short line", "lyric": LYRIC, "model": "FUZZ-2.0 Pro", "stems_url": f"{FILES}/stems/{AUDIO}.zip",
}  # fmt: skip
WAV = {"title": "A short line", "file_url": f"{FILES}/wav/{AUDIO}.wav"}

ANSWERS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "submit": ("pending", []),
    "submit-with-success": ("pending", []),
    "submit-that-waits": ("complete", [SONG]),
    "lyrics-guide": ("complete", [{"title": "A short line", "lyrics": LYRIC}]),
    "lyrics-spec": ("complete", [{"title": "A short line", "lyrics": LYRIC}]),
    "upload": ("complete", [{"audio_id": AUDIO, "lyric": LYRIC, "audio_url": f"{FILES}/audio/{AUDIO}.m4a"}]),
    "upload-id-only": ("complete", [{"audio_id": AUDIO}]),
    "video": ("complete", [{"video_url": f"{FILES}/video/{AUDIO}.mp4"}]),
    "wav": ("complete", [WAV]),
    "wav-as-object": ("complete", [WAV]),
}
RECORDS = {"task": [SONG], "task-stems": [STEMS]}
ERRORS: dict[tuple[int, str], tuple[type[ProducerToolError], type[ProducerToolError]]] = {
    (400, "bad_request"): (BadRequestError, BadRequestError),
    (400, "no_token"): (AuthenticationError, AuthenticationError),
    (400, "token_mismatched"): (AuthenticationError, AuthenticationError),
    (400, "api_not_implemented"): (BadRequestError, BadRequestError),
    (400, "disabled"): (ServiceDisabledError, ServiceDisabledError),
    (401, "invalid_token"): (AuthenticationError, AuthenticationError),
    (401, "token_expired"): (AuthenticationError, AuthenticationError),
    (401, "token_mismatched"): (AuthenticationError, AuthenticationError),
    (403, "used_up"): (InsufficientBalanceError, InsufficientBalanceError),
    (403, "disabled"): (ServiceDisabledError, ServiceDisabledError),
    (403, "forbidden"): (ContentModerationError, ContentModerationError),
    (404, "no_api"): (EndpointNotFoundError, EndpointNotFoundError),
    (429, "too_many_requests"): (RateLimitError, RateLimitError),
    (429, "rate_limited"): (RateLimitError, RateLimitError),
    (500, "api_error"): (SubmissionUnknownError, ServerError),
    (504, "timeout"): (SubmissionUnknownError, ServerError),
}
"""The class of each error, on a paid call and on a free one."""
READ_BY_OTHER_TESTS = {"task-unknown", "task-batch", "errors", "errors-of-the-guides"}


def interactions(name: str) -> list[Any]:
    """The requests and answers in a documented file."""
    return list(read(DOCUMENTED / f"{name}.yaml")["interactions"])


def body(interaction: Any) -> Any:
    """The body of the answer."""
    return json.loads(interaction["response"]["body"]["string"])


def test_each_documented_answer_is_read() -> None:
    """A file that is missing in these tables would not be tested."""
    assert {path.stem for path in DOCUMENTED.iterdir()} == {*ANSWERS, *RECORDS, *READ_BY_OTHER_TESTS}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_a_submit(name: str) -> None:
    """A result must be found in each of its forms, and an answer with only an id must be pending."""
    (interaction,) = interactions(name)
    task = read_answer(body(interaction))
    assert (task.state, list(task.results)) == ANSWERS[name]
    assert task.task_id == (None if name == "lyrics-spec" else TASK)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record(name: str) -> None:
    """These records have no state field: if their end time and items were not read, they would never be final."""
    (interaction,) = interactions(name)
    task = read_record(body(interaction))
    assert (task.task_id, task.state, task.success) == (TASK, "complete", True)
    assert list(task.results) == RECORDS[name]
    assert (task.started_at, task.finished_at, task.elapsed_seconds) == (1767119745.584, 1767119785.589, 40.005)


@contextmanager
def playing(name: str) -> Iterator[None]:
    """Play a documented file in its order. Bodies are not compared, since the provider's examples differ from ours."""
    path = str(DOCUMENTED / f"{name}.yaml")
    with VCR().use_cassette(path, record_mode="none", match_on=("method", "uri")) as cassette:
        yield
        assert cassette.all_played


async def test_an_unknown_task() -> None:
    """The service answers 200 and `{}`: read as unfinished, it would be waited for without end."""
    (interaction,) = interactions("task-unknown")
    with playing("task-unknown"):
        async with ProducerClient(TOKEN) as client:
            with pytest.raises(TaskNotFoundError):
                await client.get_task(interaction["request"]["body"]["id"])


async def test_a_batch() -> None:
    """An id that is missing in the answer is unknown to the service; it must not vanish."""
    with playing("task-batch"):
        async with ProducerClient(TOKEN) as client:
            batch = await client.get_tasks([TASK, "nobody"])
    assert [(task.task_id, list(task.results)) for task in batch.tasks] == [(TASK, [SONG])]
    assert batch.not_found == ("nobody",)


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("name", ["errors", "errors-of-the-guides"])
async def test_the_errors(name: str, *, paid: bool) -> None:
    """Each published code has its error class. On a paid call, the last two may have been charged."""
    published = [(each["response"]["status"]["code"], body(each)["error"]["code"]) for each in interactions(name)]
    assert published == list(ERRORS)
    with playing(name):
        settings = Settings(SERVICE, request_timeout=30, lookup_timeout=30, poll_interval=0, max_paid_in_flight=1)
        transport = Transport(settings, SecretStr(TOKEN), session=None)
        await transport.prepare()
        for (status, code), (if_paid, if_free) in ERRORS.items():
            with pytest.raises(ProducerToolError) as caught:
                await transport.post(AUDIOS, {}, paid=paid)
            assert type(caught.value) is (if_paid if paid else if_free)
            assert (caught.value.status, caught.value.code) == (status, code)
            assert caught.value.trace_id == "1da03537-4eb8-410d-b849-43f03085a3bb"
        await transport.aclose()
