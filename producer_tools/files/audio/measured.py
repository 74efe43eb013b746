"""What was measured of an audio file, and what is wrong with it."""

from dataclasses import dataclass

SHORTEST_SONG = 10.0
"""Seconds; a shorter file is called too short."""

MOST_CLIPPED = 0.001
"""The share of samples at full scale from which a file is called clipped."""

MOST_SILENCE = 0.5
"""The share of silence from which a file is called mostly silence."""


@dataclass(frozen=True)
class Measured:
    """What was measured of the audio in a file. ``None``: it was not measured, since the extra ``sound`` is missing.

    Attributes:
        duration_seconds: the length of the audio; 0 if nothing of it can be decoded.
        sample_rate: in Hz.
        channels: 1 is mono, 2 is stereo.
        loudness_lufs: the integrated loudness (ITU-R BS.1770), in LUFS. Silence, and what is shorter than 0.4 seconds,
            has none.
        peak_dbfs: the loudest sample, in dBFS; 0 is full scale. Digital silence has none.
        clipped_share: the share of samples at full scale, 0-1.
        silent_share: the share of the length in which nothing is louder than -60 dBFS, 0-1.
        silent_start_seconds: silence at the beginning.
        silent_end_seconds: silence at the end.
    """

    duration_seconds: float
    sample_rate: int | None = None
    channels: int | None = None
    loudness_lufs: float | None = None
    peak_dbfs: float | None = None
    clipped_share: float | None = None
    silent_share: float | None = None
    silent_start_seconds: float | None = None
    silent_end_seconds: float | None = None

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong, such as ``too short: 4.0 s``, ``clipped: 2.0% of the samples``, ``mostly silence: 83%``."""
        if not self.duration_seconds:
            return ("it has no audio that can be decoded",)
        found = []
        if self.duration_seconds < SHORTEST_SONG:
            found.append(f"too short: {self.duration_seconds:.1f} s")
        if self.clipped_share is not None and self.clipped_share >= MOST_CLIPPED:
            found.append(f"clipped: {self.clipped_share:.1%} of the samples")
        if self.silent_share is not None and self.silent_share >= MOST_SILENCE:
            found.append(f"mostly silence: {self.silent_share:.0%}")
        return tuple(found)


UNDECODABLE = Measured(duration_seconds=0.0, clipped_share=0.0)
"""What is measured of a file whose audio the extra ``sound`` cannot decode."""
