"""The service's texts and URLs cannot put markup, scripts or other addresses into a notebook."""

from pathlib import Path
from typing import Any, cast, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_tools import Downloads, FailedFile, SavedFile
from producer_tools.errors import DownloadError
from producer_tools.tasks.results import Kind, Result
from producer_tools.tasks.task import Task, TaskBatch
from tests.notebook.page import AUDIO, SONG, complete, html_of, page, saved_file

SAFE = "https://cdn.example/safe.m4a"
MARKUP = "\"><script>alert('x')</script><img src=x onerror=alert(1)>&lt;"
UNSAFE_URLS = [
    "javascript:alert(1)",
    " javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "//cdn.example/a.m4a",
    " https://cdn.example/a.m4a",
    "a.m4a",
]


@pytest.mark.parametrize("key", ["title", "lyric", "lyrics", "model", "style", "audio_id"])
def test_texts_of_a_result_are_escaped(key: str, tmp_path: Path) -> None:
    """Markup in a title would run in the notebook, where it can run code. `Page` refuses tags that no card needs."""
    result = cast("Result", {**SONG, "lyric": "", key: MARKUP})
    for shown in (complete(result), Downloads(complete(result), (saved_file(tmp_path / "a.m4a", b"x"),))):
        assert MARKUP in page(shown).text
        assert "<script" not in html_of(shown)


def test_texts_of_errors_and_ids_are_escaped() -> None:
    """They come from the service too."""
    error = {"code": MARKUP, "message": MARKUP, "trace_id": MARKUP}
    assert page(Task(MARKUP, "failed", error=cast("Any", error))).text.count(MARKUP) == 4
    assert MARKUP in page(Task(MARKUP, "pending", trace_id=MARKUP)).text
    assert MARKUP in page(TaskBatch(not_found=(MARKUP,))).text
    failed = FailedFile("audio", MARKUP, DownloadError(MARKUP, MARKUP))
    assert page(Downloads(complete(SONG), (), (failed,))).text.count(MARKUP) == 2


@pytest.mark.parametrize("url", UNSAFE_URLS)
def test_only_http_urls_are_loaded_or_linked(url: str) -> None:
    """Other schemes can run code or read local files."""
    keys = ("audio_url", "file_url", "video_url", "stems_url", "image_url")
    shown = complete(*(cast("Result", {"title": "T", key: url}) for key in keys))
    assert page(shown).addresses == []
    assert url not in html_of(shown)
    assert page(complete({**SONG, "audio_url": url, "file_url": SAFE})).sources("audio") == [SAFE]


def test_a_url_cannot_leave_its_attribute() -> None:
    """An unescaped quote would let a URL add attributes such as onerror."""
    url = "HTTPS://cdn.example/a\" onerror='x'&amp;<b>"
    assert page(complete({"audio_url": url, "image_url": url})).addresses == [url, url]


# "\ud83d" is half of a surrogate pair, which JSON may contain.
texts = st.text(max_size=12) | st.sampled_from([MARKUP, *UNSAFE_URLS, AUDIO, "'", "<!--", "\0", "]]>", "\ud83d"])
results = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(set(Result.__annotations__) - {"duration_seconds"}, texts),
        "duration_seconds": st.floats(),
    },
)
result_lists = st.lists(results, max_size=3).map(lambda made: cast("tuple[Result, ...]", tuple(made)))
errors = st.none() | st.fixed_dictionaries({"code": texts, "message": texts, "trace_id": st.none() | texts})
tasks = st.builds(
    Task,
    st.none() | texts,
    st.sampled_from(["pending", "processing", "complete", "failed"]),
    result_lists,
    st.lists(texts).map(tuple),
    result_lists,
    cast("st.SearchStrategy[Any]", errors),
    st.none() | st.floats(),
    st.none() | texts,
)
files = st.lists(
    st.builds(SavedFile, st.sampled_from(get_args(Kind)), texts, st.integers(0), texts, texts, st.none() | texts),
    max_size=2,
).map(tuple)
failures = st.lists(
    st.builds(FailedFile, st.sampled_from(get_args(Kind)), texts, st.builds(DownloadError, texts, texts)),
    max_size=2,
).map(tuple)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine may stand still
@given(tasks, files, failures, st.lists(texts, max_size=2).map(tuple))
def test_any_answer_of_the_service_gives_valid_cards(
    task: Task, saved: tuple[SavedFile, ...], failed: tuple[FailedFile, ...], not_found: tuple[str, ...]
) -> None:
    """For any values: no exception, only the tags of cards, only http(s) addresses, and no title is lost."""
    shown = [page(task), page(TaskBatch((task, task), not_found)), page(Downloads(task, saved, failed))]
    for each in shown:
        assert all(address.lower().startswith(("https://", "http://")) for address in each.addresses)
        for result in {"complete": task.results, "failed": task.partial_results}.get(task.state, ()):
            assert result.get("title", "").encode(errors="replace").decode() in each.text
    if not task.is_final:
        assert not shown[0].addresses
