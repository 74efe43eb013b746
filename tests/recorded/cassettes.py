"""The files of recordings: where each lies, what it says of its origin, and how it is written."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, Literal

import pytest
import yaml
from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister
from vcr.serialize import serialize

from tests.recorded.scrubbing import SERVICE, Scrubber

FOLDER = Path(__file__).parents[2] / "cassettes"
DOCUMENTED = FOLDER / "documented"
LIVE_FOLDER = FOLDER.with_name("cassettes-live")

Kind = Literal["sandbox", "live"]
_SERVERS = {"sandbox": "producer_tools.sandbox.ProducerSandbox, not the service", "live": "Ace Data Cloud's service"}


@dataclass(frozen=True)
class Source:
    """What recordings are made of, and where they are kept.

    Attributes:
        kind: ``sandbox``, or ``live`` for the service.
        folder: where the recordings lie.
        api_token: the service's token; the sandbox makes up its own.
        base_url: where the service is reached.
    """

    kind: Kind = "sandbox"
    folder: Path = FOLDER
    api_token: str | None = field(default=None, repr=False)
    base_url: str = SERVICE


SOURCE = pytest.StashKey[Source]()
"""What this run of pytest records or plays."""
COLLECTED = pytest.StashKey[list[pytest.Item]]()
"""The tests of this run that have a recording, before any are deselected."""


class LeakError(Exception):
    """A recording would have held a secret; it has not been written."""


class Recorder:
    """Cleans and keeps the recording of one test; what pytest-recording calls a persister.

    Args:
        kind: what is recorded.
        scrubber: what takes out whatever is nobody else's business.
        anew: record, whatever there is already; else play.
    """

    def __init__(self, kind: Kind, scrubber: Scrubber, *, anew: bool) -> None:
        self._kind = kind
        self._anew = anew
        self._scrubber = scrubber
        self._sent: list[tuple[str, Any]] = []

    def settings(self) -> dict[str, Any]:
        """The arguments of ``VCR.use_cassette``."""
        return {
            "match_on": ("method", "uri", "body"),
            "record_mode": "all" if self._anew else "none",
            "allow_playback_repeats": False,
            "before_record_request": self._clean,
            "before_record_response": self._scrubber.response,
        }

    def load_cassette(self, cassette_path: str, serializer: Any) -> Any:
        """What vcrpy plays; nothing when it records.

        Raises:
            CassetteNotFoundError: there is nothing to play.
        """
        if self._anew:
            raise CassetteNotFoundError
        return FilesystemPersister.load_cassette(cassette_path, serializer)

    def save_cassette(self, cassette_path: str, cassette_dict: dict[str, Any], serializer: Any) -> None:
        """Write a recording, in the order in which its requests were first sent.

        The order of the answers would not do: requests under way together are answered in any. What has not
        changed keeps the date and the versions it was first recorded with, so that nothing changes in the file.

        Raises:
            LeakError: a secret was found in it.
        """
        path = Path(cassette_path)
        recorded = yaml.load(serialize(cassette_dict, serializer), Loader=_Loader)["interactions"]  # noqa: S506
        recorded.sort(key=lambda one: self._sent.index((one["request"]["uri"], one["request"]["body"])))
        old = read(path) if path.is_file() else {}
        kept = old.get("interactions") == recorded and old["provenance"]["kind"] == self._kind
        provenance = old["provenance"] if kept else _provenance(self._kind)
        text = yaml.dump(
            {"provenance": provenance, "interactions": recorded, "version": 1},
            Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000,
        )  # fmt: skip
        if self._scrubber.leaks(text):
            raise LeakError(f"a secret was left in the recording of {path.name}: it has not been written")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def __deepcopy__(self, memo: dict[int, Any]) -> "Recorder":
        """pytest-recording copies the settings; what is cleaned must be noted in the one that writes."""
        return self

    def _clean(self, request: Any) -> Any:
        request = self._scrubber.request(request)
        self._sent.append((request.uri, request.body))
        return request


def read(path: Path) -> dict[str, Any]:
    """What a file of recordings holds."""
    found = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 - one of the safe loaders
    if not isinstance(found, dict):
        raise TypeError(f"{path} is no recording")
    return found


def cassette_name(test_name: str) -> str:
    """The recording of a test: one for its sync and its async run, for both must send the very same requests."""
    name, _, parameters = test_name.rstrip("]").partition("[")
    distinct = [part for part in parameters.split("-") if part not in ("sync", "async", "")]
    return f"{name}[{'-'.join(distinct)}]" if distinct else name


def cassette_path(folder: Path, module_file: Path, test_name: str) -> Path:
    """The file of a test's recording."""
    return folder / module_file.stem / f"{cassette_name(test_name)}.yaml"


def left_over(folder: Path, played: Collection[Path], modules: Collection[str]) -> list[Path]:
    """The recordings that no test plays.

    Args:
        folder: where recordings lie, in a folder for each test module.
        played: the files of the tests that have been collected.
        modules: the test modules that have been collected whole; of others it is not known which tests they have.
    """
    known = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    return sorted(
        path
        for path in folder.glob("*/*.yaml")
        if path.parent.name != DOCUMENTED.name
        and path not in played
        and (path.parent.name in modules or path.parent.name not in known)
    )


def _provenance(kind: Kind) -> dict[str, str]:
    packages = ("producer-tools", "vcrpy", "aiohttp")
    return {
        "kind": kind,
        "server": _SERVERS[kind],
        "recorded_on": datetime.now(timezone.utc).date().isoformat(),
        "recorded_with": ", ".join([f"{name} {version(name)}" for name in packages] + [f"Python {python_version()}"]),
    }


# The one in C where there is one: the recordings are many.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
