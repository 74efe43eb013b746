"""A track: sound stored as one big integer, because pure Python can mix that quickly.

A track is ``sum(sample[i] << (64 * i))``: each sample is one 64-bit digit. Adding two integers mixes two tracks,
multiplying by a small integer sets the loudness, and shifting by whole digits delays. Each is a single operation in C
over the whole track; a loop over the samples would take a hundred times as long. Samples may be negative, and must fit
into 63 bits, which is enough for every song.
"""

from array import array
from functools import lru_cache

RATE = 22050  # samples per second, everywhere in this package

_BYTES = 8
_BITS = 8 * _BYTES


def pack(samples: "array[int]") -> int:
    """Convert an ``array("q")`` of samples to a track."""
    signs = _signs(len(samples))
    # Flipping the top bit adds half of the range to each sample. All samples are then positive, so their bytes are the
    # digits of one integer. Subtracting the same halves from that integer gives the sum of the signed samples.
    return (int.from_bytes(samples.tobytes(), "little") ^ signs) - signs


def unpack(track: int, samples: int) -> "array[int]":
    """Convert the first ``samples`` samples of a track to an ``array("q")``."""
    signs = _signs(samples)
    return array("q", (((track + signs) & _all(samples)) ^ signs).to_bytes(samples * _BYTES, "little"))


def cut(track: int, samples: int) -> int:
    """Keep only the first ``samples`` samples of a track."""
    signs = _signs(samples)
    return ((track + signs) & _all(samples)) - signs


def delay(track: int, samples: int) -> int:
    """Move a track ``samples`` samples later."""
    return track << (_BITS * samples)


def advance(track: int, samples: int) -> int:
    """Remove the first ``samples`` samples of a track."""
    return track >> (_BITS * samples)


def pcm(track: int, samples: int, peak: int) -> "array[int]":
    """Convert the first ``samples`` samples of a track to 16 bits, scaled so that the loudest is about ``peak``."""
    # The upper half of each sample is enough to find the loudest one, and comparing small integers is faster.
    upper = array("i", unpack(track, samples).tobytes())[1::2].tolist()
    lowest, highest = min(upper), max(upper)
    loudest = max(highest, -lowest) + 1
    # The scale puts the loudest sample at the peak in the top 16 of its 64 bits.
    scaled = unpack(track * ((peak << 16) // loudest), samples)
    return array("h", scaled.tobytes())[3::4]


@lru_cache(maxsize=8)
def _signs(samples: int) -> int:
    return int.from_bytes((b"\0" * (_BYTES - 1) + b"\x80") * samples, "little")


def _all(samples: int) -> int:
    return (1 << _BITS * samples) - 1
