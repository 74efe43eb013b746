"""The sounds of the instruments and of the singer."""

from dataclasses import dataclass

from producer_tools.sandbox.music.style import Sound

Partials = tuple[float, ...]


@dataclass(frozen=True)
class Voice:
    """The sound of an instrument, or of the singer on one vowel.

    Args:
        partials: Strength of the fundamental and each overtone while the note lasts.
        transient: Strength of the partials that are added at the start of a note.
        attack: Seconds until the note is at its loudest.
        decay: Seconds in which it then falls to about a third; 0 for a voice that sustains its notes.
        release: Seconds in which it fades out after the end of the note.
        vibrato: Depth of the vibrato of a sustained note, in semitones.
        detune: Distance between two players of the same note, in semitones; 0 for a single one.
        formants: Resonances of a singing voice, as (Hz, strength); instruments have none.
    """

    partials: Partials
    transient: Partials = ()
    attack: float = 0.006
    decay: float = 0.0
    release: float = 0.08
    vibrato: float = 0.0
    detune: float = 0.0
    formants: tuple[tuple[float, float], ...] = ()


def _falling(power: float, count: int) -> Partials:
    return tuple(number**-power for number in range(1, count + 1))


def _singer(*formants: tuple[float, float]) -> Voice:
    return Voice(_falling(0.9, 24), attack=0.045, release=0.09, vibrato=0.22, formants=formants)


_HOLLOW: Partials = (1, 0.08, 0.45, 0.05, 0.2, 0.03, 0.1)  # mostly odd overtones, as a reed has

VOICES: dict[str, Voice] = {
    # The singer has one voice for each vowel.
    "a": _singer((750, 1), (1150, 0.6), (2700, 0.18)),
    "e": _singer((450, 1), (1900, 0.35), (2600, 0.2)),
    "i": _singer((300, 1), (2150, 0.3), (2900, 0.2)),
    "o": _singer((450, 1), (850, 0.5), (2700, 0.1)),
    "u": _singer((330, 1), (700, 0.3), (2500, 0.06)),
    "piano": Voice((1, 0.5, 0.22, 0.12, 0.06, 0.03), (0, 0.2, 0.4, 0.35, 0.3, 0.22, 0.16, 0.1), 0.004, 0.9, 0.12),
    "guitar": Voice((1, 0.6, 0.35, 0.15, 0.1, 0.05), (0.2, 0.4, 0.5, 0.5, 0.4, 0.3, 0.25, 0.2), 0.003, 0.6, 0.09),
    "pluck": Voice(_falling(1.2, 8), _falling(0.6, 14), 0.003, 0.28, 0.06),
    "harp": Voice((1, 0.3, 0.12, 0.05), (0, 0.3, 0.25, 0.15, 0.1), 0.004, 0.7, 0.2),
    "organ": Voice((1, 0.5, 0.12, 0.25, 0, 0.05, 0, 0.08), attack=0.06, release=0.15, vibrato=0.05),
    "pad": Voice(_falling(1.5, 10), attack=0.15, release=0.2, detune=0.14),
    "strings": Voice(_falling(1.15, 14), attack=0.12, release=0.2, vibrato=0.12),
    "flute": Voice((1, 0.25, 0.1, 0.03), (0.2, 0.3, 0.2, 0.1), 0.05, 0, 0.1, 0.2),
    "harmonica": Voice(_HOLLOW, (0, 0.3, 0.2, 0.2, 0.2), 0.03, 0, 0.08, 0.15),
    "lead": Voice(_falling(1.1, 12), _falling(0.8, 14), 0.012, 0, 0.1, 0.18, 0.1),
    "violin": Voice(_falling(1.2, 16), (0, 0.2, 0.2, 0.2, 0.2), 0.07, 0, 0.12, 0.25),
    "bass": Voice((1, 0.7, 0.35, 0.2, 0.1, 0.05), (0, 0.3, 0.4, 0.4, 0.3, 0.2), 0.006, 0.9, 0.06),
    "synth bass": Voice(_falling(1, 9), _falling(0.7, 12), 0.005, 0.7, 0.05),
    "cello": Voice(_falling(1.1, 10), attack=0.05, decay=1.2, release=0.15),
}


@dataclass(frozen=True)
class Band:
    """The names of the voices that play each part, and the loudness of the drums from 0 to 1."""

    chords: str
    pad: str
    bass: str
    lead: str
    drums: float


BANDS: dict[Sound, Band] = {
    "piano": Band("piano", "strings", "bass", "flute", 0.7),
    "guitar": Band("guitar", "organ", "bass", "harmonica", 0.85),
    "electronic": Band("pluck", "pad", "synth bass", "lead", 1.0),
    "orchestral": Band("harp", "strings", "cello", "violin", 0.75),
}
