"""What is measured of the audio in a file, and what it is called."""

import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyloudnorm
import pytest

from producer_tools import Measured
from producer_tools.files.audio.loudness import Loudness
from producer_tools.files.audio.measuring import measure
from tests.files.audio.songs import RATE, TYPES, Wave, noise, save, save_wav, silence, tone


def measured(path: Path) -> Measured:
    found = measure(path)
    assert found is not None
    return found


def wav(tmp_path: Path, *parts: Wave) -> Measured:
    return measured(save(tmp_path / "song.wav", np.concatenate(parts)))


def ebur128(path: Path) -> float:
    """The integrated loudness by FFmpeg's own meter."""
    with av.open(str(path)) as container:
        stream, graph = container.streams.audio[0], av.filter.Graph()
        graph.link_nodes(
            graph.add_abuffer(template=stream), graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
        ).configure()
        loudness = 0.0
        for frame in container.decode(stream):
            graph.push(frame)
            with suppress(BlockingIOError):  # there is no more to pull
                while True:
                    loudness = float(graph.pull().metadata["lavfi.r128.I"])
    return loudness


@pytest.mark.parametrize("suffix", TYPES)
def test_every_format_is_measured(originals: dict[str, Path], suffix: str) -> None:
    found = measured(originals[suffix])
    assert found.duration_seconds == pytest.approx(12, abs=0.06)
    assert (found.sample_rate, found.channels) == (RATE, 2)
    # A sine of 997 Hz at -20 dBFS in both channels is at -20 LUFS. LAME makes everything half a decibel quieter.
    assert found.loudness_lufs == pytest.approx(-20.5 if suffix == ".mp3" else -20, abs=0.2)
    assert found.peak_dbfs == pytest.approx(-20, abs=1)
    assert (found.clipped_share, found.silent_start_seconds, found.findings) == (0, 0, ())


@pytest.mark.skipif(not hasattr(av.AudioFrame, "metadata"), reason="this version of av does not show the meter")
@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_loudness_is_that_of_ffmpegs_meter(tmp_path: Path, rate: int, channels: int) -> None:
    """Broadcasters and streaming services use the same scale. The quiet half must be left out by the gate."""
    wave = np.concatenate([noise(10, 0.01, rate, channels), noise(15, 0.4, rate, channels)])
    path = save(tmp_path / "song.wav", wave, rate)
    assert measured(path).loudness_lufs == pytest.approx(ebur128(path), abs=0.2)


@pytest.mark.parametrize("seconds", [0.4, 19.95, 20, 38.37])
def test_loudness_does_not_depend_on_the_pieces(seconds: float) -> None:
    """Long songs are measured in pieces to save memory."""
    wave = noise(seconds, 0.3) * np.linspace(0.1, 1, round(seconds * RATE), dtype=np.float32)[:, None]
    loudness = Loudness(RATE, 2)
    for start in range(0, len(wave), RATE):
        loudness.add(wave[start : start + RATE])
    assert loudness.integrated() == pytest.approx(pyloudnorm.Meter(RATE).integrated_loudness(wave), abs=0.1)


@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.39])
def test_what_is_too_short_has_no_loudness(tmp_path: Path, seconds: float) -> None:
    found = wav(tmp_path, tone(seconds))
    assert found.loudness_lufs is None
    assert found.duration_seconds == pytest.approx(seconds, abs=0.001)
    assert found.findings == (f"too short: {seconds:.1f} s",)


def test_silence_has_neither_loudness_nor_peak(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy warns of the logarithm of zero
        found = wav(tmp_path, silence(12))
    assert (found.loudness_lufs, found.peak_dbfs, found.silent_share) == (None, None, 1)
    assert (found.silent_start_seconds, found.silent_end_seconds) == (12, 12)
    assert found.findings == ("mostly silence: 100%",)


@pytest.mark.parametrize("rate", [RATE, 22_050, 11_025])
def test_silence_at_both_ends_is_found(tmp_path: Path, rate: int) -> None:
    parts = [silence(9.5, rate), tone(5, rate=rate), silence(3, rate), tone(1, rate=rate), silence(2.25, rate)]
    found = measured(save(tmp_path / "song.wav", np.concatenate(parts), rate))
    assert found.silent_start_seconds == pytest.approx(9.5, abs=0.06)
    assert found.silent_end_seconds == pytest.approx(2.25, abs=0.06)
    assert found.silent_share == pytest.approx(14.75 / 20.75, abs=0.01)
    assert found.findings == ("mostly silence: 71%",)


@pytest.mark.parametrize(("level", "share"), [(0.0009, 1), (0.0011, 0)])
def test_what_is_quieter_than_60_db_is_silence(tmp_path: Path, level: float, share: float) -> None:
    assert wav(tmp_path, tone(11, level, hertz=40)).silent_share == share


def test_a_clipped_file_is_called_so(tmp_path: Path) -> None:
    found = wav(tmp_path, np.clip(tone(12, 1.5, hertz=220), -1, 1))
    assert found.clipped_share == pytest.approx(0.53, abs=0.05)
    assert found.findings == (f"clipped: {found.clipped_share:.1%} of the samples",)
    assert found.peak_dbfs == 0


@pytest.mark.parametrize("wave", [tone(12, 1.0, hertz=220), noise(12, 1.0)], ids=["tone", "noise"])
def test_a_normalised_file_is_not_called_clipped(tmp_path: Path, wave: Wave) -> None:
    """Its loudest samples are at full scale too, but it does not stay there."""
    found = wav(tmp_path, wave)
    assert found.findings == ()
    assert found.clipped_share == pytest.approx(0, abs=0.0001)


@pytest.mark.parametrize(("length", "clipped"), [(2, 0), (3, 3), (4, 4)])
def test_three_samples_in_a_row_at_full_scale_are_clipped(tmp_path: Path, length: int, clipped: int) -> None:
    wave = tone(0.01, channels=1)
    wave[100 : 100 + length] = 1
    assert wav(tmp_path, wave).clipped_share == pytest.approx(clipped / len(wave), abs=0.00001)


def test_one_clipped_channel_counts_for_half(tmp_path: Path) -> None:
    wave = tone(12)
    wave[:, 0] = 1
    assert wav(tmp_path, wave).clipped_share == pytest.approx(0.5, abs=0.001)


def test_a_cut_file_has_the_length_of_what_is_left(songs: dict[str, Path]) -> None:
    """Its header still names the whole length."""
    path = songs[".wav"]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    assert measured(path).duration_seconds == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("without", ["none", "av"])
def test_the_length_in_a_header_may_be_a_placeholder(
    songs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    """Encoders that write into a stream name the largest length that there is: six hours."""
    monkeypatch.setitem(sys.modules, without, None)
    path = songs[".wav"]
    content = bytearray(path.read_bytes())
    data = content.index(b"data")
    content[4:8] = content[data + 4 : data + 8] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert measured(path).duration_seconds == pytest.approx(12, abs=0.01)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"\0\0\0\x18ftypM4A ", b"\xff\xfb\x90\x64"]
)
@pytest.mark.parametrize("suffix", TYPES)
def test_a_file_without_audio_is_called_so(tmp_path: Path, suffix: str, content: bytes) -> None:
    """A model, or a review, would take a song that nobody can play for one without faults."""
    path = tmp_path / f"song{suffix}"
    path.write_bytes(content)
    found = measured(path)
    assert (found.duration_seconds, found.loudness_lufs) == (0, None)
    assert found.findings == ("it has no audio that can be decoded",)


def test_nothing_is_measured_of_what_cannot_be_read(tmp_path: Path) -> None:
    """Nothing is known of its audio then."""
    assert measure(tmp_path) is None
    assert measure(tmp_path / "missing.wav") is None


def test_threads_measure_at_the_same_time(originals: dict[str, Path]) -> None:
    """The library pyloudnorm changes the warning filters of the whole process while it works."""
    expected = {path: measure(path) for path in originals.values()}
    filters = list(warnings.filters)
    found: dict[Path, Measured | None] = {}
    threads = [threading.Thread(target=lambda path=path: found.update({path: measure(path)})) for path in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
    assert list(warnings.filters) == filters


@pytest.mark.parametrize("suffix", TYPES)
def test_without_the_extra_sound_the_header_is_read(
    originals: dict[str, Path], monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    found = measured(originals[suffix])
    assert found.duration_seconds == pytest.approx(12, abs=0.1)
    assert found == Measured(found.duration_seconds, RATE, 2)
    assert found.findings == ()


def test_without_any_extra_only_wav_files_are_measured(songs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("av", "mutagen"):
        monkeypatch.setitem(sys.modules, name, None)
    assert measure(songs[".wav"]) == Measured(12, RATE, 2)
    assert measure(songs[".m4a"]) is None
    songs[".wav"].write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\x7f")
    assert measure(songs[".wav"]) is None


@pytest.mark.parametrize(("stored_as", "codec"), [(np.uint8, 1), (np.int32, 1), (np.float32, 3), (np.uint8, 7)])
@pytest.mark.parametrize("extensible", [False, True])
def test_without_any_extra_every_wav_file_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored_as: type[Any], codec: int, extensible: bool
) -> None:
    """The standard library's reader refuses most of them, and before Python 3.12 also those of the longer form."""
    path = save_wav(tmp_path / "song.wav", np.zeros((RATE, 2), stored_as), codec, extensible=extensible)
    for name in ("av", "mutagen"):
        monkeypatch.setitem(sys.modules, name, None)
    assert measure(path) == Measured(1.0, RATE, 2)
