"""How tasks and batches are displayed in a notebook."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from producer_tools import Downloader, Downloads, Measured, ProducerClient
from producer_tools.requests import GenerateMusic, GenerateVideo, GenerateWav, PaidRequest, StemsMusic
from producer_tools.tasks.task import Task, TaskBatch
from tests.notebook.page import AUDIO, COVER, SONG, bar_heights, complete, embedded, html_of, page, saved_file

PREVIEW = "https://cdn.example/preview.m4a"


def test_a_song_has_a_cover_a_player_and_its_lyrics() -> None:
    """Without a card, the user would have to copy the URL out of a repr to hear the song."""
    shown = page(complete(SONG))
    assert shown.addresses == [COVER, AUDIO]
    (player,) = (element for element in shown.elements if element.tag == "audio")
    assert {"controls", "preload"} <= player.attributes.keys()
    assert player.attributes["preload"] == "none", "a page with fifty cards must not load fifty songs"
    assert {"First Day", "2:15 · FUZZ-2.0 · jazz", "a1"} <= set(shown.elements[0].text)
    (lyrics,) = (element for element in shown.elements if element.attributes.get("aria-label") == "Lyrics of First Day")
    assert lyrics.text == ["Verse", "la la"], "the marker is set apart from what is sung"


@pytest.mark.usefixtures("silent_files")
async def test_what_is_made_of_a_song_shows_its_own_files(
    client: ProducerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service names no song in these results, while their files have its id. The URL would be played instead."""
    monkeypatch.chdir(tmp_path)

    async def saved(request: PaidRequest) -> Downloads:
        task = await client.submit(request)
        return await Downloader(client, tmp_path).save(str(task.task_id))

    song = (await saved(GenerateMusic(prompt="x"))).task.results[0].get("audio_id", "")
    wav, video = await saved(GenerateWav(audio_id=song)), await saved(GenerateVideo(audio_id=song))
    stems = await saved(StemsMusic(audio_id=song))
    assert embedded(*page(wav).sources("audio")) == ("audio/wav", Path(wav.files[0].path).read_bytes())
    assert embedded(*page(video).sources("video")) == ("video/mp4", Path(video.files[0].path).read_bytes())
    assert [unquote(address) for address in page(stems).addresses] == [file.name for file in stems.files]
    assert len(stems.files) == 2


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.99, "0:59"), (60, "1:00"), (3605.0, "60:05")])
def test_the_length_is_shown_in_minutes_and_seconds(seconds: float, shown: str) -> None:
    """A song of an hour and five seconds must not be shown as 0:05."""
    assert shown in page(complete({"duration_seconds": seconds})).elements[0].text


def test_every_kind_of_result_can_be_played_read_or_opened() -> None:
    """A result without a player, text or link would look as if nothing had been made."""
    assert page(complete({"title": "T", "file_url": AUDIO})).sources("audio") == [AUDIO]
    assert page(complete({"video_url": AUDIO})).sources("video") == [AUDIO]
    assert page(complete({"lyrics": "la"})).elements[-1].text == ["la"]
    both = page(complete({**SONG, "video_url": PREVIEW}))
    assert (both.sources("audio"), both.sources("video"), both.addresses[-1]) == ([AUDIO], [], PREVIEW)
    (link,) = (element for element in page(complete({"stems_url": AUDIO})).elements if element.tag == "a")
    assert (link.attributes["href"], link.attributes["rel"], link.text) == (AUDIO, "noopener noreferrer", ["Stems"])


def test_each_of_several_results_has_a_card() -> None:
    """A song without a card would be paid for and never heard."""
    shown = page(complete(SONG, {**SONG, "audio_id": "a2", "title": "Second", "audio_url": PREVIEW}))
    assert shown.sources("audio") == [AUDIO, PREVIEW]
    assert shown.text.index("First Day") < shown.text.index("Second")


def test_a_complete_task_without_results_says_so() -> None:
    """An empty cell would look like a broken notebook."""
    assert "The service made nothing." in page(complete()).text


@pytest.mark.parametrize("state", ["pending", "processing"])
def test_previews_cannot_be_played_or_clicked(state: Any) -> None:
    """A preview is half a song: users would take it for the result and never fetch the song that they paid for."""
    task = Task("t1", state, preview_urls=(PREVIEW, COVER), progress=40.0, trace_id="tr1")
    for shown in (task, TaskBatch((task,))):
        assert {element.tag for element in page(shown).elements} == {"div"}
        assert "http" not in html_of(shown)
        assert f"Not finished: {state}, 40 %" in page(shown).text
        assert "Previews so far: 2. Previews are not results." in page(shown).text
        assert "task t1 · trace tr1" in page(shown).text


def test_an_unfinished_task_shows_only_known_facts() -> None:
    """A made-up 0 % or an empty line of ids would mislead."""
    shown = page(Task(None, "pending"))
    assert shown.text == "Not finished: pending"


def test_links_have_an_end(tmp_path: Path) -> None:
    """A user who comes back after three months would not know why nothing plays. Saved files stay."""
    task = Task("t1", "complete", (SONG,), finished_at=1_700_000_000)
    assert "The links work until 2024-02-12." in page(task).text
    assert "The links" not in page(Downloads(task, (saved_file(tmp_path / "a", b"x"),))).text
    assert "The links" not in page(complete(SONG)).text, "the service has not said when it was made"


def test_what_was_measured_is_shown_and_findings_stand_out(tmp_path: Path) -> None:
    """A clipped or silent song would look like a good one."""
    measured = Measured(4.2, 44_100, 2, loudness_lufs=-14.2, peak_dbfs=-0.04, clipped_share=0.02, silent_share=0.83)
    file = replace(saved_file(tmp_path / "a", b"x"), measured=measured)
    shown = page(Downloads(complete(SONG), (file,)))
    assert "44.1\u202fkHz · stereo · \u221214.2\u202fLUFS · peak\xa00.0\u202fdBFS" in shown.text
    findings = [element.text for element in shown.elements if element.tag == "span"]
    assert findings == [[finding] for finding in measured.findings]
    assert len(findings) == 3
    cut_off = replace(file, measured=Measured(60.0), duration_seconds=120.0)
    assert (
        "shorter than the service says: 60.0 s in place of 120.0 s" in page(Downloads(complete(SONG), (cut_off,))).text
    )
    without = replace(file, measured=Measured(60.0))
    assert "kHz" not in page(Downloads(complete(SONG), (without,))).text


def test_a_failed_task_shows_its_reason_and_labels_partial_results(tmp_path: Path) -> None:
    """Without the label, half an album would pass for all of it; without ids, the service could not be asked why."""
    task = Task("t1", "failed", partial_results=(SONG,), error={"code": "c1", "message": "no room", "trace_id": "tr1"})
    for shown in (page(task), page(Downloads(task, (saved_file(tmp_path / "a", b"x"),)))):
        assert shown.elements[0].text[:3] == ["Failed", "c1: no room", "task t1 · trace tr1"]
        assert shown.text.index("Partial result") < shown.text.index("First Day")
        assert shown.sources("audio")
    assert "Partial" not in page(complete(SONG)).text
    assert page(Task("t1", "failed")).sources("audio") == []


def test_a_batch_keeps_its_order_and_names_unknown_ids() -> None:
    """Otherwise a user could not tell which card belongs to which id, nor that a task is missing."""
    unfinished = Task("t2", "processing", preview_urls=(PREVIEW,))
    shown = page(TaskBatch((unfinished, complete(SONG), Task("t3", "failed"), complete(SONG)), ("nobody", "no one")))
    titles = {"Not finished: processing", "First Day", "Failed"}
    assert [text for text in shown.elements[0].text if text in titles] == [
        "Not finished: processing", "First Day", "Failed", "First Day",
    ]  # fmt: skip
    assert "1 processing · 2 complete · 1 failed · 2 not found" in shown.text
    assert "Not found: nobody, no one" in shown.text
    assert shown.sources("audio") == [AUDIO, AUDIO]
    assert page(TaskBatch()).text == "No tasks."


async def test_a_downloaded_song_is_embedded(client: ProducerClient, tmp_path: Path) -> None:
    """From the sandbox to the card: if the card did not find the saved file, it would play an expiring URL."""
    task = await client.submit(GenerateMusic(prompt="x"))
    downloads = await Downloader(client, tmp_path).save(str(task.task_id))
    shown = page(downloads)
    assert embedded(*shown.sources("audio")) == ("audio/wav", Path(downloads.files[0].path).read_bytes())
    cover, drawing = (embedded(source)[0] for source in shown.sources("img"))
    assert cover == downloads.files[1].content_type
    assert drawing == "image/svg+xml"
    assert max(bar_heights(downloads)) == 100
    assert page(await client.get_task(str(task.task_id))).addresses == [
        downloads.task.results[0]["image_url"],
        downloads.task.results[0]["audio_url"],
    ]
