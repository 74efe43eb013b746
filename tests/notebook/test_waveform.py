"""Waveforms of saved WAV files: right for every format, and absent where there is nothing to draw."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_tools import Downloads
from tests.notebook.page import SONG, bar_heights, complete, embedded, page, saved_file, saved_wav

# One sample each, by its width in bytes. Samples of one byte are unsigned, with silence at 128.
ONE_BELOW_SILENCE = {1: b"\x7f", 2: b"\xff" * 2, 3: b"\xff" * 3, 4: b"\xff" * 4}
SILENCE = {1: b"\x80", 2: bytes(2), 3: bytes(3), 4: bytes(4)}
QUIET = {1: b"\x81", 2: b"\0\1", 3: b"\0\0\1", 4: b"\0\0\0\1"}
LOUD = {1: b"\x00", 2: b"\0\x80", 3: b"\0\0\x80", 4: b"\0\0\0\x80"}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_the_bars_follow_the_loudness(width: int, channels: int, tmp_path: Path) -> None:
    """A file read with the wrong sample width would be drawn as noise."""
    silence, loud = SILENCE[width] * channels + ONE_BELOW_SILENCE[width] * channels, LOUD[width] * channels
    frames = silence * 2000 + loud * 4000
    file = saved_wav(tmp_path / "a.wav", frames, channels=channels, width=width)
    bars = bar_heights(Downloads(complete(SONG), (file,)))
    assert 200 <= len(bars) <= 300
    half = len(bars) // 2
    assert bars == [2] * half + [100] * half, "silence is a thin line"


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_the_loudest_bar_has_the_full_height(width: int, tmp_path: Path) -> None:
    """Otherwise a quiet song would look like silence."""
    frames = SILENCE[width] * 4000 + QUIET[width] * 4000
    bars = bar_heights(Downloads(complete(SONG), (saved_wav(tmp_path / "a.wav", frames, width=width),)))
    assert (bars[0], bars[-1]) == (2, 100)


@pytest.mark.parametrize("frames", [400_000, 432_000])
def test_every_channel_counts(frames: int, tmp_path: Path) -> None:
    """A voice that is only in the right channel would be drawn as silence."""
    for name, frame in (("left", LOUD[2] + SILENCE[2]), ("right", SILENCE[2] + LOUD[2])):
        file = saved_wav(tmp_path / name, frame * frames, channels=2)
        assert set(bar_heights(Downloads(complete(SONG), (file,)))) == {100}


def test_a_truncated_wav_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    """The bars must stay at their times: stretched over the full width, they would be at the wrong ones."""
    data = Path(saved_wav(tmp_path / "a.wav", LOUD[2] * 4800).path).read_bytes()
    cut = saved_file(tmp_path / "a.wav", data[: -2 * 2400])
    assert bar_heights(Downloads(complete(SONG), (cut,))) == [100] * 120 + [2] * 120


def test_silent_short_and_empty_files(tmp_path: Path) -> None:
    """Each would divide by zero, or draw bars for samples that do not exist."""
    assert bar_heights(Downloads(complete(SONG), (saved_wav(tmp_path / "silent.wav", bytes(2000)),))) == [2] * 240
    assert bar_heights(Downloads(complete(SONG), (saved_wav(tmp_path / "short.wav", LOUD[2] * 3),))) == [100] * 3
    empty = page(Downloads(complete(SONG), (saved_wav(tmp_path / "empty.wav", b""),)))
    assert len(empty.sources("img")) == 1, "only the cover"


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x20ftypM4A " + bytes(99),
        b"ID3" + bytes(99),
        b"",
        struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 60, b"WAVE", b"fmt ", 16, 3, 1, 8000, 32000, 4, 32, b"data", 24)
        + bytes(24),
    ],
    ids=["m4a", "mp3", "empty", "WAV of floats"],
)
def test_other_formats_have_a_player_but_no_waveform(data: bytes, tmp_path: Path) -> None:
    """Only PCM can be read; a waveform of other bytes would be noise."""
    shown = Downloads(complete(SONG), (saved_file(tmp_path / "a", data),))
    assert not bar_heights(shown)
    assert embedded(*page(shown).sources("audio"))[1] == data


@given(st.lists(st.tuples(st.integers(0, 43), st.integers(0, 255)), max_size=4), st.integers(0, 244))
def test_a_damaged_wav_does_not_raise(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], length: int
) -> None:
    """A damaged file must not leave the notebook without a card."""
    path = tmp_path_factory.getbasetemp() / "broken.wav"
    data = bytearray(Path(saved_wav(path, bytes(range(200))).path).read_bytes())
    for at, byte in changes:
        data[at] = byte
    assert "First Day" in page(Downloads(complete(SONG), (saved_file(path, bytes(data[:length])),))).text


def test_a_chunk_that_is_longer_than_its_file(tmp_path: Path) -> None:
    """In Python up to 3.12, the wave module raises a bare RuntimeError for it."""
    file = saved_wav(tmp_path / "a.wav", bytes(200))
    data = Path(file.path).read_bytes()
    broken = saved_file(Path(file.path), data[:4] + struct.pack("<I", 20) + data[8:], content_type="audio/wav")
    assert not bar_heights(Downloads(complete(SONG), (broken,)))
