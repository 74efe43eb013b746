"""Text of the service: it can be stored and sent on whatever it holds, it is bounded, and says that it was cut."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from producer_tools import APIError, ProducerClient, SqliteLedger, Task
from producer_tools.requests import GenerateLyrics, GenerateMusic
from producer_tools.tasks.records import LONGEST_RECORD, read_answer, read_record, storable_answer
from producer_tools.tasks.results import RESULT_KEYS
from producer_tools.tools.output import task_output
from tests.raw_server import answering, http

UNSAFE = ["\ud800", "\udfff", "\x00", "\x1b", "\x7f", "\x9b", "\x08"]
LONG = "x" * 15_000_000
FIELDS = [field for key in RESULT_KEYS for field in key.fields if key.name not in ("audio_id", "duration_seconds")]
TEXT_FIELDS = [field for field in FIELDS if not field.endswith("_url")]
unsafe_text = st.text(st.characters() | st.sampled_from(UNSAFE))
items = st.dictionaries(
    st.sampled_from([*FIELDS, "id", "duration", "state", "progress"]),
    unsafe_text
    | st.integers()
    | st.floats()
    | st.sampled_from(["succeeded", "processing", "pending", "failed", "50%"]),
)
nodes = st.fixed_dictionaries(
    {},
    optional={
        "task_id": unsafe_text, "trace_id": unsafe_text, "success": st.booleans() | st.none(), "state": unsafe_text,
        "error": unsafe_text | st.dictionaries(st.sampled_from(["code", "message"]), unsafe_text),
        "data": st.lists(items, max_size=3) | items,
    },
)  # fmt: skip
# A busy machine may take long for any example.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_can_be_stored(task: Task) -> None:
    content, artifact = task_output(task)
    for value in (content, artifact, storable_answer(task)):
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
        assert not any(character in text for character in UNSAFE)
        assert "\\u0000" not in text, "PostgreSQL refuses it"
        serializer = JsonPlusSerializer()
        assert serializer.loads_typed(serializer.dumps_typed(value)) == value
    task._repr_html_().encode("utf-8")


@patient
@given(nodes, st.sampled_from([None, 9]), st.booleans())
def test_any_text_of_the_service_can_be_stored(
    response: dict[str, Any], finished_at: int | None, is_stuck: bool
) -> None:
    """One such character in a title would end the run in the checkpointer, the model's client or the ledger."""
    record = {"id": response.get("task_id"), "finished_at": finished_at, "response": response}
    assert_can_be_stored(read_record(record, is_stuck=is_stuck))
    assert_can_be_stored(read_answer(response))


@pytest.mark.parametrize("unsafe", UNSAFE)
@pytest.mark.parametrize("field", TEXT_FIELDS)
def test_an_unsafe_character_is_replaced_and_the_rest_is_kept(field: str, unsafe: str) -> None:
    item = {"state": "succeeded", field: f"a {unsafe}b\n\tc é 日本 👍"}
    (result,) = read_record({"id": "t", "finished_at": 9, "response": {"data": [item]}}).results
    assert list(result.values()) == ["a \ufffdb\n\tc é 日本 👍"]


@pytest.mark.parametrize("url", ["https://cdn.example/a\x00.m4a", "https://cdn.example/\ud800", "https://" + LONG])
@pytest.mark.parametrize("field", sorted(set(FIELDS) - set(TEXT_FIELDS)))
def test_a_url_that_is_not_safe_is_no_url(field: str, url: str) -> None:
    """A changed URL would lead to another file."""
    item = {"state": "succeeded", "title": "a song", field: url}
    assert read_record({"id": "t", "finished_at": 9, "response": {"data": [item]}}).results == ({"title": "a song"},)
    assert read_record({"id": "t", "state": "pending", "response": {"data": [item]}}).preview_urls == ()


@pytest.mark.parametrize("field", TEXT_FIELDS)
def test_long_text_is_cut_and_says_so(field: str) -> None:
    """A title of 15 MB would fill a model's context, and each checkpoint of the run."""
    task = read_record({"id": "t", "finished_at": 9, "response": {"data": [{"state": "succeeded", field: LONG}]}})
    (text,) = task.results[0].values()
    assert str(text).endswith("x… [cut: 15,000,000 characters]")
    assert len(str(text)) == next(key.longest for key in RESULT_KEYS if field in key.fields)


@pytest.mark.parametrize(
    "record",
    [
        {"state": "failed", "error": LONG},
        {"state": "failed", "error": {"code": LONG, "message": LONG}},
        {"state": "processing", "error": LONG},
        {"state": "pending", "response": {"data": [{"audio_url": "https://" + LONG}]}},
        {"state": "pending", "response": {"data": [[f"https://cdn.example/{n}" for n in range(200_000)]]}},
        {"finished_at": 9, "response": {"data": [{"id": str(n), "lyric": LONG[:20_000]} for n in range(700)]}},
        {"finished_at": 9, "state": "failed", "response": {"data": [{"lyric": LONG[:20_000]}] * 700}},
        {"state": "complete", "trace_id": LONG, "task_id": LONG, "response": {"success": True, "data": []}},
    ],
)
def test_a_whole_task_is_bounded(record: dict[str, Any]) -> None:
    """Many small texts are as large as one long text."""
    task = read_record({"id": "t", **record})
    content, artifact = task_output(task)
    for value in (content, json.dumps(artifact), json.dumps(storable_answer(task)), task._repr_html_()):
        assert len(value) < 1.5 * LONGEST_RECORD


def test_results_that_are_left_out_are_counted() -> None:
    """Somebody has paid for them, and must learn that there are more."""
    data = [{"id": str(n), "state": "succeeded", "lyric": "x" * 19_000} for n in range(25)]
    task = read_record({"id": "t", "finished_at": 9, "response": {"data": data}})
    content = json.loads(task_output(task)[0])
    assert len(content["results"]) + int(content["note"].split()[3]) == 25
    assert "left out" in content["note"]
    assert "left out" in task._repr_html_()


@pytest.mark.parametrize("bad", [LONG, "a\x00", "\ud800"])
def test_an_id_that_is_not_safe_is_no_id(bad: str) -> None:
    """A changed or shortened id would name another song, or none."""
    data = [{"id": bad, "state": "succeeded", "title": "T"}]
    task = read_record({"id": bad, "task_id": "t1", "trace_id": bad, "finished_at": 9, "response": {"data": data}})
    assert (task.task_id, task.trace_id, task.results) == ("t1", None, ({"title": "T"},))


def test_lyrics_of_the_longest_song_are_not_cut() -> None:
    """Eight minutes (nexior) at five words a second."""
    words = "[Verse]\n" + "words " * (8 * 60 * 5)
    task = read_answer({"success": True, "task_id": "t", "data": {"title": "T", "text": words}})
    assert task.results[0]["lyrics"] == words


@patient
@given(nodes)
def test_the_ledgers_copy_of_an_answer_is_read_as_the_same_task(answer: dict[str, Any]) -> None:
    """Otherwise a repeated call would return another result than the first one, or lose it."""
    task = read_answer(answer)
    assert read_answer(storable_answer(task)) == task


@pytest.mark.parametrize("title", [LONG[:5_000_000], "a\x00\ud800b"])
async def test_a_ledger_holds_a_safe_and_short_answer(title: str, tmp_path: Path) -> None:
    """Lyrics are paid for: an answer that cannot be written down would be an unknown outcome."""
    answer = {"success": True, "task_id": "t1", "junk": [title], "data": {"title": title, "text": "[Verse]"}}
    async with answering(http(answer)) as server:
        async with ProducerClient("t", server.base_url, ledger=SqliteLedger(tmp_path / "l.sqlite")) as client:
            first = await client.submit(GenerateLyrics(prompt="rain"), key="k")
            again = await client.submit(GenerateLyrics(prompt="rain"), key="k")
        assert len(server.requests) == 1
    assert first == again
    assert first.results[0]["lyrics"] == "[Verse]"
    with sqlite3.connect(tmp_path / "l.sqlite") as connection:
        ((stored,),) = connection.execute("SELECT answer FROM submissions")
    connection.close()
    assert len(stored) < 1000
    assert "\\u0000" not in stored
    assert "\\ud800" not in stored


async def test_an_error_of_the_service_is_safe_and_short() -> None:
    """It goes to the model, and into the graph's state, like a result."""
    long = LONG[:5_000_000]
    body = {"error": {"code": "a\x00\ud800" + long, "message": "b\x00\ud800" + long}, "trace_id": long}
    async with answering(http(body, "400 Bad Request")) as server:
        async with ProducerClient("t", server.base_url) as client:
            with pytest.raises(APIError) as caught:
                await client.submit(GenerateMusic(prompt="a song"))
    str(caught.value).encode("utf-8")
    assert "\x00" not in str(caught.value)
    assert len(str(caught.value)) < 1500
