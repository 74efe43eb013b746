"""The cover pictures that come with the package."""

import io
from importlib.resources import files

import av
import pytest

from producer_tools.sandbox import covers

JPEGS = {file.name: file.read_bytes() for file in files(covers).iterdir() if file.name.endswith(".jpg")}


def size(picture: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(picture)) as file:
        frame = next(file.decode(video=0))
    return frame.width, frame.height


@pytest.mark.parametrize("name", sorted(JPEGS))
def test_each_file_says_that_the_sandbox_made_it(name: str) -> None:
    """Without it, a saved cover could be taken for one of the service."""
    assert b"Made by ProducerSandbox, a local stand-in" in JPEGS[name]


def test_every_seed_has_one_of_the_covers_and_all_of_them_are_used() -> None:
    """A file that no seed leads to would only make the package larger."""
    used = {covers.cover(str(seed)) for seed in range(200)}
    assert used | {covers.plain_cover()} == set(JPEGS.values())
    assert covers.cover("a") == covers.cover("a")


def test_covers_have_an_even_size() -> None:
    """H.264 has no picture of odd size, so a video could not be made of it."""
    assert {size(picture) for name, picture in JPEGS.items() if name != "plain.jpg"} == {(256, 256)}
    assert size(covers.plain_cover()) == (16, 16)


def test_covers_are_small() -> None:
    """Every user installs them, and most never see them."""
    assert sum(map(len, JPEGS.values())) < 80_000
    assert len(covers.plain_cover()) < 1000
