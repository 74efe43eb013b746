"""What a prompt asks for: tempo, mode, metre, key and the band that plays."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from producer_tools.sandbox.music.dice import dice, pick

Mode = Literal["major", "minor"]
Sound = Literal["piano", "guitar", "electronic", "orchestral"]
T = TypeVar("T")

SOUNDS: tuple[Sound, ...] = ("piano", "guitar", "electronic", "orchestral")

COMMON, WALTZ = 4, 3  # beats in a bar

_SLOW = (64, 76)
_MIDDLE = (88, 124)
_FAST = (140, 158)
_BPM = (50, 180)  # what "120 bpm" in a prompt may ask for
_KEYS = range(55, 63)  # MIDI note of the tonic: G3 to D4, where the tunes lie well for a voice


@dataclass(frozen=True)
class Style:
    """How a piece goes: ``tempo`` in beats per minute, ``metre`` in beats per bar, ``key`` the tonic's MIDI note."""

    tempo: int
    mode: Mode
    metre: int
    key: int
    sound: Sound


def imagined(prompt: str, seed: str) -> Style:
    """Read a new style from the prompt; the seed decides what its words leave open."""
    chance = dice("style", seed, prompt)
    style = Style(
        tempo=_between(_MIDDLE, chance.random()),
        mode=pick(chance, ("major", "major", "minor")),
        metre=pick(chance, (*[COMMON] * 9, WALTZ)),
        key=pick(chance, _KEYS),
        sound=pick(chance, SOUNDS),
    )
    return followed(prompt, seed, style)


def followed(prompt: str, seed: str, style: Style) -> Style:
    """Carry a style on: only what the prompt's words name changes, and the seed says by how much.

    A plain word goes before one that only suggests: "a sad song in a major key" is in major, and slow.
    """
    words = re.findall(r"[a-z]+|3/4|4/4", prompt.lower())
    return Style(
        tempo=_asked_tempo(prompt, words, seed) or style.tempo,
        mode=_first(words, _MODE_NAMES) or _first(words, _MOODS) or style.mode,
        metre=_first(words, _METRES) or style.metre,
        key=style.key,
        sound=_first(words, _INSTRUMENTS) or _first(words, _GENRES) or style.sound,
    )


def redressed(prompt: str, seed: str, style: Style) -> Style:
    """Dress a known tune anew: another tempo and band; key, mode and metre stay unless the prompt names them."""
    fresh = imagined(prompt, seed)
    others = [sound for sound in SOUNDS if sound != style.sound]
    base = replace(style, tempo=fresh.tempo, sound=pick(dice("redressed", seed), others))
    return followed(prompt, seed, base)


def _asked_tempo(prompt: str, words: list[str], seed: str) -> int | None:
    figure = re.search(r"\b(\d{2,3})\s*bpm\b", prompt.lower())
    if figure:
        return min(max(int(figure[1]), _BPM[0]), _BPM[1])
    pace = _first(words, _PACES) or _first(words, _HEAVY)
    return _between(pace, dice("tempo", seed, prompt).random()) if pace else None


def _between(bounds: tuple[int, int], share: float) -> int:
    low, high = bounds
    return low + int(share * (high - low + 1))


def _first(words: list[str], meanings: Mapping[str, T]) -> T | None:
    return next((meanings[word] for word in words if word in meanings), None)


def _mean(meanings: Mapping[str, T]) -> dict[str, T]:
    return {word: meaning for words, meaning in meanings.items() for word in words.split()}


_PACES = _mean(
    {
        "slow slowly calm calming ballad lullaby gentle soft peaceful relaxing relaxed ambient sleepy tender": _SLOW,
        "adagio lento meditative meditation dreamy quiet": _SLOW,
        "fast faster quick upbeat energetic energy dance dancing dancefloor punk techno edm trance disco party": _FAST,
        "allegro presto driving lively metal hardcore hyperpop rave workout running": _FAST,
    }
)
_HEAVY = _mean({"sad sadness sorrow melancholy melancholic mournful lonely heartbreak requiem": _SLOW})
_MODE_NAMES: dict[str, Mode] = {"minor": "minor", "major": "major"}
_MOODS: dict[str, Mode] = _mean(
    {
        "sad sadness sorrow melancholy melancholic mournful lonely heartbreak requiem dark darkness": "minor",
        "blue blues gloomy tragic haunting mysterious moody angry tense gothic nostalgic": "minor",
        "happy happiness joyful joy bright cheerful sunny uplifting fun playful sweet festive triumphant": "major",
    }
)
_METRES = _mean({"waltz waltzes 3/4": WALTZ, "4/4 march": COMMON})
_INSTRUMENTS: dict[str, Sound] = _mean(
    {
        "piano keys keyboard": "piano",
        "guitar guitars acoustic ukulele banjo": "guitar",
        "electronic electro synth synths synthesizer": "electronic",
        "orchestral orchestra strings violin cello symphonic": "orchestral",
    }
)
_GENRES: dict[str, Sound] = _mean(
    {
        "ballad lullaby jazz soul lofi": "piano",
        "folk country rock punk metal indie bluegrass reggae": "guitar",
        "synthwave synthpop techno house edm trance dance disco pop rave ambient": "electronic",
        "cinematic classical epic film symphony waltz": "orchestral",
    }
)
