"""Cover pictures: JPEG files, each with a comment that says that the sandbox made it."""

from importlib.resources import files

from producer_tools.sandbox.music.chance import pick, seeded_random

_FOLDER = files(__name__)
_NAMES = [f"{number:02}.jpg" for number in range(1, 13)]


def cover(seed: str) -> bytes:
    """A JPEG file, 256 pixels wide and high. The same seed always has the same cover; some seeds share one."""
    return (_FOLDER / pick(seeded_random("cover", seed), _NAMES)).read_bytes()


def plain_cover() -> bytes:
    """A JPEG file of one colour, 16 pixels wide and high."""
    return (_FOLDER / "plain.jpg").read_bytes()
