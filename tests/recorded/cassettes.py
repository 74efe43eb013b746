"""The files of recordings: their paths, what they say about their origin, and how they are written."""

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
    """The server that is recorded, and the folder of its recordings.

    Attributes:
        kind: ``sandbox``, or ``live`` for the service.
        folder: where the recordings are.
        api_token: the token for the service; a sandbox has its own.
        base_url: the address of the service.
    """

    kind: Kind = "sandbox"
    folder: Path = FOLDER
    api_token: str | None = field(default=None, repr=False)
    base_url: str = SERVICE


SOURCE = pytest.StashKey[Source]()
"""The recordings that this run of pytest makes or plays."""
COLLECTED = pytest.StashKey[list[pytest.Item]]()
"""All collected tests that have a recording, including those that are deselected later."""


class LeakError(Exception):
    """The recording contained a secret and was not written."""


class Recorder:
    """Cleans, writes and reads the recording of one test. vcrpy calls such an object a persister.

    Args:
        kind: what is recorded.
        scrubber: removes secrets and private data.
        recording: whether to make a new recording, even if there is one; else the recording is played.
    """

    def __init__(self, kind: Kind, scrubber: Scrubber, *, recording: bool) -> None:
        self._kind = kind
        self._recording = recording
        self._scrubber = scrubber
        self._sent: list[tuple[str, Any]] = []

    def settings(self) -> dict[str, Any]:
        """The arguments for ``VCR.use_cassette``."""
        return {
            "match_on": ("method", "uri", "body"),
            "record_mode": "all" if self._recording else "none",
            "allow_playback_repeats": False,
            "before_record_request": self._clean,
            "before_record_response": self._scrubber.response,
        }

    def load_cassette(self, cassette_path: str, serializer: Any) -> Any:
        """Read the recording for vcrpy to play.

        Raises:
            CassetteNotFoundError: there is no recording, or a new one is being made.
        """
        if self._recording:
            raise CassetteNotFoundError
        return FilesystemPersister.load_cassette(cassette_path, serializer)

    def save_cassette(self, cassette_path: str, cassette_dict: dict[str, Any], serializer: Any) -> None:
        """Write a recording, in the order in which its requests were first sent.

        vcrpy has the order of the answers, which differs each time if several requests are in flight. A recording whose
        content has not changed keeps its date and versions, so that the file does not change either.

        Raises:
            LeakError: it contains a secret.
        """
        path = Path(cassette_path)
        recorded = _parsed(serialize(cassette_dict, serializer))["interactions"]
        recorded.sort(key=lambda each: self._sent.index((each["request"]["uri"], each["request"]["body"])))
        old = read(path) if path.is_file() else {}
        unchanged = old.get("interactions") == recorded and old["provenance"]["kind"] == self._kind
        provenance = old["provenance"] if unchanged else _provenance(self._kind)
        text = yaml.dump(
            {"provenance": provenance, "interactions": recorded, "version": 1},
            Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000,
        )  # fmt: skip
        if self._scrubber.leaks(text):
            raise LeakError(f"the recording {path.name} contains a secret, so it was not written")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def __deepcopy__(self, memo: dict[int, Any]) -> "Recorder":
        """The recorder itself: pytest-recording copies the settings, but the copy must not have a list of its own."""
        return self

    def _clean(self, request: Any) -> Any:
        request = self._scrubber.request(request)
        self._sent.append((request.uri, request.body))
        return request


def read(path: Path) -> dict[str, Any]:
    """The content of a recording's file."""
    content = _parsed(path.read_bytes())
    if not isinstance(content, dict):
        raise TypeError(f"{path} is not a recording")
    return content


def cassette_name(test_name: str) -> str:
    """The name of a test's recording. Its sync and async runs share one, since both must send the same requests."""
    name, _, parameters = test_name.rstrip("]").partition("[")
    distinct = [part for part in parameters.split("-") if part not in ("sync", "async", "")]
    return f"{name}[{'-'.join(distinct)}]" if distinct else name


def cassette_path(folder: Path, module_file: Path, test_name: str) -> Path:
    """The file of a test's recording."""
    return folder / module_file.stem / f"{cassette_name(test_name)}.yaml"


def unplayed(folder: Path, played: Collection[Path], modules: Collection[str]) -> list[Path]:
    """The recordings that no test plays.

    Args:
        folder: it has a folder of recordings for each test module.
        played: the recordings of the collected tests.
        modules: the test modules of which all tests were collected. Recordings of other existing modules are ignored.
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


# The loader in C, if there is one, is much faster.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _parsed(text: str | bytes) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - one of the safe loaders


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
