"""How long the URLs of a result work: the service keeps results for 90 days."""

import json
from typing import Any

import pytest

from producer_tools import Task, TaskBatch
from producer_tools.tools.output import batch_output, task_output

SONG: Any = {"audio_id": "a1", "audio_url": "https://example.com/a.m4a"}
MADE = 1_764_374_400.0  # 2025-11-29


@pytest.mark.parametrize(
    ("task", "day"),
    [
        (Task("t1", "complete", (SONG,), created_at=0, finished_at=MADE), "2026-02-27"),
        (Task("t1", "complete", (SONG,), created_at=MADE), "2026-02-27"),
        (Task("t1", "failed", partial_results=(SONG,), created_at=MADE), "2026-02-27"),
        (Task("t1", "complete", (SONG,)), None),
        (Task("t1", "complete", ({"lyrics": "la"},), created_at=MADE), None),
        (Task("t1", "processing", preview_urls=("https://example.com/p",), created_at=MADE), None),
        (Task("t1", "complete", (SONG,), finished_at=1e300), None),
        (Task("t1", "complete", (SONG,), finished_at=-1e18), None),
    ],
    ids=["finished", "created", "failed in part", "no time", "no URL", "previews", "too late", "too early"],
)
def test_the_last_day_of_the_links(task: Task, day: str | None) -> None:
    """A user who comes later finds nothing, and a song that was paid for is lost."""
    assert task.links_until == day


def test_a_model_and_an_application_learn_it() -> None:
    """A model can tell the user to save the files in time."""
    task = Task("t1", "complete", (SONG,), finished_at=MADE)
    content, artifact = task_output(task)
    assert json.loads(content)["links_until"] == artifact["links_until"] == "2026-02-27"
    content, _ = batch_output(TaskBatch((task,)))
    assert json.loads(content)["tasks"][0]["links_until"] == "2026-02-27"


def test_what_has_no_links_says_nothing() -> None:
    """Each character costs."""
    content, artifact = task_output(Task("t1", "complete", ({"lyrics": "la"},), finished_at=MADE))
    assert "links_until" not in content
    assert artifact["links_until"] is None
