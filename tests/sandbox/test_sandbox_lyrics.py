"""The lyrics that the sandbox writes."""

import re
from typing import Any

import pytest

from tests.sandbox.calls import serving

PROMPT = "A song about rainy nights and old trains"


def write(prompt: str, vocabulary: str = "record") -> dict[str, Any]:
    with serving(vocabulary=vocabulary) as api:
        data = api.post("/producer/lyrics", {"prompt": prompt}).json["data"]
        assert isinstance(data, dict)
        return data


def test_the_same_prompt_gives_the_same_lyrics_in_any_sandbox() -> None:
    assert write(PROMPT) == write(PROMPT)
    assert write(PROMPT)["text"] != write("another prompt")["text"]


def test_each_vocabulary_has_the_keys_that_its_clients_read() -> None:
    assert set(write(PROMPT)) == {"title", "text", "status"}
    state = write(PROMPT, "state")
    assert set(state) == {"title", "lyrics", "text", "status"}
    assert state["lyrics"] == state["text"]
    assert state["status"] == "complete"


@pytest.mark.parametrize("prompt", [PROMPT, "the", "!!!", "夜の雨", "x" * 5000])
def test_lyrics_have_marked_sections_with_lines_of_4_to_8_words(prompt: str) -> None:
    data = write(prompt)
    assert data["title"].startswith("Sandbox")
    lines = [line for line in data["text"].splitlines() if line]
    markers = [line for line in lines if line.startswith("[")]
    assert markers == ["[Verse]", "[Chorus]", "[Verse]", "[Chorus]", "[Bridge]", "[Chorus]"]
    assert all(4 <= len(line.split()) <= 8 for line in lines if line not in markers)


def test_the_lyrics_contain_words_of_the_prompt() -> None:
    text = write(PROMPT)["text"]
    assert re.search(r"\b(rainy|nights|old|trains)\b", text)


def test_a_song_without_a_lyric_gets_the_lyrics_for_its_prompt() -> None:
    with serving() as api:
        assert api.song(PROMPT)["lyric"] == api.post("/producer/lyrics", {"prompt": PROMPT}).json["data"]["text"]


def test_lyrics_and_title_can_be_used_for_a_song() -> None:
    with serving() as api:
        words = api.post("/producer/lyrics", {"prompt": PROMPT}).json["data"]
        item = api.make("generate", custom=True, lyric=words["text"], title=words["title"])
        assert (item["lyric"], item["title"]) == (words["text"], words["title"])


def test_lyrics_are_finished_at_once() -> None:
    with serving() as api:
        before = api.clock.now()
        record = api.look_up(api.post("/producer/lyrics", {"prompt": PROMPT}).json["task_id"])
        assert record["finished_at"] == before
