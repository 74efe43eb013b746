import hashlib
import io
import math
import os
import struct
import subprocess
import sys
import time
import wave
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer_tools.sandbox.music import Song, compose, cover_png, uploaded
from producer_tools.sandbox.music.melody import syllables

RATE = 22050
LYRIC = "Hello my darling, how are you\nI am fine and so is the moon\nHello my darling, how are you\nSing with me"
SONG = compose("folk guitar in 4/4", LYRIC, "seed")
WALTZ = compose("a waltz in minor on the piano, 100 bpm", LYRIC, "a")
MARCH = compose("a march in major on the guitar, 110 bpm", LYRIC, "a")
INSTRUMENTAL = compose("happy orchestral", "", "seed", instrumental=True)


def heard(wav: bytes) -> "array[int]":
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return array("h", file.readframes(file.getnframes()))


def parts(song: Song) -> tuple["array[int]", "array[int]"]:
    with zipfile.ZipFile(io.BytesIO(song.stems())) as archive:
        assert archive.namelist() == ["vocals.wav", "instrumental.wav"]
        return heard(archive.read("vocals.wav")), heard(archive.read("instrumental.wav"))


def loudness(samples: "array[int]") -> float:
    return math.sqrt(math.fsum(sample * sample for sample in samples) / len(samples))


def strength(samples: "array[int]", hertz: float) -> float:
    """How much of one frequency there is (Goertzel's algorithm)."""
    factor = 2 * math.cos(2 * math.pi * hertz / RATE)
    last, before = 0.0, 0.0
    for sample in samples:
        last, before = sample + factor * last - before, last
    return last * last + before * before - factor * last * before


def beats(samples: "array[int]", hop: int = 441) -> list[float]:
    """How much louder it gets, fifty times a second."""
    levels = [math.log10(1 + loudness(samples[start : start + hop])) for start in range(0, len(samples) - hop, hop)]
    return [max(0.0, after - before) for before, after in pairwise(levels)]


def pulse(onsets: list[float], per_minute: float) -> float:
    """How regularly it gets louder so many times a minute: 1 if it never does at another time."""
    turns = [2 * math.pi * per_minute / 60 / 50 * index for index in range(len(onsets))]
    across = math.fsum(onset * math.cos(turn) for onset, turn in zip(onsets, turns, strict=True))
    along = math.fsum(onset * math.sin(turn) for onset, turn in zip(onsets, turns, strict=True))
    return math.hypot(across, along) / math.fsum(onsets)


def pitches(song: Song) -> list[float]:
    return [note.pitches[0] for note in song.clips[0].vocals.melody()]


# Composing


def test_a_song_is_the_same_in_every_process() -> None:
    """A server that is started again would give other bytes for the same address."""
    code = (
        "import hashlib; from producer_tools.sandbox.music import *;"
        "song = compose('dance', 'la li lu', 'x').covered('sad', '', 'y');"
        "print(hashlib.sha256(song.wav() + cover_png('x')).hexdigest())"
    )
    song = compose("dance", "la li lu", "x").covered("sad", "", "y")
    environment = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == hashlib.sha256(song.wav() + cover_png("x")).hexdigest()


def test_the_same_request_plans_an_equal_song_and_another_seed_another() -> None:
    assert compose("folk guitar in 4/4", LYRIC, "seed") == SONG
    assert len({SONG, compose("folk guitar in 4/4", LYRIC, "seed"), compose("folk guitar in 4/4", LYRIC, "other")}) == 2
    assert pitches(compose("folk guitar in 4/4", LYRIC, "other")) != pitches(SONG)
    assert uploaded("https://example.com/a.mp3") != uploaded("https://example.com/b.mp3")


def test_another_lyric_is_sung_to_another_melody() -> None:
    other = compose("folk guitar in 4/4", "A\nB b b\nHere are many many syllables in one line", "seed")
    assert pitches(other) != pitches(SONG)


def test_a_line_that_returns_brings_its_rhythm_back() -> None:
    """Without that, a lyric with a refrain would have none in its music."""
    song = compose("slow", "Hello my darling\nHello my darling", "seed")
    notes = song.clips[0].vocals.melody()[:-1]
    assert [note.beats for note in notes[: len(notes) // 2]] == [note.beats for note in notes[len(notes) // 2 :]]


@pytest.mark.parametrize(
    ("lyric", "lines"),
    [
        ("[Verse 1]\nOh my love\n\n  \n[Chorus]\nLa", ("oio", "a")),
        ("Olá rhythm 99", ("oai",)),
        ("", ()),
        ("[Intro]", ()),
    ],
)
def test_syllables_are_counted_as_they_are_sung(lyric: str, lines: tuple[str, ...]) -> None:
    assert syllables(lyric) == lines


@pytest.mark.parametrize("text", ["你好世界\n再见", "\ud800", "\0", "Ω" * 5000, "🎵", "привет как дела"])
def test_any_text_makes_a_song(text: str) -> None:
    song = compose(text, text, text).covered(text, text, text)
    assert song.duration >= 8
    assert len(pitches(song)) > 4


@pytest.mark.parametrize(
    ("prompt", "tempo", "mode", "metre"),
    [
        ("a slow sad waltz", range(60, 78), "minor", 3),
        ("A SLOW, SAD WALTZ!", range(60, 78), "minor", 3),
        ("lullaby", range(60, 78), None, None),
        ("energetic punk", range(138, 162), None, None),
        ("happy dance music in 4/4", range(138, 162), "major", 4),
        ("fast but sad", range(138, 162), "minor", None),
        ("a sad song in a major key", range(60, 78), "major", None),
        ("joyful tune at 100 bpm", range(100, 101), "major", None),
        ("9 BPM", range(85, 130), None, None),
        ("999bpm", range(180, 181), None, None),
        ("", range(85, 130), None, None),
    ],
)
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_the_words_of_a_prompt_decide(
    prompt: str, tempo: range, mode: str | None, metre: int | None, seed: str
) -> None:
    song = compose(prompt, LYRIC, seed)
    assert song.tempo in tempo
    assert mode in (None, song.mode)
    assert metre in (None, song.metre)


@pytest.mark.parametrize("song", [WALTZ, MARCH, compose("slow electronic", LYRIC, "a")])
def test_the_tempo_is_heard(song: Song) -> None:
    """The figure would be a mere label, were the music not played at that pace."""
    onsets = beats(heard(song.wav()))[: -2 * 50]
    pace = {tempo: pulse(onsets, tempo) + pulse(onsets, 2 * tempo) for tempo in range(60, 180)}
    loudest = max(pace, key=lambda tempo: pace[tempo])
    assert min(abs(loudest - tempo) for tempo in (song.tempo, 2 * song.tempo)) <= 1


@pytest.mark.parametrize(("song", "mode"), [(WALTZ, "minor"), (MARCH, "major")])
def test_the_mode_is_heard(song: Song, mode: str) -> None:
    _, backing = parts(song)
    # The thirds of the tonic's octave and the next lie far below 2 kHz: every fifth sample is enough to hear them.
    few = array("h", [sum(backing[start : start + 5]) // 5 for start in range(0, len(backing), 5)])
    blocks = [few[start : start + RATE // 5] for start in range(0, len(few), RATE // 5)]
    third = {}
    for name, semitones in (("minor", 3), ("major", 4)):
        low = 440 * 2 ** ((song.key + semitones - 12 - 69) / 12) * 5
        third[name] = math.fsum(strength(block, hertz) for block in blocks for hertz in (low, 2 * low))
    assert song.mode == mode
    assert max(third, key=lambda name: third[name]) == mode


@pytest.mark.parametrize(("song", "metre"), [(WALTZ, 3), (MARCH, 4)])
def test_the_metre_is_heard(song: Song, metre: int) -> None:
    """In the bass and the bass drum, which come with the first beat of a bar."""
    _, backing = parts(song)
    bass = array("h", [sum(backing[start : start + 63]) // 63 for start in range(0, len(backing), 63)])
    onsets = beats(bass, hop=7)[: -2 * 50]
    two, three = pulse(onsets, song.tempo / 2), pulse(onsets, song.tempo / 3)
    assert song.metre == metre
    assert three > 1.5 * two if metre == 3 else two > 1.5 * three


def test_composing_is_cheap() -> None:
    """The server plans songs while it answers, and plays them only when they are asked for."""
    start = time.process_time()
    for number in range(300):
        compose("a slow sad waltz with strings and a long description of everything", LYRIC, str(number))
    assert (time.process_time() - start) / 300 < 0.0005


# Sound


@pytest.mark.parametrize("song", [SONG, INSTRUMENTAL])
def test_a_song_is_sound_of_the_length_it_says(song: Song) -> None:
    samples = heard(song.wav())
    assert len(samples) / RATE == song.duration
    assert 8 <= song.duration <= 20
    assert b"INFOICMT" in song.wav()[:100]
    assert b"ProducerSandbox" in song.wav()[:100]


@pytest.mark.parametrize("song", [SONG, INSTRUMENTAL, INSTRUMENTAL.with_new_vocals(LYRIC, "b")])
def test_a_song_is_neither_silent_nor_clipped(song: Song) -> None:
    samples = heard(song.wav())
    assert 10_000 < max(map(abs, samples)) < 32_767
    assert all(loudness(samples[start : start + RATE]) > 500 for start in range(0, len(samples) - 3 * RATE, RATE))


def test_a_song_begins_and_ends_without_a_click() -> None:
    """A singer does not start at full voice; drums may."""
    vocals, backing = parts(SONG)
    assert max(map(abs, vocals[:5])) < 100
    assert max(map(abs, vocals[-5:] + backing[-5:])) < 20


def test_the_stems_add_up_to_the_song() -> None:
    vocals, backing = parts(SONG)
    assert loudness(vocals) > 500
    assert loudness(backing) > 500
    assert array("h", map(int.__add__, vocals, backing)) == heard(SONG.wav())


def test_nobody_sings_in_an_instrumental_but_there_is_a_melody() -> None:
    vocals, backing = parts(INSTRUMENTAL)
    assert not any(vocals)
    bare = parts(compose("happy orchestral", "", "seed"))[1]
    assert len(bare) == len(backing)
    assert bare != backing


def test_the_same_song_can_be_played_by_many_threads_at_once() -> None:
    """The server plays songs in worker threads, and two may ask for one song."""
    song = compose("thread", LYRIC, "a")
    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(lambda _: song.wav(), range(2)))) == 1


def test_playing_is_fast() -> None:
    """Who asks for a song waits for this."""

    def seconds(play: Callable[[], bytes]) -> float:
        start = time.process_time()
        play()
        return time.process_time() - start

    songs = [compose("", LYRIC, f"fast {number}") for number in range(2)]
    assert min(seconds(song.wav) for song in songs) < 1
    assert min(seconds(song.stems) for song in songs) < 0.3
    assert min(seconds(lambda song=song: song.video(cover_png("a"))) for song in songs) < 0.3  # type: ignore[misc]


# Making another song of a song


@pytest.mark.parametrize("at", [-1.0, 0.0, 0.5, 6.3, SONG.duration - 1, SONG.duration, 1e9, math.inf])
def test_an_extension_makes_the_song_longer(at: float) -> None:
    """Also where it begins so early that eight seconds more would make it shorter."""
    longer = SONG.extended(at, "", "New words to sing", "b")
    assert longer.duration >= max(min(max(at, 0.0), SONG.duration) + 8, SONG.duration + 1) - 1 / RATE
    assert longer.tempo == SONG.tempo


@pytest.mark.parametrize("at", [6.3, math.inf])
def test_an_extension_keeps_what_was_before(at: float) -> None:
    kept = math.ceil(min(at, SONG.duration) * RATE)
    before, after = parts(SONG), parts(SONG.extended(at, "", "New words to sing", "b"))
    assert [part[:kept] for part in after] == [part[:kept] for part in before]
    assert all(loudness(part[kept:]) > 500 for part in after)


def test_an_extension_takes_on_the_style_it_is_asked_for() -> None:
    last = SONG.extended(5, "fast electronic minor", "", "b").clips[-1].backing.style
    assert last.tempo > 130
    assert (last.mode, last.sound) == ("minor", "electronic")


def test_a_cover_keeps_the_melody_in_another_style() -> None:
    song = compose("slow piano in a major key", LYRIC, "seed")
    cover = song.covered("fast punk", "Some other words", "b")
    assert pitches(cover) == pitches(song)
    assert cover.tempo > 130
    assert cover.duration < song.duration
    assert song.covered("fast sad waltz", "", "b").mode == "minor"
    assert song.covered("fast sad waltz", "", "b").metre == 3
    assert song.covered("", "", "b").clips[0].backing.style.sound != "piano"


def test_a_cover_of_an_extended_song_has_all_its_parts() -> None:
    song = SONG.extended(8, "", "New words to sing", "b")
    cover = song.covered(f"{song.tempo} bpm electronic", "", "c")
    assert cover.duration == pytest.approx(song.duration, abs=60 / song.tempo * song.metre)
    assert [clip.vocals.tune for clip in cover.clips] == [clip.vocals.tune for clip in song.clips]


def test_a_variation_changes_some_notes_and_nothing_else() -> None:
    varied = SONG.varied("", "", "b")
    assert (varied.duration, varied.tempo) == (SONG.duration, SONG.tempo)
    same = [after == before for after, before in zip(pitches(varied), pitches(SONG), strict=True)]
    assert 0.3 < sum(same) / len(same) < 1
    assert parts(varied)[1] == parts(SONG)[1]


def test_new_vocals_leave_the_backing_as_it_is() -> None:
    old, new = parts(SONG), parts(SONG.with_new_vocals("Quite other words", "c"))
    assert new[1] == old[1]
    assert new[0] != old[0]
    assert len(new[0]) == len(old[0])


def test_new_vocals_sing_over_an_instrumental() -> None:
    assert loudness(parts(INSTRUMENTAL.with_new_vocals(LYRIC, "b"))[0]) > 500


def test_a_new_backing_leaves_the_vocals_as_they_are() -> None:
    song = SONG.with_new_backing("electronic", "c")
    assert song.clips[0].backing.style.sound == "electronic"
    old, new = parts(SONG), parts(song)
    assert new[0] == old[0]
    assert new[1] != old[1]


@pytest.mark.parametrize(
    ("start", "end", "prompt"),
    [(3.0, 6.5, ""), (3.0, 6.5, "fast punk"), (-1.0, 2.0, ""), (9.0, 1e9, "fast punk"), (4.0, 4.01, "")],
)
def test_a_new_section_changes_nothing_outside(start: float, end: float, prompt: str) -> None:
    song = SONG.with_section(start, end, prompt, "Other words", "b")
    first, last = (math.ceil(min(max(time, 0), SONG.duration) * RATE) for time in (start, end))
    for old, new in zip(parts(SONG), parts(song), strict=True):
        assert len(new) == len(old)
        assert new[:first] == old[:first]
        assert new[first:last] != old[first:last]
        assert new[last:] == old[last:]


@pytest.mark.parametrize(("start", "end"), [(3.0, 3.0), (6.0, 2.0), (1e9, 2e9), (-3.0, 0.0)])
def test_an_empty_section_changes_nothing(start: float, end: float) -> None:
    assert SONG.with_section(start, end, "", "Other words", "b") == SONG


def test_a_section_within_a_fade_of_another_changes_nothing_outside() -> None:
    """The crossfade at a cut is part of the song: cutting through it must not undo it."""
    song = SONG.with_section(3, 6, "", "Other words", "b")
    for start, end in ((2.99, 3.005), (5.99, 5.995)):
        again = song.with_section(start, end, "", "Still others", "c")
        first, last = math.ceil(start * RATE), math.ceil(end * RATE)
        old, new = heard(song.wav()), heard(again.wav())
        assert (new[:first], new[last:]) == (old[:first], old[last:])


def test_no_click_is_heard_where_clips_meet() -> None:
    """A jump in the middle of a vowel would be a click; the singer alone makes none as large."""
    song = SONG.with_section(3.21, 6.54, "", "Other words", "b").extended(8.76, "", "", "c")
    jumps = [abs(after - before) for before, after in pairwise(parts(song)[0])]
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
@settings(deadline=None, max_examples=100)
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


def test_edits_of_edits_can_be_played() -> None:
    song = SONG
    for edit in EDITS:
        song = edit(song, 6.0, "b")
    vocals, backing = parts(song)
    assert array("h", map(int.__add__, vocals, backing)) == heard(song.wav())
    assert len(vocals) / RATE == song.duration


# Pictures and films


def picture_rows(png: bytes) -> list[bytes]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place, chunks = 8, {}
    while place < len(png):
        length, name = struct.unpack_from(">I4s", png, place)
        content = png[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", png, place + 8 + length) == (zlib.crc32(name + content),)
        chunks[name] = content
        place += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *kind = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert kind == [8, 2, 0, 0, 0]
    data = zlib.decompress(chunks[b"IDAT"])
    rows = [data[start : start + 3 * width + 1] for start in range(0, len(data), 3 * width + 1)]
    assert len(rows) == height
    assert all(len(row) == 3 * width + 1 and row[0] == 0 for row in rows)
    return [row[1:] for row in rows]


@pytest.mark.parametrize("seed", [str(number) for number in range(8)])
def test_a_cover_is_a_colourful_picture(seed: str) -> None:
    rows = picture_rows(cover_png(seed))
    assert len(rows) == 256
    assert len({row[place : place + 3] for row in rows for place in range(0, len(row), 3)}) > 50


def test_every_seed_has_its_own_cover() -> None:
    assert len({cover_png(str(number)) for number in range(10)}) == 10
    assert cover_png("a") == cover_png("a")


def boxes(data: bytes, path: str = "") -> Iterator[tuple[str, bytes]]:
    place = 0
    while place < len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        assert 8 <= size <= len(data) - place
        here, content = f"{path}/{name.decode('latin-1')}", data[place + 8 : place + size]
        yield here, content
        if name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf"):
            yield from boxes(content, here)
        place += size


def test_a_video_shows_the_picture_for_as_long_as_the_song_sounds() -> None:
    """Players find media by the figures in these boxes; one that is wrong shows or plays something else."""
    picture = cover_png("a")
    film = SONG.video(picture)
    found: dict[str, list[bytes]] = {}
    for name, content in boxes(film):
        found.setdefault(name.rsplit("/", 1)[1], []).append(content)
    samples = round(SONG.duration * RATE)

    assert struct.unpack_from(">2I", found["mvhd"][0], 12) == (RATE, samples)
    assert [struct.unpack_from(">2I", content, 12) for content in found["mdhd"]] == [(RATE, samples)] * 2
    assert [content[8:12] for content in found["hdlr"]] == [b"vide", b"soun"]
    assert [content[12:16] for content in found["stsd"]] == [b"mp4v", b"sowt"]
    assert [struct.unpack(">4xIII", content) for content in found["stts"]] == [(1, 1, samples), (1, samples, 1)]

    (picture_at,), (sound_at,) = (struct.unpack(">8xI", content) for content in found["stco"])
    assert film[picture_at : picture_at + len(picture)] == picture
    assert array("h", film[sound_at:]) == heard(SONG.wav())
