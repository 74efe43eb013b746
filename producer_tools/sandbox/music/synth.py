"""Single notes as tracks: sustained or decaying waves with an envelope; and drums, which are mostly noise."""

import math
from array import array
from collections.abc import Callable
from functools import lru_cache

from producer_tools.sandbox.music.chance import seeded_random
from producer_tools.sandbox.music.track import RATE, advance, cut, delay, pack, unpack
from producer_tools.sandbox.music.voices import Partials, Voice
from producer_tools.sandbox.music.waves import LOUD, wave

_FULL = 4096  # the level of a note at its loudest
_PLAIN_WAVES = 3  # repetitions of the wave before vibrato begins: a fifth of a second
_TRANSIENT_SECONDS = 0.09  # seconds in which the transient of a note falls to about a third
_DECAY_BLOCK = RATE // 2  # decaying notes have whole blocks, so that a cached one serves many lengths


def tone(voice: Voice, pitches: tuple[float, ...], samples: int) -> int:
    """Play MIDI pitches together for ``samples`` samples and the release; returns a track."""
    whole = samples + int(voice.release * RATE)
    players = (-voice.detune / 2, voice.detune / 2) if voice.detune else (0.0,)
    track = 0
    for pitch in (pitch + detune for pitch in pitches for detune in players):
        if voice.decay:
            track += _decaying(voice, voice.partials, pitch, voice.decay, -(-whole // _DECAY_BLOCK) * _DECAY_BLOCK)
        else:
            track += _sustained(voice, pitch, whole)
        if voice.transient:
            track += _decaying(voice, voice.transient, pitch, _TRANSIENT_SECONDS, _DECAY_BLOCK)
    return _with_envelope(track, voice.attack, voice.release, whole)


@lru_cache(maxsize=8)
def drum(name: str) -> int:
    """One hit of a drum, as a track."""
    rng = seeded_random("drum", name)
    if name == "kick":
        # The pitch falls quickly; the phase is the integral of the pitch.
        return _drum_hit(0.35, 0.09, lambda t: math.sin(2 * math.pi * (48 * t + 2.2 * (1 - math.exp(-t / 0.03)))))
    if name == "snare":
        return _drum_hit(0.25, 0.06, lambda t: 0.6 * (rng.random() * 2 - 1) + 0.5 * math.sin(2 * math.pi * 185 * t))
    length, decay = (0.08, 0.022) if name == "hat" else (1.2, 0.3)
    noise = _drum_hit(length, decay, lambda _: 0.5 * (rng.random() * 2 - 1))
    return noise - delay(noise, 1)  # the difference of neighbouring samples is a high-pass filter


def _drum_hit(length: float, decay: float, sound: Callable[[float], float]) -> int:
    times = [index / RATE for index in range(int(length * RATE))]
    # The last fifth fades out, so that the long tail of a cymbal ends in silence.
    levels = (2 * LOUD * _FULL * math.exp(-t / decay) * min(1.0, 5 * (1 - t / length)) for t in times)
    return pack(array("q", [int(level * sound(t)) for level, t in zip(levels, times, strict=True)]))


def _sustained(voice: Voice, pitch: float, samples: int) -> int:
    """Hold a note for at least ``samples`` samples."""
    once = wave(voice, voice.partials, pitch)
    if not voice.vibrato:
        return _repeated(once, samples)
    # Vibrato starts late, as a player's does.
    plain = len(once) * _PLAIN_WAVES
    if plain >= samples:
        return _repeated(once, samples)
    swing = wave(voice, voice.partials, pitch, vibrato=voice.vibrato)
    return pack(once * _PLAIN_WAVES) * _FULL + delay(_repeated(swing, samples - plain), plain)


def _repeated(once: "array[int]", samples: int) -> int:
    track, length = pack(once) * _FULL, len(once)
    while length < samples:
        track += delay(track, length)
        length *= 2
    return track


@lru_cache(maxsize=48)  # about 12 MB
def _decaying(voice: Voice, partials: Partials, pitch: float, decay: float, samples: int) -> int:
    """Repeat a decaying wave for at least ``samples`` samples, each time scaled to continue where it ended."""
    once, sound = wave(voice, partials, pitch, decay), array("q")
    track = pack(once)
    for start in range(0, samples, len(once)):
        sound += unpack(track * int(_FULL * math.exp(-start / (decay * RATE))), len(once))
    return pack(sound)


def _with_envelope(track: int, attack: float, release: float, samples: int) -> int:
    """Fade a note in and out, so that it starts and ends without a click."""
    whole = cut(track, samples)
    rise, fall = (min(int(seconds * RATE), samples // 2) for seconds in (attack, release))
    # Subtract the excess at both ends; the samples between them stay as they are.
    start = _scaled(unpack(whole, rise), _fade_in_loss(rise))
    end = _scaled(unpack(advance(whole, samples - fall), fall), _fade_in_loss(fall)[::-1])
    return whole - start - delay(end, samples - fall)


def _scaled(sound: "array[int]", levels: "array[int]") -> int:
    return pack(array("q", [sample * level // _FULL for sample, level in zip(sound, levels, strict=True)]))


@lru_cache(maxsize=16)
def _fade_in_loss(samples: int) -> "array[int]":
    """What a fade-in takes away: from the full level down to 0, over ``samples`` samples."""
    return array("q", [int(_FULL * (1 + math.cos(math.pi * index / samples)) / 2) for index in range(samples)])
