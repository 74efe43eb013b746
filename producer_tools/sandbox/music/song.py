"""A song, and the ways to derive another song from it."""

import math
from array import array
from dataclasses import dataclass, replace
from operator import add

from producer_tools.sandbox.music import formats, render
from producer_tools.sandbox.music.clip import CROSSFADE, Clip, mix, splice
from producer_tools.sandbox.music.melody import Tune
from producer_tools.sandbox.music.score import ENDING, Score, score_for, score_in_style
from producer_tools.sandbox.music.style import Mode, Style, adjusted_style, restyled
from producer_tools.sandbox.music.track import RATE

_MIN_NEW_SAMPLES = 8 * RATE  # samples that an edit adds, or that a cover has, at least
_MIN_EXTENSION = RATE  # samples by which an extended song is at least longer


@dataclass(frozen=True)
class Song:
    """A planned song; ``clips`` follow one another without a gap.

    Making one is cheap. The methods that return samples or bytes render it, which takes up to half a second the first
    time. Every method that derives another song takes a ``seed``: the same seed and arguments always give the same
    song.
    """

    clips: tuple[Clip, ...]

    @property
    def duration(self) -> float:
        """The length in seconds."""
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
        """Continue with new music after ``at`` seconds, in the same style except for what the prompt asks.

        The new part lasts at least 8 seconds, or longer if the whole would not be longer than before.
        """
        cut = self._sample(at)
        before = self._clip_at(cut)
        score = _continuation(before, prompt, lyric, seed)
        entry = _entry_point(before, score, cut)
        score = score.lasting(entry + max(_MIN_NEW_SAMPLES, self._length - cut + _MIN_EXTENSION))
        origin = cut - entry
        return Song(splice(self.clips, Clip(score, score, origin, cut, origin + score.length)))

    def covered(self, prompt: str, lyric: str, seed: str) -> "Song":
        """Perform the melody in another style. Without a lyric, keep the words of this song."""
        style = restyled(prompt, seed, self._style)
        fresh = _full_seed(seed, prompt)
        clips: tuple[Clip, ...] = ()
        position = 0
        for clip in self.clips:
            score = _performance(clip.vocals, style, lyric, fresh)
            start, end = _bars(clip, score)
            if start >= end:
                continue
            # The clip is a little longer than its bars, so that the next clip can fade in over it.
            beyond = min(end + CROSSFADE, score.length)
            new = Clip(score, score, position - start, position, position - start + beyond)
            clips = splice(clips, new) if clips else (new,)
            position += end - start
        if position < _MIN_NEW_SAMPLES:
            score = _performance(self.clips[0].vocals, style, lyric, fresh).lasting(_MIN_NEW_SAMPLES)
            clips = (Clip(score, score, 0, 0, score.length),)
        return Song(clips)

    def varied(self, prompt: str, lyric: str, seed: str) -> "Song":
        """Change some notes of the melody, and the words if a lyric is given; tempo, chords and length stay."""

        def vary(score: Score) -> Score:
            tune = replace(score.tune, variation=_full_seed(seed, prompt))
            return replace(score, tune=tune, words=lyric or score.words)

        return Song(tuple(replace(clip, vocals=vary(clip.vocals), backing=vary(clip.backing)) for clip in self.clips))

    def with_new_vocals(self, lyric: str, seed: str) -> "Song":
        """Sing another melody over the same backing."""

        def sing(score: Score) -> Score:
            tune = Tune(seed, lyric, tuple(map(score.chord, range(len(score.tune.chords)))), score.style.metre)
            return replace(score, tune=tune, words=lyric, instrumental=False)

        return Song(tuple(replace(clip, vocals=sing(clip.backing)) for clip in self.clips))

    def with_new_backing(self, prompt: str, seed: str) -> "Song":
        """Play another accompaniment to the same vocals; only the instruments in the prompt matter."""

        def play(score: Score) -> Score:
            style = replace(score.style, sound=restyled(prompt, seed, score.style).sound)
            return replace(score, style=style, arrangement=_full_seed(seed, prompt))

        return Song(tuple(replace(clip, backing=play(clip.vocals)) for clip in self.clips))

    def with_section(self, start: float, end: float, prompt: str, lyric: str, seed: str) -> "Song":
        """Put new music between two times in seconds; no sample before or after them changes."""
        first, last = self._sample(start), self._sample(end)
        if first >= last:
            return self
        before = self._clip_at(first)
        score = _continuation(before, prompt, lyric, seed)
        if last == self._length:
            # The section ends the song, so it ends with the last chord of the new score.
            score = score.lasting(last - first)
            origin = last - score.length
        else:
            entry = _entry_point(before, score, first)
            score = score.lasting(entry + last - first + ENDING * RATE)
            origin = first - entry
        return Song(splice(self.clips, Clip(score, score, origin, first, last)))

    def silenced(self) -> "Song":
        """The same song with silence in place of its sound, which takes almost no time to render."""
        return _SilentSong(self.clips)

    def samples(self) -> "array[int]":
        """Render the song: 16-bit mono samples, 22,050 a second."""
        return array("h", map(add, self._vocals(), self._backing()))

    def wav(self) -> bytes:
        """Render a WAVE file with the samples."""
        return formats.wav(self.samples())

    def stems(self) -> bytes:
        """Render a ZIP with ``vocals.wav`` and ``instrumental.wav``, which add up to ``samples()``."""
        return formats.zipped(
            {"vocals.wav": formats.wav(self._vocals()), "instrumental.wav": formats.wav(self._backing())}
        )

    @property
    def _length(self) -> int:
        return max(clip.end for clip in self.clips)

    @property
    def _style(self) -> Style:
        return self.clips[0].backing.style

    def _sample(self, seconds: float) -> int:
        """The first sample at or after a time. A time outside the song is moved to its start or end."""
        return min(math.ceil(min(max(seconds, 0.0), self.duration) * RATE), self._length)

    def _clip_at(self, sample: int) -> Clip:
        """The clip that is heard at a sample; at the end of the song, the last clip."""
        playing = [clip for clip in self.clips if clip.start <= sample < clip.end]
        return (playing or self.clips)[-1]

    def _vocals(self) -> "array[int]":
        return mix(self.clips, lambda clip: render.vocals(clip.vocals))

    def _backing(self) -> "array[int]":
        return mix(self.clips, lambda clip: render.backing(clip.backing))


@dataclass(frozen=True)
class _SilentSong(Song):
    def _vocals(self) -> "array[int]":
        return array("h", bytes(2 * self._length))

    def _backing(self) -> "array[int]":
        return self._vocals()

    def samples(self) -> "array[int]":
        return self._vocals()


def compose(prompt: str, lyric: str, seed: str, *, instrumental: bool = False) -> Song:
    """Plan a song of about 15 seconds.

    Args:
        prompt: A description of the music; words for tempo, mood, metre and instruments have an effect.
        lyric: The words; their lines and syllables shape the melody. May be empty.
        seed: Decides what the prompt and the lyric leave open.
        instrumental: Whether an instrument plays the melody in place of a singer.
    """
    score = score_for(prompt, lyric, _full_seed(seed, prompt), instrumental=instrumental)
    return Song((Clip(score, score, 0, 0, score.length),))


def uploaded(url: str) -> Song:
    """A song in place of the audio behind a URL. It depends only on the URL; nothing is fetched."""
    return compose("", "", url)


def _full_seed(seed: str, prompt: str) -> str:
    return f"{seed}\0{prompt}"


def _continuation(before: Clip, prompt: str, lyric: str, seed: str) -> Score:
    """New music in the style of a clip, except for what the prompt asks."""
    style = adjusted_style(prompt, seed, before.backing.style)
    # An instrumental stays one unless there is a lyric.
    instrumental = before.vocals.instrumental and not lyric.strip()
    return score_in_style(style, lyric, _full_seed(seed, prompt), instrumental=instrumental)


def _entry_point(before: Clip, score: Score, sample: int) -> int:
    """The sample of a new score to start at. If tempo and metre stay the same, its bars continue those before it."""
    inside = sample - before.origin
    if (score.style.tempo, score.style.metre) != (before.backing.style.tempo, before.backing.style.metre):
        return 0
    return round(inside % score.bar) if inside < before.backing.bars * score.bar else 0


def _performance(score: Score, style: Style, lyric: str, seed: str) -> Score:
    instrumental = score.instrumental and not lyric.strip()
    return replace(score, style=style, words=lyric or score.words, arrangement=seed, instrumental=instrumental)


def _bars(clip: Clip, score: Score) -> tuple[int, int]:
    """The whole bars of a clip, as samples of the same bars in ``score``."""
    bars = (round((sample - clip.origin) / clip.vocals.bar) for sample in (clip.start, clip.end))
    start, end = (round(min(bar, score.bars) * score.bar) for bar in bars)
    return start, score.length if clip.end - clip.origin == clip.vocals.length else end
