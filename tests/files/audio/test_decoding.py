"""Samples of audio files: all of them, in blocks, and nothing else than an `AudioError` for what is broken."""

import json
import os
import struct
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from random import Random

import numpy as np
import pytest

from producer_tools import AudioError
from producer_tools.files.audio import decoding
from producer_tools.files.audio.decoding import samples
from producer_tools.files.audio.measuring import measure
from tests.files.audio.songs import RATE, TYPES, Wave, save, save_wav, tone
from tests.open_files import DESCRIPTORS, open_below


def decoded(path: Path) -> Wave:
    with samples(path) as audio:
        return np.concatenate(list(audio.blocks))


@pytest.mark.parametrize("suffix", TYPES)
def test_every_format_is_decoded_to_its_length(originals: dict[str, Path], suffix: str) -> None:
    with samples(originals[suffix]) as audio:
        lengths = [block.shape for block in audio.blocks]
    assert (audio.sample_rate, audio.channels) == (RATE, 2)
    assert lengths[:11] == [(RATE, 2)] * 11, "one second each"
    assert sum(length for length, _ in lengths) == pytest.approx(12 * RATE, abs=2500)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (22_050, 2), (48_000, 1)])
@pytest.mark.parametrize("suffix", TYPES)
def test_the_sample_rate_and_the_channels_of_the_file_stay(
    tmp_path: Path, suffix: str, rate: int, channels: int
) -> None:
    path = save(tmp_path / f"song{suffix}", tone(2, 0.5, 440, rate, channels), rate)
    wave = decoded(path)
    assert wave.dtype == np.float32
    assert wave.shape[1] == channels
    assert len(wave) == pytest.approx(2 * rate, abs=2500)
    assert np.sqrt(np.mean(wave**2)) == pytest.approx(0.5 / np.sqrt(2), abs=0.03)


def test_wav_samples_are_exact(tmp_path: Path) -> None:
    wave = tone(1.5, 1.0)
    assert np.abs(decoded(save(tmp_path / "song.wav", wave)) - wave).max() < 2 / 32768


@pytest.mark.parametrize("channels", [3, 6, 8])
def test_surround_sound(tmp_path: Path, channels: int) -> None:
    """With eight channels, PyAV crashed the process."""
    levels = np.linspace(0.1, 0.8, channels, dtype=np.float32)
    wave = np.tile(levels, (RATE, 1))
    assert np.array_equal(decoded(save_wav(tmp_path / "song.wav", wave)), wave)


def test_samples_that_are_no_numbers_become_numbers(tmp_path: Path) -> None:
    """What is measured of them stands in JSON, which has neither NaN nor infinity, and PostgreSQL refuses them."""
    odd = np.array([[0.5], [np.nan], [np.inf], [-np.inf], [1e30]], dtype=np.float32)
    path = save_wav(tmp_path / "song.wav", np.tile(odd, (RATE // 5, 1)))
    assert decoded(path)[:5, 0].tolist() == [0.5, 0.0, 1000.0, -1000.0, 1000.0]
    measured = measure(path)
    assert measured is not None
    json.dumps(asdict(measured), allow_nan=False)


def test_damage_in_the_middle_is_left_out(songs: dict[str, Path]) -> None:
    """A player would go on too; the song would otherwise seem to end there."""
    path = songs[".mp3"]
    content = bytearray(path.read_bytes())
    content[30_000:40_000] = Random(1).randbytes(10_000)
    path.write_bytes(content)
    assert 9 * RATE < len(decoded(path)) < 12 * RATE


def test_what_has_another_form_is_left_out(songs: dict[str, Path]) -> None:
    """Songs that were joined may be mono and stereo. A change in the middle must not raise an error of a library."""
    path = songs[".mp3"]
    mono = save(path.with_name("mono.mp3"), tone(12, channels=1, rate=48_000), 48_000)
    path.write_bytes(path.read_bytes() + mono.read_bytes() + path.read_bytes())
    assert len(decoded(path)) == pytest.approx(24 * RATE, abs=10_000)


@pytest.mark.parametrize("suffix", [".mp3", ".wav"])
def test_a_file_that_is_cut_off_ends_there(songs: dict[str, Path], suffix: str) -> None:
    path = songs[suffix]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert len(decoded(path)) == pytest.approx(6 * RATE, abs=5000)


def test_a_fragmented_file_that_is_cut_off_ends_there(tmp_path: Path) -> None:
    """Its index is at the beginning, and says nothing of the length."""
    import av  # noqa: PLC0415 - only here

    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov+faststart"}) as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone(12).T), format="fltp", layout="stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert RATE < len(decoded(path)) < 11 * RATE


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:12\n#EXTINF:12,\n%s\n#EXT-X-ENDLIST\n"
BROKEN = {
    "empty.m4a": b"",
    "text.wav": b"There is no song.",
    "header.wav": b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\x7f",
    "id3.mp3": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(1000),
    "rate.wav": b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 2**31 - 1, 2**31 - 1, 2, 16)
    + b"data" + struct.pack("<I", 10**6) + bytes(10**6),
    "channels.wav": b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 60, RATE, RATE * 120, 120, 16)
    + b"data" + struct.pack("<I", 120_000) + bytes(120_000),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_raises_one_known_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    with pytest.raises(AudioError, match=r"^undecodable: The audio in .* cannot be decoded") as caught:
        decoded(path)
    assert name in caught.value.message


def test_a_picture_a_directory_and_a_missing_file_have_no_audio(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.wav"):
        with pytest.raises(AudioError):
            decoded(path)


def test_a_playlist_is_not_followed(songs: dict[str, Path]) -> None:
    """FFmpeg would open the files and URLs that it names: a service could make a server read its own network."""
    path = songs[".mp3"].with_name("song.m3u8")
    for name in (b"song.mp3", os.fsencode(songs[".mp3"])):
        path.write_bytes(PLAYLIST % name)
        with pytest.raises(AudioError):
            decoded(path)


def test_a_path_is_no_url(songs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg takes what stands before a colon for a protocol."""
    monkeypatch.chdir(songs[".wav"].parent)
    for name in ("http:song.wav", "concat:a|b.wav", "a %03d ü.wav"):
        path = Path(name)
        path.write_bytes(songs[".wav"].read_bytes())
        assert len(decoded(path)) == 12 * RATE


def test_only_the_beginning_of_a_very_long_file_is_decoded(
    originals: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of days would keep a thread busy for hours."""
    monkeypatch.setattr(decoding, "LONGEST", 5)
    assert len(decoded(originals[".m4a"])) == 5 * RATE


def test_an_error_of_the_caller_stays_what_it_is(originals: dict[str, Path]) -> None:
    """Otherwise a bug of the caller would look like a broken file."""
    with pytest.raises(ValueError, match="mine"):
        with samples(originals[".wav"]):
            raise ValueError("mine")


@pytest.mark.parametrize("read_first", [True, False])
def test_a_closed_file_has_no_more_samples(originals: dict[str, Path], *, read_first: bool) -> None:
    """PyAV would end the whole process with a segmentation fault."""
    with samples(originals[".m4a"]) as audio:
        if read_first:
            next(audio.blocks)
    assert list(audio.blocks) == []


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="only Linux lists a process's open files")
@pytest.mark.parametrize("suffix", TYPES)
def test_no_file_stays_open(songs: dict[str, Path], suffix: str) -> None:
    """Windows can neither rename nor delete an open file, and a server would run out of them."""
    whole = songs[suffix]
    cut = whole.with_name(f"cut{suffix}")
    cut.write_bytes(whole.read_bytes()[:100])
    for path in (whole, cut):
        with suppress(AudioError), samples(path) as audio:
            next(audio.blocks)
            assert path == cut or open_below(whole.parent), "it is open now"
    assert open_below(whole.parent) == []


def test_libraries_print_nothing(songs: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    """FFmpeg prints warnings for damaged files, which would end up in a program's output."""
    for path in songs.values():
        content = path.read_bytes()
        begin, end = content[: len(content) // 3], content[len(content) // 2 : -5000]
        path.write_bytes(begin + Random(1).randbytes(20_000) + end)
        with suppress(AudioError):
            decoded(path)
    assert capfd.readouterr() == ("", "")


def test_without_the_extra_an_error_says_what_to_install(
    originals: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r'pip install "producer-tools\[sound\]"'):
        decoded(originals[".wav"])
