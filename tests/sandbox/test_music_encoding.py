"""Compressed files: M4A, MP3 and MP4, as a player reads them."""

import io
from array import array
from collections.abc import Callable

import av
import pytest

from producer_tools.sandbox.covers import cover
from producer_tools.sandbox.music import encoding
from tests.sandbox.songs import RATE, SONG, loudness

SAMPLES = SONG.samples()
PICTURE = cover("a")


def film(samples: "array[int]") -> bytes:
    return encoding.mp4(samples, PICTURE)


ENCODERS = [encoding.m4a, encoding.mp3, film]


def sound_of(content: bytes) -> "array[int]":
    """The sound of a file as 16-bit mono samples."""
    resampler, samples = av.AudioResampler("s16", "mono", RATE), array("h")
    with av.open(io.BytesIO(content)) as file:
        for frame in file.decode(audio=0):
            for part in resampler.resample(frame):
                samples.frombytes(bytes(part.planes[0])[: 2 * part.samples])
    return samples


@pytest.mark.parametrize("encode", ENCODERS)
class TestEverySound:
    def test_it_is_the_song_second_by_second(self, encode: Callable[["array[int]"], bytes]) -> None:
        """A file with the wrong rate, order or loudness of samples is not the song."""
        sound = sound_of(encode(SAMPLES))
        assert len(sound) == pytest.approx(len(SAMPLES), abs=2304)  # two frames, which an encoder adds
        for start in range(0, len(SAMPLES) - RATE, RATE):
            part = slice(start, start + RATE)
            assert loudness(sound[part]) == pytest.approx(loudness(SAMPLES[part]), rel=0.2)

    def test_a_player_shows_the_duration_of_the_song(self, encode: Callable[["array[int]"], bytes]) -> None:
        with av.open(io.BytesIO(encode(SAMPLES))) as file:
            assert file.duration is not None
            assert file.duration / 1_000_000 == pytest.approx(SONG.duration, abs=0.1)

    def test_it_says_that_the_sandbox_made_it(self, encode: Callable[["array[int]"], bytes]) -> None:
        with av.open(io.BytesIO(encode(SAMPLES[:RATE]))) as file:
            assert file.metadata["comment"].startswith("Made by ProducerSandbox, a local stand-in")

    def test_the_same_sound_makes_the_same_file(self, encode: Callable[["array[int]"], bytes]) -> None:
        """Otherwise a resumed download would be put together from two different files."""
        assert encode(SAMPLES) == encode(SAMPLES)


def test_a_video_shows_the_picture_as_long_as_the_sound_plays() -> None:
    """Browsers and phones play H.264 with AAC, and of its colour formats only yuv420p everywhere."""
    with av.open(io.BytesIO(film(SAMPLES))) as file, av.open(io.BytesIO(PICTURE)) as expected:
        video, sound = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt, sound.codec_context.name) == (
            "h264",
            "yuv420p",
            "aac",
        )
        assert video.duration is not None
        assert video.time_base is not None
        assert float(video.duration * video.time_base) == pytest.approx(SONG.duration, abs=0.001)
        frames = list(file.decode(video=0))
        picture = next(expected.decode(video=0)).reformat(format="gray")
    assert len(frames) == round(SONG.duration)
    last, first = (bytes(frame.reformat(format="gray").planes[0]) for frame in (frames[-1], picture))
    differences = [abs(one - other) for one, other in zip(last, first, strict=True)]
    assert sum(differences) / len(differences) < 20  # of 255


@pytest.mark.parametrize("encode", [encoding.m4a, film])
def test_the_index_comes_before_the_media(encode: Callable[["array[int]"], bytes]) -> None:
    """With the index at the end, a browser must load the whole file before it can play."""
    content = encode(SAMPLES)
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_a_very_short_sound_can_be_encoded() -> None:
    """Uploads and edits can be short; a video needs at least one picture."""
    with av.open(io.BytesIO(film(SAMPLES[:2000]))) as file:
        assert len(list(file.decode(video=0))) == 1
