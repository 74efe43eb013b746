"""What is known of a saved file: as JSON values for an application, and in few words for a model."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeGuard

from pydantic import TypeAdapter, ValidationError

from producer_tools.files.saved import SavedFile

_SAVED_FILE = TypeAdapter(SavedFile)


def file_values(file: SavedFile) -> dict[str, Any]:
    """The file as JSON values: the fields of `SavedFile`, and ``findings``, a list of what is wrong with its audio."""
    return {**asdict(file), "findings": list(file.findings)}


def saved_file(values: Mapping[str, Any]) -> SavedFile:
    """The file that `file_values` was called with, also by another version of this package.

    Raises:
        pydantic.ValidationError: these are not the values of a file.
    """
    return _SAVED_FILE.validate_python(values)


def is_saved_file(values: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether these are the values of a file. What a server's user put into a message may be anything else."""
    try:
        saved_file(values)
    except ValidationError:
        return False
    return True


def measured_facts(file: Mapping[str, Any], *, loudness: bool) -> dict[str, Any]:
    """What a model reads of the audio in a file: its length, and findings if there are any.

    Args:
        file: what `file_values` returned.
        loudness: whether it also reads the loudness and the peak.

    Returns:
        The facts; empty if nothing was measured.
    """
    measured = file.get("measured")
    if not measured:
        return {}
    facts = {"measured_seconds": measured["duration_seconds"]}
    if loudness:
        facts |= {name: measured.get(name) for name in ("loudness_lufs", "peak_dbfs")}
    facts["findings"] = file.get("findings") or None
    return {name: value for name, value in facts.items() if value is not None}
