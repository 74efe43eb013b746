"""A track: sound held as one big integer, because that is how plain Python mixes fast.

Sample ``i`` is the digit of 2**(64 * i), so a track is ``sum(sample[i] << (64 * i))``. Adding two integers then mixes
two tracks, multiplying by a small integer sets the loudness, and shifting by whole digits delays. Each is one operation
in C over the whole track; a loop over its samples would take a hundred times as long. Samples may be negative, and must
stay within 63 bits, which leaves room for anything a song adds up to.
"""

from array import array
from functools import lru_cache

RATE = 22050  # samples per second, everywhere in this package

_BYTES = 8
_BITS = 8 * _BYTES


def packed(samples: "array[int]") -> int:
    """Turn an ``array("q")`` of samples into a track."""
    signs = _signs(len(samples))
    # Moving every digit up by half its range (which is to flip its top bit) makes all of them positive, so that they
    # stand side by side as bytes do; taking the same off the whole again gives the sum of the signed samples.
    return (int.from_bytes(samples.tobytes(), "little") ^ signs) - signs


def unpacked(track: int, samples: int) -> "array[int]":
    """Turn the first so many samples of a track back into an ``array("q")``."""
    signs = _signs(samples)
    return array("q", (((track + signs) & _all(samples)) ^ signs).to_bytes(samples * _BYTES, "little"))


def cut(track: int, samples: int) -> int:
    """Take only the first so many samples of a track."""
    signs = _signs(samples)
    return ((track + signs) & _all(samples)) - signs


def delayed(track: int, samples: int) -> int:
    """Start a track so many samples later."""
    return track << (_BITS * samples)


def advanced(track: int, samples: int) -> int:
    """Leave out the first so many samples of a track."""
    return track >> (_BITS * samples)


def pcm(track: int, samples: int, peak: int) -> "array[int]":
    """Turn the first so many samples of a track into 16-bit ones, the loudest of them about as loud as ``peak``."""
    # The upper half of each sample is enough to find the loudest by, and small numbers are compared faster.
    upper = array("i", unpacked(track, samples).tobytes())[1::2].tolist()
    lowest, highest = min(upper), max(upper)
    loudest = max(highest, -lowest) + 1
    # Scaled so that the loudest reaches the peak in the top 16 bits of its 64.
    scaled = unpacked(track * ((peak << 16) // loudest), samples)
    return array("h", scaled.tobytes())[3::4]


@lru_cache(maxsize=8)
def _signs(samples: int) -> int:
    return int.from_bytes((b"\0" * (_BYTES - 1) + b"\x80") * samples, "little")


def _all(samples: int) -> int:
    return (1 << _BITS * samples) - 1
