"""Looking up tasks, recorded: previews, each way in which a task ends, and batches of any size."""

from uuid import UUID

import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.recorded.calls import Caller

pytestmark = pytest.mark.vcr

BOTH_VOCABULARIES = ["record", pytest.param("state", marks=pytest.mark.sandbox_only)]
SONG = {"prompt": "a slow sad waltz", "seed": "7"}
UNKNOWN_IDS = [str(UUID(int=number, version=4)) for number in range(1, 61)]


def fail_in_part(sandbox: ProducerSandbox) -> None:
    """Make the next song fail in part."""
    sandbox.spoil_next("api_error", "the second half was lost")


@pytest.mark.paid
@pytest.mark.sandbox(render_seconds=14.0)
@pytest.mark.parametrize("vocabulary", BOTH_VOCABULARIES, indirect=True)
async def test_previews_and_then_the_song(call: Caller) -> None:
    """A preview must never look like a result: an unfinished task has preview URLs at most."""
    task_id = (await call("producer_generate_music", **SONG))["task_id"]
    *unfinished, last = await call.look_up_until_final(task_id)
    assert len(unfinished) > 1
    for content in unfinished:
        assert content["state"] in ("pending", "processing")
        assert (content["success"], content["results"]) == (None, [])
        assert "Not finished" in content["next_step"]
    assert (last["task_id"], last["state"], last["success"]) == (task_id, "complete", True)
    assert last["results"][0]["audio_url"] not in [url for content in unfinished for url in content["preview_urls"]]
    assert "preview_urls" not in last


async def test_work_on_an_unknown_song_ends_in_an_error(call: Caller) -> None:
    """The service may refuse the submit or let the task fail: in both cases a model must learn why."""
    submitted = await call.message("producer_extend_music", audio_id=UNKNOWN_IDS[0], continue_at=5.0)
    if submitted.status == "error":
        assert "Nothing was charged" in submitted.text
        return
    task_id = call.content(submitted)["task_id"]
    last = (await call.look_up_until_final(task_id))[-1]
    assert (last["state"], last["success"], last["results"]) == ("failed", False, [])
    assert last["error"]["code"]
    assert last["error"]["message"]


@pytest.mark.sandbox_only
@pytest.mark.parametrize("vocabulary", ["record", "state"], indirect=True)
async def test_a_task_that_fails(call: Caller) -> None:
    """In one vocabulary only `success` shows it; read as complete, a failed task would be given to the user."""
    task_id = (await call("producer_cover_music", audio_id=UNKNOWN_IDS[0]))["task_id"]
    last = (await call.look_up_until_final(task_id))[-1]
    assert (last["state"], last["success"], last["results"], last["partial_results"]) == ("failed", False, [], [])
    assert last["error"]["code"] == "bad_request"
    assert "not charged" in last["next_step"]


@pytest.mark.sandbox_only
@pytest.mark.sandbox(script=fail_in_part)
@pytest.mark.parametrize("vocabulary", ["record", "state"], indirect=True)
async def test_a_task_that_fails_in_part(call: Caller) -> None:
    """Finished parts are partial results: as results they would hide the failure, and left out they would be lost."""
    task_id = (await call("producer_generate_music", **SONG))["task_id"]
    last = (await call.look_up_until_final(task_id))[-1]
    assert (last["state"], last["success"], last["results"]) == ("failed", False, [])
    assert last["partial_results"][0]["audio_url"].startswith("http")
    assert last["error"] == {
        "code": "api_error", "message": "the second half was lost", "trace_id": last["error"]["trace_id"],
    }  # fmt: skip


async def test_an_unknown_task(call: Caller) -> None:
    """The service answers 200 and `{}`; read as unfinished, it would be looked up without end."""
    message = await call.error("producer_get_task", task_id=UNKNOWN_IDS[0])
    assert message.startswith("not_found: ")
    assert UNKNOWN_IDS[0] in message


async def test_a_batch_of_sixty_goes_in_two_requests(call: Caller) -> None:
    """The API recommends at most fifty ids in a request; an id that is in neither would be lost silently."""
    content = await call("producer_get_tasks_batch", task_ids=UNKNOWN_IDS)
    assert content["tasks"] == []
    assert content["not_found"] == UNKNOWN_IDS
    assert call.sent == [
        {"ids": UNKNOWN_IDS[:50], "action": "retrieve_batch"}, {"ids": UNKNOWN_IDS[50:], "action": "retrieve_batch"},
    ]  # fmt: skip


@pytest.mark.paid
@pytest.mark.parametrize("vocabulary", BOTH_VOCABULARIES, indirect=True)
async def test_a_batch_keeps_the_order_asked(call: Caller) -> None:
    """The tasks come from two requests; in another order, a model would mix up the songs."""
    ids = [(await call("producer_generate_music", prompt=f"song number {n}"))["task_id"] for n in range(2)]
    for task_id in ids:
        await call.look_up_until_final(task_id)
    content = await call("producer_get_tasks_batch", task_ids=[ids[1], *UNKNOWN_IDS[:55], ids[0]])
    assert [task["task_id"] for task in content["tasks"]] == [ids[1], ids[0]]
    assert [task["state"] for task in content["tasks"]] == ["complete", "complete"]
    assert content["not_found"] == UNKNOWN_IDS[:55]
    assert content["counts"] == {"pending": 0, "processing": 0, "complete": 2, "failed": 0, "not_found": 55}
