"""The bars of a waveform, and the small MP3 for models that listen."""

import io
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from producer_tools import AudioError
from producer_tools.files.audio.encoding import to_mp3
from producer_tools.files.audio.measuring import measure
from producer_tools.files.audio.peaks import peaks
from tests.files.audio.songs import TYPES, save, silence, tone


@pytest.mark.parametrize("suffix", TYPES)
def test_bars_follow_the_music(tmp_path: Path, suffix: str) -> None:
    """Silence, loud, quiet: a third each."""
    wave = np.concatenate([silence(2), tone(2, 0.8), tone(2, 0.2)])
    bars = peaks(save(tmp_path / f"song{suffix}", wave), 60)
    assert bars is not None
    assert len(bars) == 60
    assert bars[1:18] == pytest.approx([0] * 17, abs=0.02)
    assert bars[22:38] == pytest.approx([0.8] * 16, abs=0.1)
    assert bars[43:58] == pytest.approx([0.2] * 15, abs=0.1)
    assert all(0 <= bar <= 1 for bar in bars)


def test_the_louder_channel_counts(tmp_path: Path) -> None:
    wave = tone(2, 0.6)
    wave[:, 0] = 0
    assert peaks(save(tmp_path / "song.wav", wave), 3) == pytest.approx([0.6] * 3, abs=0.001)


def test_a_very_short_file_has_fewer_bars(tmp_path: Path) -> None:
    bars = peaks(save(tmp_path / "song.wav", tone(0.01)), 240)
    assert bars is not None
    assert 1 <= len(bars) < 240


def test_a_broken_file_has_no_bars(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    path.write_bytes(b"text")
    assert peaks(path, 10) is None
    assert peaks(tmp_path / "missing.m4a", 10) is None


def test_without_the_extra_there_are_no_bars(originals: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert peaks(originals[".wav"], 10) is None


@pytest.mark.parametrize(
    ("suffix", "most", "seconds"),
    [(".m4a", 2.5, 2.5), (".mp3", 0.25, 0.25), (".wav", 3, 3), (".mp4", 3, 3), (".m4a", 60, 12)],
)
def test_the_beginning_becomes_a_mono_mp3(
    originals: dict[str, Path], tmp_path: Path, suffix: str, most: float, seconds: float
) -> None:
    path = tmp_path / "listen.mp3"
    path.write_bytes(to_mp3(originals[suffix], most))
    found = measure(path)
    assert found is not None
    assert found.channels == 1
    assert found.duration_seconds == pytest.approx(seconds, abs=0.06)
    assert path.stat().st_size == pytest.approx(8000 * seconds, abs=2000), "64 kbit/s"


def test_the_bit_rate_can_be_chosen(originals: dict[str, Path]) -> None:
    assert len(to_mp3(originals[".m4a"], 12, 32_000)) < 0.6 * len(to_mp3(originals[".m4a"], 12))


def test_an_unusual_sample_rate_is_converted(tmp_path: Path) -> None:
    """MP3 has only a few, and 96 kHz is none of them."""
    path = save(tmp_path / "song.wav", tone(2, rate=96_000), 96_000)
    with av.open(io.BytesIO(to_mp3(path, 10))) as container:
        assert container.streams.audio[0].codec_context.sample_rate == 44_100
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(2 * 44_100, abs=3000)


def test_a_broken_file_raises_the_known_error(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    path.write_bytes(b"text")
    with pytest.raises(AudioError):
        to_mp3(path, 10)


def test_without_the_extra_an_error_says_what_to_install(
    originals: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r'pip install "producer-tools\[sound\]"'):
        to_mp3(originals[".wav"], 10)
