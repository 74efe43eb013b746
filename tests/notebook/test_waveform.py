"""Waveforms in the cards of saved songs, of every format."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from producer_tools import Downloads, SavedFile
from producer_tools.notebook import compare
from producer_tools.tasks.results import Result
from tests.files.audio.songs import save, tone
from tests.notebook.page import AUDIO, SONG, bar_heights, complete, embedded, page, saved_file, saved_wav

SILENCE, LOUD = bytes(2), b"\0\x80"


@pytest.mark.parametrize(
    ("suffix", "key"), [(".m4a", "audio_url"), (".mp3", "audio_url"), (".wav", "file_url"), (".mp4", "video_url")]
)
def test_every_format_has_a_waveform(suffix: str, key: str, tmp_path: Path) -> None:
    """One could not see in a card, a comparison or a page where a song is quiet."""
    wave = np.concatenate([tone(0.5, level=0.05), tone(0.5, level=0.8)])
    file = replace(SavedFile.from_path(save(tmp_path / f"song{suffix}", wave)), url=AUDIO)
    downloads = Downloads(complete(cast("Result", {"title": "First Day", key: AUDIO})), (file,))
    bars = bar_heights(downloads)
    assert max(bars[:70]) < 30
    assert min(bars[-70:-10]) > 90
    assert [len(take.peaks or ()) for take in compare(file, downloads).takes] == [180, 180]
    html = downloads.to_html(tmp_path / "page.html").read_text("utf-8")
    assert len(re.findall(r"M\d+ \d+v", html)) == 2 * 180


@pytest.mark.parametrize("channels", [1, 2])
def test_the_bars_follow_the_loudness(channels: int, tmp_path: Path) -> None:
    """The quiet beginning of a song would look like its refrain."""
    frames = SILENCE * channels * 8000 + LOUD * channels * 8000
    file = saved_wav(tmp_path / "a.wav", frames, channels=channels)
    bars = bar_heights(Downloads(complete(SONG), (file,)))
    assert 50 <= len(bars) <= 180
    half = len(bars) // 2
    assert (bars[: half - 1], bars[half + 1 :]) == ([2] * (half - 1), [100] * len(bars[half + 1 :]))


def test_the_loudest_bar_has_the_full_height(tmp_path: Path) -> None:
    """Otherwise a quiet song would look like silence."""
    file = saved_wav(tmp_path / "a.wav", SILENCE * 4000 + b"\0\x10" * 4000)
    bars = bar_heights(Downloads(complete(SONG), (file,)))
    assert (bars[0], bars[-1]) == (2, 100)


def test_silent_and_empty_files(tmp_path: Path) -> None:
    """Each would divide by zero, or draw bars for samples that do not exist."""
    silent = saved_wav(tmp_path / "silent.wav", bytes(80_000))
    assert set(bar_heights(Downloads(complete(SONG), (silent,)))) == {2}
    empty = page(Downloads(complete(SONG), (saved_wav(tmp_path / "empty.wav", b""),)))
    assert len(empty.sources("img")) == 1, "only the cover"


def test_a_broken_file_has_a_player_but_no_waveform(tmp_path: Path) -> None:
    """A damaged file must not leave the notebook without a card."""
    data = b"\0\0\0\x20ftypM4A " + bytes(99)
    shown = Downloads(complete(SONG), (saved_file(tmp_path / "a.m4a", data),))
    assert not bar_heights(shown)
    assert embedded(*page(shown).sources("audio"))[1] == data


def test_without_the_extra_there_is_a_card_without_a_waveform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone who has installed nothing more must see and hear the song too."""
    for module in ("av", "numpy", "soundfile"):
        monkeypatch.setitem(sys.modules, module, None)
    shown = Downloads(complete(SONG), (saved_wav(tmp_path / "a.wav", LOUD * 4000),))
    assert not bar_heights(shown)
    assert "First Day" in page(shown).text
