"""The tune: words become syllables, lines become phrases, and phrases walk over a chord progression."""

import math
import re
import unicodedata
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from producer_tools.sandbox.music.dice import dice, pick
from producer_tools.sandbox.music.style import COMMON, WALTZ, Mode

VOWELS = "aeiou"
PHRASE_BARS = 2

_SHORTEST, _LONGEST = 2, 11  # notes in a phrase; both metres have rhythms for all of these
_LOWEST, _HIGHEST = -2, 9  # the voice's range in scale steps above the tonic
_MIDDLE = 4
_LEAP = 3  # scale steps from one note to the next; about as far as is sung with ease
_OCTAVE = 7  # scale steps

# Degrees of the scale counted from 0. The second and the fourth, which may come last, are never the tonic, so that the
# ending chord is always heard as coming home.
_PROGRESSIONS: dict[Mode, tuple[tuple[int, ...], ...]] = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 2, 3, 4), (0, 3, 5, 4), (0, 3, 1, 4)),
    "minor": ((0, 5, 2, 6), (0, 3, 5, 6), (0, 6, 5, 6), (0, 5, 3, 6), (0, 2, 5, 6)),
}

# Rhythms of a phrase's first bar and of its second, which ends on a long note so that the singer can breathe.
# Metre -> for 1, 2, 3 ... notes -> the choices, as note lengths in eighths.
_Rhythms = dict[int, tuple[tuple[tuple[int, ...], ...], ...]]
_OPENING: _Rhythms = {
    COMMON: (
        ((8,),),
        ((4, 4), (6, 2), (3, 5)),
        ((4, 2, 2), (3, 3, 2), (2, 2, 4)),
        ((2, 2, 2, 2), (3, 1, 2, 2), (3, 3, 1, 1)),
        ((2, 1, 1, 2, 2), (3, 1, 2, 1, 1), (2, 2, 2, 1, 1)),
        ((2, 1, 1, 2, 1, 1), (1, 1, 2, 1, 1, 2), (2, 1, 1, 1, 1, 2)),
    ),
    WALTZ: (
        ((6,),),
        ((4, 2), (2, 4)),
        ((2, 2, 2), (3, 1, 2)),
        ((2, 1, 1, 2), (3, 1, 1, 1), (2, 2, 1, 1)),
        ((2, 1, 1, 1, 1), (1, 1, 2, 1, 1)),
        ((1, 1, 1, 1, 1, 1),),
    ),
}
_CLOSING: _Rhythms = {
    COMMON: (
        ((8,),),
        ((2, 6), (4, 4)),
        ((2, 2, 4), (3, 1, 4), (1, 1, 6)),
        ((2, 1, 1, 4), (1, 1, 2, 4)),
        ((1, 1, 1, 1, 4),),
    ),
    WALTZ: (
        ((6,),),
        ((2, 4),),
        ((1, 1, 4), (2, 1, 3)),
        ((1, 1, 1, 3),),
        ((1, 1, 1, 1, 2),),
    ),
}


@dataclass(frozen=True)
class Tune:
    """What makes a melody itself, whoever performs it: its seed, its words' shape, its chords and its own metre."""

    seed: str
    lyric: str
    chords: tuple[int, ...]
    metre: int
    variation: str = ""


class Sung(NamedTuple):
    """One note: when it starts and how long it lasts in beats, its scale step above the tonic, and its vowel."""

    beat: float
    beats: float
    step: int
    vowel: str


def progression(seed: str, mode: Mode) -> tuple[int, ...]:
    """Choose four chords, one for each bar, as degrees of the scale counted from 0."""
    return pick(dice("chords", seed), _PROGRESSIONS[mode])


def sung(tune: Tune, words: str, metre: int, bars: int) -> list[Sung]:
    """Sing the words to the tune for so many bars of the metre, and then hold the tonic for one bar more."""
    lines = _phrases(tune.lyric) or _wordless(tune.seed)
    texts = _phrases(words) or lines
    notes = []
    for number in range(bars // PHRASE_BARS):
        line, text = lines[number % len(lines)], texts[number % len(texts)]
        rhythm = _rhythm(tune.seed, line, metre)
        steps = _steps(tune, line, number)
        beat = float(number * PHRASE_BARS * metre)
        for index, (eighths, step) in enumerate(zip(rhythm, steps, strict=True)):
            notes.append(Sung(beat, eighths / 2, step, text[index % len(text)]))
            beat += eighths / 2
    home = min((0, _OCTAVE), key=lambda step: abs(step - notes[-1].step))
    return [*notes, Sung(float(bars * metre), float(metre), home, "a")]


def syllables(lyric: str) -> tuple[str, ...]:
    """Split a lyric into sung lines, each a string with one vowel for every syllable."""
    letters = unicodedata.normalize("NFD", lyric.lower())
    plain = unicodedata.normalize("NFC", "".join(letter for letter in letters if not unicodedata.combining(letter)))
    lines = ("".join(map(_vowels, re.findall(r"[^\W\d_]+", line))) for line in plain.splitlines() if _is_sung(line))
    return tuple(line for line in lines if line)


def _phrases(lyric: str) -> tuple[str, ...]:
    """The lines of a lyric; one that is too long for a phrase goes on in the next."""
    phrases = []
    for line in syllables(lyric):
        size = math.ceil(len(line) / math.ceil(len(line) / _LONGEST))
        phrases += [line[start : start + size] for start in range(0, len(line), size)]
    return tuple(phrases)


def _is_sung(line: str) -> bool:
    # "[Verse 1]" tells the musicians where they are.
    return not line.strip().startswith("[")


def _vowels(word: str) -> str:
    if word.isascii():
        heard = re.findall(r"[aeiouy]+", word.removesuffix("e")) or ["e"]
        return "".join("i" if vowels[0] == "y" else vowels[0] for vowels in heard)
    # Elsewhere a letter is about a syllable (Chinese) or half of one (Cyrillic); nobody will count.
    return "".join(VOWELS[ord(letter) % len(VOWELS)] for letter in word)


def _wordless(seed: str) -> tuple[str, ...]:
    chance = dice("wordless", seed)
    first, second = ("".join(pick(chance, "aou") for _ in range(5 + int(chance.random() * 5))) for _ in range(2))
    return pick(chance, ((first, first, second, first), (first, second, first, second)))


def _split(line: str) -> tuple[int, int]:
    """How many notes the two bars of a phrase have."""
    count = min(max(len(line), _SHORTEST), _LONGEST)
    return count - count // 2, count // 2


def _rhythm(seed: str, line: str, metre: int) -> tuple[int, ...]:
    """The lengths of a phrase's notes in eighths: the same line has the same rhythm whenever it returns."""
    chance = dice("rhythm", seed, line)
    first, second = _split(line)
    return pick(chance, _OPENING[metre][first - 1]) + pick(chance, _CLOSING[metre][second - 1])


def _steps(tune: Tune, line: str, number: int) -> list[int]:
    """The pitches of phrase ``number``, worked out in the tune's own metre so that every performance has the same."""
    first, _ = _split(line)
    rhythm = _rhythm(tune.seed, line, tune.metre)
    chords = [tune.chords[(number * PHRASE_BARS + bar) % len(tune.chords)] for bar in range(PHRASE_BARS)]
    under = [chords[0] if index < first else chords[1] for index in range(len(rhythm))]
    steps: list[int] = []
    for target, chord in zip(_contour(tune, line, len(rhythm)), under, strict=True):
        reach = steps[-1] if steps else target
        steps.append(_nearest(min(max(target, reach - _LEAP), reach + _LEAP), chord))
    onsets = [sum(rhythm[:index]) for index in range(len(rhythm))]
    last = len(rhythm) - 1
    light = [index for index in range(1, last) if onsets[index] % 2 and rhythm[index] == 1]
    if tune.variation:
        _vary(steps, under, [index for index in range(last) if index not in light], dice(tune.variation, number))
    for index in light:
        if abs(steps[index + 1] - steps[index - 1]) <= _LEAP:
            steps[index] = _passing(steps[index - 1], steps[index + 1])
    return steps


def _contour(tune: Tune, line: str, notes: int) -> list[float]:
    """The line a phrase draws, in scale steps: up and down again, falling, rising, or a wave; never a straight one."""
    chance = dice("contour", tune.seed, line)
    shape = pick(chance, ((0, 1, 0), (1, 0.4, 0), (0, 0.5, 1), (0.3, 1, 0, 0.6), (1, 0, 0.7)))
    base, height = pick(chance, (0, 1, 2)), pick(chance, (4, 5, 6))
    contour = []
    for index in range(notes):
        place = index / (notes - 1) * (len(shape) - 1)
        corner = min(int(place), len(shape) - 2)
        level = shape[corner] + (shape[corner + 1] - shape[corner]) * (place - corner)
        contour.append(base + height * level + (chance.random() - 0.5) * 2.5)
    return contour


def _vary(steps: list[int], under: list[int], choice: list[int], chance: Random) -> None:
    """Move a third of these notes, one at least, to the next tone of their chord towards the middle of the voice."""
    shuffled = sorted(choice, key=lambda _: chance.random())
    for index in shuffled[: max(1, len(choice) // 3)]:
        steps[index] = _nearest(steps[index] + (2 if steps[index] < _MIDDLE else -2), under[index])


def _nearest(target: float, chord: int) -> int:
    tones = [step for step in range(_LOWEST, _HIGHEST + 1) if (step - chord) % _OCTAVE in (0, 2, 4)]
    return min(tones, key=lambda step: abs(step - target))


def _passing(before: int, after: int) -> int:
    """A light note on the way from one chord tone to the next, always a step from where it came."""
    return before + (1 if after > before else -1 if after < before else 1)
