"""Deriving a song from a song: what changes and what stays the same."""

import math
from array import array
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_tools.sandbox.music import Song, compose
from tests.sandbox.songs import INSTRUMENTAL, LYRIC, RATE, SONG, loudness, pitches_of, samples_of, stems_of


@pytest.mark.parametrize("at", [-1.0, 0.0, 0.5, 6.3, SONG.duration - 1, SONG.duration, 1e9, math.inf])
def test_an_extended_song_is_longer(at: float) -> None:
    """Also if the new part starts so early that 8 seconds of it would make the song shorter."""
    longer = SONG.extended(at, "", "New words to sing", "b")
    assert longer.duration >= max(min(max(at, 0.0), SONG.duration) + 8, SONG.duration + 1) - 1 / RATE
    assert longer.tempo == SONG.tempo


@pytest.mark.parametrize("at", [6.3, math.inf])
def test_an_extended_song_keeps_the_part_before(at: float) -> None:
    kept = math.ceil(min(at, SONG.duration) * RATE)
    before, after = stems_of(SONG), stems_of(SONG.extended(at, "", "New words to sing", "b"))
    assert [part[:kept] for part in after] == [part[:kept] for part in before]
    assert all(loudness(part[kept:]) > 500 for part in after)


def test_the_new_part_of_an_extended_song_has_the_style_of_the_prompt() -> None:
    last = SONG.extended(5, "fast electronic minor", "", "b").clips[-1].backing.style
    assert last.tempo > 130
    assert (last.mode, last.sound) == ("minor", "electronic")


def test_a_cover_keeps_the_melody_in_another_style() -> None:
    song = compose("slow piano in a major key", LYRIC, "seed")
    cover = song.covered("fast punk", "Some other words", "b")
    assert pitches_of(cover) == pitches_of(song)
    assert cover.tempo > 130
    assert cover.duration < song.duration
    assert song.covered("fast sad waltz", "", "b").mode == "minor"
    assert song.covered("fast sad waltz", "", "b").metre == 3
    assert song.covered("", "", "b").clips[0].backing.style.sound != "piano"


def test_a_cover_of_an_extended_song_has_all_its_stems_of() -> None:
    song = SONG.extended(8, "", "New words to sing", "b")
    cover = song.covered(f"{song.tempo} bpm electronic", "", "c")
    assert cover.duration == pytest.approx(song.duration, abs=60 / song.tempo * song.metre)
    assert [clip.vocals.tune for clip in cover.clips] == [clip.vocals.tune for clip in song.clips]


def test_a_variation_changes_some_notes_and_nothing_else() -> None:
    varied = SONG.varied("", "", "b")
    assert (varied.duration, varied.tempo) == (SONG.duration, SONG.tempo)
    same = [after == before for after, before in zip(pitches_of(varied), pitches_of(SONG), strict=True)]
    assert 0.3 < sum(same) / len(same) < 1
    assert stems_of(varied)[1] == stems_of(SONG)[1]


def test_new_vocals_keep_the_backing() -> None:
    old, new = stems_of(SONG), stems_of(SONG.with_new_vocals("Quite other words", "c"))
    assert new[1] == old[1]
    assert new[0] != old[0]
    assert len(new[0]) == len(old[0])


def test_an_instrumental_can_get_vocals() -> None:
    assert loudness(stems_of(INSTRUMENTAL.with_new_vocals(LYRIC, "b"))[0]) > 500


def test_a_new_backing_keeps_the_vocals() -> None:
    song = SONG.with_new_backing("electronic", "c")
    assert song.clips[0].backing.style.sound == "electronic"
    old, new = stems_of(SONG), stems_of(song)
    assert new[0] == old[0]
    assert new[1] != old[1]


@pytest.mark.parametrize(
    ("start", "end", "prompt"),
    [(3.0, 6.5, ""), (3.0, 6.5, "fast punk"), (-1.0, 2.0, ""), (9.0, 1e9, "fast punk"), (4.0, 4.01, "")],
)
def test_a_new_section_changes_nothing_outside(start: float, end: float, prompt: str) -> None:
    song = SONG.with_section(start, end, prompt, "Other words", "b")
    first, last = (math.ceil(min(max(time, 0), SONG.duration) * RATE) for time in (start, end))
    for old, new in zip(stems_of(SONG), stems_of(song), strict=True):
        assert len(new) == len(old)
        assert new[:first] == old[:first]
        assert new[first:last] != old[first:last]
        assert new[last:] == old[last:]


@pytest.mark.parametrize(("start", "end"), [(3.0, 3.0), (6.0, 2.0), (1e9, 2e9), (-3.0, 0.0)])
def test_an_empty_section_changes_nothing(start: float, end: float) -> None:
    assert SONG.with_section(start, end, "", "Other words", "b") == SONG


def test_a_section_that_cuts_a_fade_changes_nothing_outside() -> None:
    """The crossfade at an earlier cut is part of the song, so a second cut through it must keep the rest of it."""
    song = SONG.with_section(3, 6, "", "Other words", "b")
    for start, end in ((2.99, 3.005), (5.99, 5.995)):
        again = song.with_section(start, end, "", "Still others", "c")
        first, last = math.ceil(start * RATE), math.ceil(end * RATE)
        old, new = samples_of(song.wav()), samples_of(again.wav())
        assert (new[:first], new[last:]) == (old[:first], old[last:])


def test_there_is_no_click_where_clips_meet() -> None:
    """A click is a jump between samples that is larger than any in the singing itself."""
    song = SONG.with_section(3.21, 6.54, "", "Other words", "b").extended(8.76, "", "", "c")
    jumps = [abs(after - before) for before, after in pairwise(stems_of(song)[0])]
    for cut in (3.21, 6.54, 8.76):
        place = int(cut * RATE)
        assert max(jumps[place - 500 : place + 500]) <= 1.2 * max(
            map(max, (jumps[: RATE * 3], jumps[RATE * 4 : RATE * 6]))
        )


EDITS: tuple[Callable[[Song, float, str], Song], ...] = (
    lambda song, at, seed: song.extended(at, seed, "la la", seed),
    lambda song, at, seed: song.covered("fast waltz" if at < 5 else "slow", "", seed),
    lambda song, _, seed: song.varied(seed, "", seed),
    lambda song, _, seed: song.with_new_vocals("la", seed),
    lambda song, _, seed: song.with_new_backing("", seed),
    lambda song, at, seed: song.with_section(at, at + 2.5, "fast", "", seed),
    lambda song, at, seed: song.with_section(at, at + 1e9, "", "", seed),
)


@given(
    edits=st.lists(st.tuples(st.sampled_from(EDITS), st.floats(-1, 40), st.sampled_from("abc")), max_size=6),
    instrumental=st.booleans(),
)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_edits_of_edits_leave_no_gap(
    edits: list[tuple[Callable[[Song, float, str], Song], float, str]], instrumental: bool
) -> None:
    song = compose("", "", "seed", instrumental=instrumental)
    for edit, at, seed in edits:
        song = edit(song, at, seed)
    assert song.duration >= 8
    clips = sorted(song.clips, key=lambda clip: clip.start)
    assert clips[0].start == 0
    assert all(after.start <= max(clip.end for clip in clips[: index + 1]) for index, after in enumerate(clips[1:]))
    for clip in clips:
        assert clip.vocals.length == clip.backing.length
        assert 0 <= clip.start - clip.origin < clip.end - clip.origin <= clip.vocals.length
    assert max(clip.end for clip in clips) == round(song.duration * RATE)


def test_edits_of_edits_can_be_rendered() -> None:
    song = SONG
    for edit in EDITS:
        song = edit(song, 6.0, "b")
    vocals, backing = stems_of(song)
    assert array("h", map(int.__add__, vocals, backing)) == samples_of(song.wav())
    assert len(vocals) / RATE == song.duration
