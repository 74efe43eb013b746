"""A clip: the stretch of a song that comes from one vocal and one backing score."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import add

from producer_tools.sandbox.music.score import Score
from producer_tools.sandbox.music.track import RATE

CROSSFADE = RATE // 50  # samples in which one clip gives way to the next, so that a cut does not click


@dataclass(frozen=True)
class Fade:
    """A clip coming in (``rising``) or going out between two samples of the song."""

    start: int
    end: int
    rising: bool


@dataclass(frozen=True)
class Clip:
    """What is heard of two scores from sample ``start`` of a song up to, not including, ``end``.

    Args:
        vocals: The score that is sung.
        backing: The score that is played; as long as the other one and with the same beat.
        origin: The sample of the song where the scores begin, or would if all of them were heard.
        start: The first sample of the song in which they are heard.
        end: The sample of the song where they stop.
        fades: Where they are heard less; a fade that an earlier edit left unfinished stays as it is.
    """

    vocals: Score
    backing: Score
    origin: int
    start: int
    end: int
    fades: tuple[Fade, ...] = ()

    def recorded(self, recording: "array[int]") -> "array[int]":
        """Cut this clip out of the recording of one of its scores."""
        samples = recording[self.start - self.origin : self.end - self.origin]
        for fade in self.fades:
            for index in range(max(fade.start, self.start), min(fade.end, self.end)):
                share = (index - fade.start if fade.rising else fade.end - index) / (fade.end - fade.start)
                samples[index - self.start] = round(samples[index - self.start] * share)
        return samples


def kept(clips: tuple[Clip, ...], start: int, end: int, fade: Fade) -> tuple[Clip, ...]:
    """What of these clips is heard from sample ``start`` up to ``end``, with one more fade."""
    rest = (replace(clip, start=max(clip.start, start), end=min(clip.end, end)) for clip in clips)
    return tuple(replace(clip, fades=_audible((*clip.fades, fade), clip)) for clip in rest if clip.start < clip.end)


def spliced(clips: tuple[Clip, ...], new: Clip) -> tuple[Clip, ...]:
    """Put a new clip in the place of whatever is heard at its time, fading within that time only."""
    length = max(clip.end for clip in clips)
    longest = min(CROSSFADE, (new.end - new.start) // 2)
    start = new.start + (min(longest, length - new.start) if new.start else 0)
    end = new.end - (longest if new.end < length else 0)
    fades = Fade(new.start, start, rising=True), Fade(end, new.end, rising=False)
    return (
        *kept(clips, 0, start, replace(fades[0], rising=False)),
        replace(new, fades=_audible(fades, new)),
        *kept(clips, end, length, replace(fades[1], rising=True)),
    )


def _audible(fades: tuple[Fade, ...], clip: Clip) -> tuple[Fade, ...]:
    return tuple(fade for fade in fades if max(fade.start, clip.start) < min(fade.end, clip.end))


def mixed(clips: tuple[Clip, ...], recording: Callable[[Clip], "array[int]"]) -> "array[int]":
    """Play clips one after the other, and together where they overlap.

    Args:
        clips: The clips of a song; they leave no gap.
        recording: Finds the sound of the one score of a clip that is wanted.
    """
    song = array("h")
    for clip in sorted(clips, key=lambda clip: clip.start):
        samples = clip.recorded(recording(clip))
        overlap = song[clip.start : clip.end]
        song[clip.start : clip.end] = array("h", map(add, overlap, samples))
        song += samples[len(overlap) :]
    return song
