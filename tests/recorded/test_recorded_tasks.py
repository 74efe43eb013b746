"""What a look at tasks finds, recorded: each way a task ends, previews on the way there, and batches of any size."""

from uuid import UUID

import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.recorded.calls import Caller

pytestmark = pytest.mark.vcr

EITHER_VOCABULARY = ["record", pytest.param("state", marks=pytest.mark.sandbox_only)]
SONG = {"prompt": "a slow sad waltz", "seed": "7"}
NOBODY = [str(UUID(int=number, version=4)) for number in range(1, 61)]


def _spoil(sandbox: ProducerSandbox) -> None:
    sandbox.spoil_next("api_error", "the second half was lost")


@pytest.mark.paid
@pytest.mark.sandbox(render_seconds=14.0)
@pytest.mark.parametrize("vocabulary", EITHER_VOCABULARY, indirect=True)
async def test_previews_and_then_the_song(call: Caller) -> None:
    """The rule of all rules: until its last look a song has URLs perhaps, and never a result."""
    task_id = (await call("producer_generate_music", **SONG))["task_id"]
    *unfinished, last = await call.looks(task_id)
    assert len(unfinished) > 1
    for look in unfinished:
        assert look["state"] in ("pending", "processing")
        assert (look["success"], look["results"]) == (None, [])
        assert "Not finished" in look["next_step"]
    assert (last["task_id"], last["state"], last["success"]) == (task_id, "complete", True)
    assert last["results"][0]["audio_url"] not in [url for look in unfinished for url in look["preview_urls"]]
    assert "preview_urls" not in last


async def test_work_on_an_unknown_song_ends_in_an_error(call: Caller) -> None:
    """Whether the submit is refused or its task fails, a model is told why, and gets no result."""
    submitted = await call.message("producer_extend_music", audio_id=NOBODY[0], continue_at=5.0)
    if submitted.status == "error":
        assert "Nothing was charged" in submitted.text
        return
    task_id = call.content(submitted)["task_id"]
    last = (await call.looks(task_id))[-1]
    assert (last["state"], last["success"], last["results"]) == ("failed", False, [])
    assert last["error"]["code"]
    assert last["error"]["message"]


@pytest.mark.sandbox_only
@pytest.mark.parametrize("vocabulary", ["record", "state"], indirect=True)
async def test_a_task_that_fails(call: Caller) -> None:
    """In one vocabulary only `success` says so; read as finished, a failed task would be given to the user."""
    task_id = (await call("producer_cover_music", audio_id=NOBODY[0]))["task_id"]
    last = (await call.looks(task_id))[-1]
    assert (last["state"], last["success"], last["results"], last["partial_results"]) == ("failed", False, [], [])
    assert last["error"]["code"] == "bad_request"
    assert "not charged" in last["next_step"]


@pytest.mark.sandbox_only
@pytest.mark.sandbox(script=_spoil)
@pytest.mark.parametrize("vocabulary", ["record", "state"], indirect=True)
async def test_a_task_that_fails_in_part(call: Caller) -> None:
    """What was finished is shown as partial: as a result it would hide the failure, left out it would be lost."""
    task_id = (await call("producer_generate_music", **SONG))["task_id"]
    last = (await call.looks(task_id))[-1]
    assert (last["state"], last["success"], last["results"]) == ("failed", False, [])
    assert last["partial_results"][0]["audio_url"].startswith("http")
    assert last["error"] == {
        "code": "api_error", "message": "the second half was lost", "trace_id": last["error"]["trace_id"],
    }  # fmt: skip


async def test_an_unknown_task(call: Caller) -> None:
    """The service answers 200 and `{}`; read as unfinished, it would be asked for without end."""
    message = await call.refused("producer_get_task", task_id=NOBODY[0])
    assert message.startswith("not_found: ")
    assert NOBODY[0] in message


async def test_a_batch_of_sixty_goes_in_two_requests(call: Caller) -> None:
    """More than fifty to a request the API does not recommend; an id left out of both would be lost in silence."""
    content = await call("producer_get_tasks_batch", task_ids=NOBODY)
    assert content["tasks"] == []
    assert content["not_found"] == NOBODY
    assert call.sent == [
        {"ids": NOBODY[:50], "action": "retrieve_batch"}, {"ids": NOBODY[50:], "action": "retrieve_batch"},
    ]  # fmt: skip


@pytest.mark.paid
@pytest.mark.parametrize("vocabulary", EITHER_VOCABULARY, indirect=True)
async def test_a_batch_keeps_the_order_asked(call: Caller) -> None:
    """Songs of two requests come back in the order asked; mixed up, each would get the other's name."""
    ids = [(await call("producer_generate_music", prompt=f"song number {n}"))["task_id"] for n in range(2)]
    for task_id in ids:
        await call.looks(task_id)
    content = await call("producer_get_tasks_batch", task_ids=[ids[1], *NOBODY[:55], ids[0]])
    assert [task["task_id"] for task in content["tasks"]] == [ids[1], ids[0]]
    assert [task["state"] for task in content["tasks"]] == ["complete", "complete"]
    assert content["not_found"] == NOBODY[:55]
    assert content["counts"] == {"pending": 0, "processing": 0, "complete": 2, "failed": 0, "not_found": 55}
