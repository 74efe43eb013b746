"""Reads a style from a prompt: tempo, mode, metre, key and band."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from producer_tools.sandbox.music.chance import pick, seeded_random

Mode = Literal["major", "minor"]
Sound = Literal["piano", "guitar", "electronic", "orchestral"]
T = TypeVar("T")

SOUNDS: tuple[Sound, ...] = ("piano", "guitar", "electronic", "orchestral")

COMMON, WALTZ = 4, 3  # beats in a bar

_SLOW = (64, 76)
_MIDDLE = (88, 124)
_FAST = (140, 158)
_BPM = (50, 180)  # limits for a tempo such as "120 bpm" in a prompt
_KEYS = range(55, 63)  # MIDI note of the tonic: G3 to D4, so that tunes are in a comfortable range for a voice


@dataclass(frozen=True)
class Style:
    """A piece's style: ``tempo`` in beats per minute, ``metre`` in beats per bar, ``key`` as the tonic's MIDI note."""

    tempo: int
    mode: Mode
    metre: int
    key: int
    sound: Sound


def style_for(prompt: str, seed: str) -> Style:
    """A style for the prompt; the seed decides what its words leave open."""
    rng = seeded_random("style", seed, prompt)
    style = Style(
        tempo=_between(_MIDDLE, rng.random()),
        mode=pick(rng, ("major", "major", "minor")),
        metre=pick(rng, (*[COMMON] * 9, WALTZ)),
        key=pick(rng, _KEYS),
        sound=pick(rng, SOUNDS),
    )
    return adjusted_style(prompt, seed, style)


def adjusted_style(prompt: str, seed: str, style: Style) -> Style:
    """A copy of a style with the changes that the prompt names; the seed decides their amount.

    An explicit word has priority over a mood: "a sad song in a major key" is in major, and slow.
    """
    words = re.findall(r"[a-z]+|3/4|4/4", prompt.lower())
    return Style(
        tempo=_asked_tempo(prompt, words, seed) or style.tempo,
        mode=_first(words, _MODE_NAMES) or _first(words, _MOODS) or style.mode,
        metre=_first(words, _METRES) or style.metre,
        key=style.key,
        sound=_first(words, _INSTRUMENTS) or _first(words, _GENRES) or style.sound,
    )


def restyled(prompt: str, seed: str, style: Style) -> Style:
    """Another style for a known tune: new tempo and band; key, mode and metre change only if the prompt names them."""
    fresh = style_for(prompt, seed)
    others = [sound for sound in SOUNDS if sound != style.sound]
    base = replace(style, tempo=fresh.tempo, sound=pick(seeded_random("redressed", seed), others))
    return adjusted_style(prompt, seed, base)


def _asked_tempo(prompt: str, words: list[str], seed: str) -> int | None:
    figure = re.search(r"\b(\d{2,3})\s*bpm\b", prompt.lower())
    if figure:
        return min(max(int(figure[1]), _BPM[0]), _BPM[1])
    pace = _first(words, _PACES) or _first(words, _SAD_PACES)
    return _between(pace, seeded_random("tempo", seed, prompt).random()) if pace else None


def _between(bounds: tuple[int, int], share: float) -> int:
    low, high = bounds
    return low + int(share * (high - low + 1))


def _first(words: list[str], meanings: Mapping[str, T]) -> T | None:
    return next((meanings[word] for word in words if word in meanings), None)


def _by_word(meanings: Mapping[str, T]) -> dict[str, T]:
    return {word: meaning for words, meaning in meanings.items() for word in words.split()}


_PACES = _by_word(
    {
        "slow slowly calm calming ballad lullaby gentle soft peaceful relaxing relaxed ambient sleepy tender": _SLOW,
        "adagio lento meditative meditation dreamy quiet": _SLOW,
        "fast faster quick upbeat energetic energy dance dancing dancefloor punk techno edm trance disco party": _FAST,
        "allegro presto driving lively metal hardcore hyperpop rave workout running": _FAST,
    }
)
_SAD_PACES = _by_word({"sad sadness sorrow melancholy melancholic mournful lonely heartbreak requiem": _SLOW})
_MODE_NAMES: dict[str, Mode] = {"minor": "minor", "major": "major"}
_MOODS: dict[str, Mode] = _by_word(
    {
        "sad sadness sorrow melancholy melancholic mournful lonely heartbreak requiem dark darkness": "minor",
        "blue blues gloomy tragic haunting mysterious moody angry tense gothic nostalgic": "minor",
        "happy happiness joyful joy bright cheerful sunny uplifting fun playful sweet festive triumphant": "major",
    }
)
_METRES = _by_word({"waltz waltzes 3/4": WALTZ, "4/4 march": COMMON})
_INSTRUMENTS: dict[str, Sound] = _by_word(
    {
        "piano keys keyboard": "piano",
        "guitar guitars acoustic ukulele banjo": "guitar",
        "electronic electro synth synths synthesizer": "electronic",
        "orchestral orchestra strings violin cello symphonic": "orchestral",
    }
)
_GENRES: dict[str, Sound] = _by_word(
    {
        "ballad lullaby jazz soul lofi": "piano",
        "folk country rock punk metal indie bluegrass reggae": "guitar",
        "synthwave synthpop techno house edm trance dance disco pop rave ambient": "electronic",
        "cinematic classical epic film symphony waltz": "orchestral",
    }
)
