"""The melody: words become syllables, lines become phrases, and phrases follow a chord progression."""

import math
import re
import unicodedata
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from producer_tools.sandbox.music.chance import pick, seeded_random
from producer_tools.sandbox.music.style import COMMON, WALTZ, Mode

VOWELS = "aeiou"
PHRASE_BARS = 2

_SHORTEST, _LONGEST = 2, 11  # notes in a phrase; both metres have rhythms for all these numbers
_LOWEST, _HIGHEST = -2, 9  # the voice's range in scale steps above the tonic
_MIDDLE = 4
_LEAP = 3  # the largest interval from one note to the next, in scale steps; more is hard to sing
_OCTAVE = 7  # scale steps

# Degrees of the scale, counted from 0. A piece may stop after the second or the fourth chord, so those are never the
# tonic: the tonic chord that is added as the ending then sounds final.
_PROGRESSIONS: dict[Mode, tuple[tuple[int, ...], ...]] = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 2, 3, 4), (0, 3, 5, 4), (0, 3, 1, 4)),
    "minor": ((0, 5, 2, 6), (0, 3, 5, 6), (0, 6, 5, 6), (0, 5, 3, 6), (0, 2, 5, 6)),
}

# Rhythms of the first and of the second bar of a phrase. The second ends with a long note, so that the singer can
# breathe. Metre -> for 1, 2, 3 ... notes -> the choices, as note lengths in eighths.
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
    """What identifies a melody in every performance: its seed, lyric, chords and original metre."""

    seed: str
    lyric: str
    chords: tuple[int, ...]
    metre: int
    variation: str = ""


class SungNote(NamedTuple):
    """One note: its start and length in beats, its scale step above the tonic, and its vowel."""

    beat: float
    beats: float
    step: int
    vowel: str


def progression(seed: str, mode: Mode) -> tuple[int, ...]:
    """Choose four chords, one for each bar, as degrees of the scale, counted from 0."""
    return pick(seeded_random("chords", seed), _PROGRESSIONS[mode])


def sung_notes(tune: Tune, words: str, metre: int, bars: int) -> list[SungNote]:
    """The notes of the words sung to the tune for ``bars`` bars, and one more bar of the tonic."""
    lines = _phrases(tune.lyric) or _wordless_lines(tune.seed)
    texts = _phrases(words) or lines
    notes = []
    for number in range(bars // PHRASE_BARS):
        line, text = lines[number % len(lines)], texts[number % len(texts)]
        rhythm = _rhythm(tune.seed, line, metre)
        steps = _steps(tune, line, number)
        beat = float(number * PHRASE_BARS * metre)
        for index, (eighths, step) in enumerate(zip(rhythm, steps, strict=True)):
            notes.append(SungNote(beat, eighths / 2, step, text[index % len(text)]))
            beat += eighths / 2
    home = min((0, _OCTAVE), key=lambda step: abs(step - notes[-1].step))
    return [*notes, SungNote(float(bars * metre), float(metre), home, "a")]


def syllables(lyric: str) -> tuple[str, ...]:
    """Split a lyric into the lines that are sung, each as a string with one vowel for every syllable."""
    letters = unicodedata.normalize("NFD", lyric.lower())
    plain = unicodedata.normalize("NFC", "".join(letter for letter in letters if not unicodedata.combining(letter)))
    lines = ("".join(map(_vowels, re.findall(r"[^\W\d_]+", line))) for line in plain.splitlines() if _is_sung(line))
    return tuple(line for line in lines if line)


def _phrases(lyric: str) -> tuple[str, ...]:
    """The lines of a lyric; a line that is too long for one phrase is split into several."""
    phrases = []
    for line in syllables(lyric):
        size = math.ceil(len(line) / math.ceil(len(line) / _LONGEST))
        phrases += [line[start : start + size] for start in range(0, len(line), size)]
    return tuple(phrases)


def _is_sung(line: str) -> bool:
    # A line such as "[Verse 1]" is a section marker.
    return not line.strip().startswith("[")


def _vowels(word: str) -> str:
    if word.isascii():
        groups = re.findall(r"[aeiouy]+", word.removesuffix("e")) or ["e"]
        return "".join("i" if vowels[0] == "y" else vowels[0] for vowels in groups)
    # In other scripts a letter is about one syllable (Chinese) or half of one (Cyrillic): a rough count is enough.
    return "".join(VOWELS[ord(letter) % len(VOWELS)] for letter in word)


def _wordless_lines(seed: str) -> tuple[str, ...]:
    rng = seeded_random("wordless", seed)
    first, second = ("".join(pick(rng, "aou") for _ in range(5 + int(rng.random() * 5))) for _ in range(2))
    return pick(rng, ((first, first, second, first), (first, second, first, second)))


def _split(line: str) -> tuple[int, int]:
    """The numbers of notes in the two bars of a phrase."""
    count = min(max(len(line), _SHORTEST), _LONGEST)
    return count - count // 2, count // 2


def _rhythm(seed: str, line: str, metre: int) -> tuple[int, ...]:
    """The lengths of a phrase's notes in eighths; a line that is repeated has the same rhythm again."""
    rng = seeded_random("rhythm", seed, line)
    first, second = _split(line)
    return pick(rng, _OPENING[metre][first - 1]) + pick(rng, _CLOSING[metre][second - 1])


def _steps(tune: Tune, line: str, number: int) -> list[int]:
    """The pitches of phrase ``number``, computed in the tune's original metre, so that all performances share them."""
    first, _ = _split(line)
    rhythm = _rhythm(tune.seed, line, tune.metre)
    chords = [tune.chords[(number * PHRASE_BARS + bar) % len(tune.chords)] for bar in range(PHRASE_BARS)]
    under = [chords[0] if index < first else chords[1] for index in range(len(rhythm))]
    steps: list[int] = []
    for target, chord in zip(_contour(tune, line, len(rhythm)), under, strict=True):
        reach = steps[-1] if steps else target
        steps.append(_nearest_chord_tone(min(max(target, reach - _LEAP), reach + _LEAP), chord))
    onsets = [sum(rhythm[:index]) for index in range(len(rhythm))]
    last = len(rhythm) - 1
    light = [index for index in range(1, last) if onsets[index] % 2 and rhythm[index] == 1]
    if tune.variation:
        _vary(
            steps, under, [index for index in range(last) if index not in light], seeded_random(tune.variation, number)
        )
    for index in light:
        if abs(steps[index + 1] - steps[index - 1]) <= _LEAP:
            steps[index] = _passing_tone(steps[index - 1], steps[index + 1])
    return steps


def _contour(tune: Tune, line: str, notes: int) -> list[float]:
    """The shape of a phrase's melody in scale steps: up and down, falling, rising, or a wave."""
    rng = seeded_random("contour", tune.seed, line)
    shape = pick(rng, ((0, 1, 0), (1, 0.4, 0), (0, 0.5, 1), (0.3, 1, 0, 0.6), (1, 0, 0.7)))
    base, height = pick(rng, (0, 1, 2)), pick(rng, (4, 5, 6))
    contour = []
    for index in range(notes):
        place = index / (notes - 1) * (len(shape) - 1)
        corner = min(int(place), len(shape) - 2)
        level = shape[corner] + (shape[corner + 1] - shape[corner]) * (place - corner)
        contour.append(base + height * level + (rng.random() - 0.5) * 2.5)
    return contour


def _vary(steps: list[int], under: list[int], choice: list[int], rng: Random) -> None:
    """Move a third of these notes, but at least one, to the next chord tone towards the middle of the range."""
    shuffled = sorted(choice, key=lambda _: rng.random())
    for index in shuffled[: max(1, len(choice) // 3)]:
        steps[index] = _nearest_chord_tone(steps[index] + (2 if steps[index] < _MIDDLE else -2), under[index])


def _nearest_chord_tone(target: float, chord: int) -> int:
    tones = [step for step in range(_LOWEST, _HIGHEST + 1) if (step - chord) % _OCTAVE in (0, 2, 4)]
    return min(tones, key=lambda step: abs(step - target))


def _passing_tone(before: int, after: int) -> int:
    """An unaccented note between two chord tones, one step away from the first."""
    return before + (1 if after > before else -1 if after < before else 1)
