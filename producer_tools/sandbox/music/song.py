"""A song, and every way to make another song of it."""

import math
from array import array
from dataclasses import dataclass, replace
from operator import add

from producer_tools.sandbox.music import files, render
from producer_tools.sandbox.music.clip import CROSSFADE, Clip, mixed, spliced
from producer_tools.sandbox.music.melody import Tune
from producer_tools.sandbox.music.score import ENDING, Score, styled, written
from producer_tools.sandbox.music.style import Mode, Style, followed, redressed
from producer_tools.sandbox.music.track import RATE

_LEAST = 8 * RATE  # samples of new music that are worth listening to
_LONGER = RATE  # samples by which an extended song is longer at least


@dataclass(frozen=True)
class Song:
    """A song that is planned but not yet played: ``clips`` follow one another without a gap.

    Making one is cheap. The methods that return bytes play it, which takes a part of a second the first time. Every
    method that makes another song takes a ``seed``: the same seed and arguments always make the same song.
    """

    clips: tuple[Clip, ...]

    @property
    def duration(self) -> float:
        """How long it lasts, in seconds."""
        return self._length / RATE

    @property
    def tempo(self) -> int:
        """Beats per minute, at the start."""
        return self._style.tempo

    @property
    def mode(self) -> Mode:
        """Whether it is ``"major"`` or ``"minor"``, at the start."""
        return self._style.mode

    @property
    def metre(self) -> int:
        """Beats per bar, at the start: 4, or 3 for a waltz."""
        return self._style.metre

    @property
    def key(self) -> int:
        """The MIDI note of the tonic, at the start."""
        return self._style.key

    def extended(self, at: float, prompt: str, lyric: str, seed: str) -> "Song":
        """Go on with new music after ``at`` seconds, in the same style but for what the prompt asks.

        The new part lasts 8 seconds at least, and longer where that is needed to make the whole longer than before.
        """
        cut = self._sample(at)
        before = self._playing(cut)
        score = _continued(before, prompt, lyric, seed)
        entry = _entry(before, score, cut)
        score = score.lasting(entry + max(_LEAST, self._length - cut + _LONGER))
        origin = cut - entry
        return Song(spliced(self.clips, Clip(score, score, origin, cut, origin + score.length)))

    def covered(self, prompt: str, lyric: str, seed: str) -> "Song":
        """Perform its melody in another style; without a lyric, to the words it has."""
        style = redressed(prompt, seed, self._style)
        fresh = _seeded(seed, prompt)
        clips: tuple[Clip, ...] = ()
        position = 0
        for clip in self.clips:
            score = _performed(clip.vocals, style, lyric, fresh)
            start, end = _bars(clip, score)
            if start >= end:
                continue
            # A little of what would follow is kept for the next clip to fade in over.
            beyond = min(end + CROSSFADE, score.length)
            new = Clip(score, score, position - start, position, position - start + beyond)
            clips = spliced(clips, new) if clips else (new,)
            position += end - start
        if position < _LEAST:
            score = _performed(self.clips[0].vocals, style, lyric, fresh).lasting(_LEAST)
            clips = (Clip(score, score, 0, 0, score.length),)
        return Song(clips)

    def varied(self, prompt: str, lyric: str, seed: str) -> "Song":
        """Change some notes of the melody, and the words if a lyric is given; tempo, chords and length stay."""

        def vary(score: Score) -> Score:
            tune = replace(score.tune, variation=_seeded(seed, prompt))
            return replace(score, tune=tune, words=lyric or score.words)

        return Song(tuple(replace(clip, vocals=vary(clip.vocals), backing=vary(clip.backing)) for clip in self.clips))

    def with_new_vocals(self, lyric: str, seed: str) -> "Song":
        """Sing another melody over the very same backing."""

        def sing(score: Score) -> Score:
            tune = Tune(seed, lyric, tuple(map(score.chord, range(len(score.tune.chords)))), score.style.metre)
            return replace(score, tune=tune, words=lyric, instrumental=False)

        return Song(tuple(replace(clip, vocals=sing(clip.backing)) for clip in self.clips))

    def with_new_backing(self, prompt: str, seed: str) -> "Song":
        """Play another accompaniment under the very same vocals; of the prompt, only the instruments matter."""

        def play(score: Score) -> Score:
            style = replace(score.style, sound=redressed(prompt, seed, score.style).sound)
            return replace(score, style=style, arrangement=_seeded(seed, prompt))

        return Song(tuple(replace(clip, backing=play(clip.vocals)) for clip in self.clips))

    def with_section(self, start: float, end: float, prompt: str, lyric: str, seed: str) -> "Song":
        """Put new music between two times in seconds; before and after, not one sample changes."""
        first, last = self._sample(start), self._sample(end)
        if first >= last:
            return self
        before = self._playing(first)
        score = _continued(before, prompt, lyric, seed)
        if last == self._length:
            # A new end of the song should sound like one, so the new score ends with it.
            score = score.lasting(last - first)
            origin = last - score.length
        else:
            entry = _entry(before, score, first)
            score = score.lasting(entry + last - first + ENDING * RATE)
            origin = first - entry
        return Song(spliced(self.clips, Clip(score, score, origin, first, last)))

    def silenced(self) -> "Song":
        """The same song with silence in place of its sound, which takes almost no time to render."""
        return _SilentSong(self.clips)

    def wav(self) -> bytes:
        """Play it: a WAVE file with 16-bit mono samples."""
        return files.wav(self._mix())

    def stems(self) -> bytes:
        """Play it apart: a ZIP of ``vocals.wav`` and ``instrumental.wav``, which add up to the samples of ``wav()``."""
        return files.zipped({"vocals.wav": files.wav(self._vocals()), "instrumental.wav": files.wav(self._backing())})

    def video(self, picture: bytes) -> bytes:
        """Play it to a PNG picture: an MP4 file with one frame, and sound without loss."""
        return files.mp4(picture, self._mix())

    @property
    def _length(self) -> int:
        return max(clip.end for clip in self.clips)

    @property
    def _style(self) -> Style:
        return self.clips[0].backing.style

    def _sample(self, seconds: float) -> int:
        """The first sample at or after a time, which may lie outside the song."""
        return min(math.ceil(min(max(seconds, 0.0), self.duration) * RATE), self._length)

    def _playing(self, sample: int) -> Clip:
        """The clip that is heard at a sample, or the last one."""
        heard = [clip for clip in self.clips if clip.start <= sample < clip.end]
        return (heard or self.clips)[-1]

    def _vocals(self) -> "array[int]":
        return mixed(self.clips, lambda clip: render.vocals(clip.vocals))

    def _backing(self) -> "array[int]":
        return mixed(self.clips, lambda clip: render.backing(clip.backing))

    def _mix(self) -> "array[int]":
        return array("h", map(add, self._vocals(), self._backing()))


@dataclass(frozen=True)
class _SilentSong(Song):
    def _vocals(self) -> "array[int]":
        return array("h", bytes(2 * self._length))

    def _backing(self) -> "array[int]":
        return self._vocals()

    def _mix(self) -> "array[int]":
        return self._vocals()


def compose(prompt: str, lyric: str, seed: str, *, instrumental: bool = False) -> Song:
    """Plan a song of about a quarter of a minute.

    Args:
        prompt: A description of the music; words for pace, mood, metre and instruments are understood.
        lyric: The words; their lines and syllables shape the melody. May be empty.
        seed: Decides whatever the prompt and the lyric leave open.
        instrumental: Whether an instrument takes the singer's place.
    """
    score = written(prompt, lyric, _seeded(seed, prompt), instrumental=instrumental)
    return Song((Clip(score, score, 0, 0, score.length),))


def uploaded(url: str) -> Song:
    """Stand in for sound from elsewhere: a song that the address alone decides; nothing is fetched."""
    return compose("", "", url)


def _seeded(seed: str, prompt: str) -> str:
    return f"{seed}\0{prompt}"


def _continued(before: Clip, prompt: str, lyric: str, seed: str) -> Score:
    """New music that goes on in the style of a clip but for what the prompt asks."""
    style = followed(prompt, seed, before.backing.style)
    # Where nobody sang, nobody starts to without words.
    instrumental = before.vocals.instrumental and not lyric.strip()
    return styled(style, lyric, _seeded(seed, prompt), instrumental=instrumental)


def _entry(before: Clip, score: Score, sample: int) -> int:
    """How far into a new score to begin, so that bars go on being counted where the beat stays the same."""
    inside = sample - before.origin
    if (score.style.tempo, score.style.metre) != (before.backing.style.tempo, before.backing.style.metre):
        return 0
    return round(inside % score.bar) if inside < before.backing.bars * score.bar else 0


def _performed(score: Score, style: Style, lyric: str, seed: str) -> Score:
    instrumental = score.instrumental and not lyric.strip()
    return replace(score, style=style, words=lyric or score.words, arrangement=seed, instrumental=instrumental)


def _bars(clip: Clip, score: Score) -> tuple[int, int]:
    """The whole bars of a clip, as samples of the same bars of another performance."""
    bars = (round((sample - clip.origin) / clip.vocals.bar) for sample in (clip.start, clip.end))
    start, end = (round(min(bar, score.bars) * score.bar) for bar in bars)
    return start, score.length if clip.end - clip.origin == clip.vocals.length else end
