"""What to submit for a song of an album: the first take, another take, a longer one."""

from typing import Any

from producer_tools.langgraph.state import Song, SongRequest


def prompt_from_wish(song: Song) -> SongRequest:
    """Use the person's words as the prompt of the song."""
    return SongRequest(name="producer_generate_music", args={"prompt": song["wish"]})


def keep(song: Song) -> None:
    """Keep the newest take; ask for no other."""


def vary(song: Song, **arguments: Any) -> SongRequest:
    """Ask for a variation of a song's newest take.

    Args:
        song: a song with a finished take.
        arguments: further arguments of ``producer_variation_music``.
    """
    return SongRequest(name="producer_variation_music", args={"audio_id": _newest(song)["audio_id"], **arguments})


def extend(song: Song, **arguments: Any) -> SongRequest:
    """Ask for a longer version of a song's newest take. It goes on from the end, or from ``continue_at`` (seconds).

    Args:
        song: a song with a finished take.
        arguments: further arguments of ``producer_extend_music``.

    Raises:
        ValueError: the service did not report the take's length, and ``continue_at`` is not given.
    """
    newest = _newest(song)
    if "continue_at" not in arguments and "duration_seconds" not in newest:
        raise ValueError("The service did not report how long the song is: give continue_at.")
    args = {"audio_id": newest["audio_id"], "continue_at": newest.get("duration_seconds"), **arguments}
    return SongRequest(name="producer_extend_music", args=args)


def _newest(song: Song) -> dict[str, Any]:
    result: dict[str, Any] = song["takes"][-1]["results"][0]
    return result
