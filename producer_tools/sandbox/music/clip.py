"""A clip: a part of a song that is taken from one vocal and one backing score."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import add

from producer_tools.sandbox.music.score import Score
from producer_tools.sandbox.music.track import RATE

CROSSFADE = RATE // 50  # samples; one clip fades out while the next fades in, so that a cut does not click


@dataclass(frozen=True)
class Fade:
    """A fade in (``rising``) or out, between two samples of the song."""

    start: int
    end: int
    rising: bool


@dataclass(frozen=True)
class Clip:
    """The part of two scores that is heard from sample ``start`` of a song up to, not including, ``end``.

    Args:
        vocals: The score of the singer.
        backing: The score of the band; it has the same length and beat.
        origin: The sample of the song where the scores begin; it may be before ``start``.
        start: The first sample of the song in which they are heard.
        end: The sample of the song before which they stop.
        fades: Fades in and out. When an edit cuts through a fade, the rest of the fade stays.
    """

    vocals: Score
    backing: Score
    origin: int
    start: int
    end: int
    fades: tuple[Fade, ...] = ()

    def cut_from(self, recording: "array[int]") -> "array[int]":
        """Cut this clip out of the rendered sound of one of its scores, and apply the fades."""
        samples = recording[self.start - self.origin : self.end - self.origin]
        for fade in self.fades:
            for index in range(max(fade.start, self.start), min(fade.end, self.end)):
                share = (index - fade.start if fade.rising else fade.end - index) / (fade.end - fade.start)
                samples[index - self.start] = round(samples[index - self.start] * share)
        return samples


def trim(clips: tuple[Clip, ...], start: int, end: int, fade: Fade) -> tuple[Clip, ...]:
    """The parts of these clips from sample ``start`` up to ``end``, with one more fade."""
    rest = (replace(clip, start=max(clip.start, start), end=min(clip.end, end)) for clip in clips)
    return tuple(
        replace(clip, fades=_fades_within((*clip.fades, fade), clip)) for clip in rest if clip.start < clip.end
    )


def splice(clips: tuple[Clip, ...], new: Clip) -> tuple[Clip, ...]:
    """Replace what is heard during a new clip by that clip; the fades lie inside its time."""
    length = max(clip.end for clip in clips)
    longest = min(CROSSFADE, (new.end - new.start) // 2)
    start = new.start + (min(longest, length - new.start) if new.start else 0)
    end = new.end - (longest if new.end < length else 0)
    fades = Fade(new.start, start, rising=True), Fade(end, new.end, rising=False)
    return (
        *trim(clips, 0, start, replace(fades[0], rising=False)),
        replace(new, fades=_fades_within(fades, new)),
        *trim(clips, end, length, replace(fades[1], rising=True)),
    )


def _fades_within(fades: tuple[Fade, ...], clip: Clip) -> tuple[Fade, ...]:
    return tuple(fade for fade in fades if max(fade.start, clip.start) < min(fade.end, clip.end))


def mix(clips: tuple[Clip, ...], recording: Callable[[Clip], "array[int]"]) -> "array[int]":
    """Join clips, and add their samples where they overlap.

    Args:
        clips: The clips of a song, without gaps between them.
        recording: Returns the sound of a clip's score: of its vocals, or of its backing.
    """
    song = array("h")
    for clip in sorted(clips, key=lambda clip: clip.start):
        samples = clip.cut_from(recording(clip))
        overlap = song[clip.start : clip.end]
        song[clip.start : clip.end] = array("h", map(add, overlap, samples))
        song += samples[len(overlap) :]
    return song
