"""Record the service itself: ``make record-live``, or ``python -m tests.recorded.live`` in the root of the project.

It needs a key, says about how much it will cost, and asks. What is recorded goes into a folder of its own; at the end
stands where the service's answers differ in shape from the sandbox's.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from producer_tools.http.settings import TOKEN_VARIABLE, default_base_url
from producer_tools.payment.prices import estimate as price
from producer_tools.requests import GenerateLyrics, GenerateVideo, GenerateWav, MusicRequest, Request, UploadAudio
from tests.recorded.cassettes import COLLECTED, FOLDER, LIVE_FOLDER, SOURCE, Source, cassette_path, read
from tests.recorded.shapes import differences

_PAID: tuple[type[Request], ...] = (
    *MusicRequest.__subclasses__(), GenerateLyrics, UploadAudio, GenerateVideo, GenerateWav,
)  # fmt: skip
# Beside pytest's own exit codes.
NOT_AGREED = 10
NO_KEY = 11
_HERE = Path(__file__).parent


class LiveRecording:
    """Has pytest record the service instead of the sandbox; a plugin.

    Args:
        source: the service, the key to it, and where the recordings go.
        paid: whether the tests that cost money are recorded too.
    """

    def __init__(self, source: Source, *, paid: bool) -> None:
        self._source = source
        self._paid = paid

    def pytest_configure(self, config: pytest.Config) -> None:
        """Say what is recorded."""
        config.stash[SOURCE] = self._source

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave what the service can be asked for, and what may be spent."""
        left_out = {"sandbox_only"} if self._paid else {"sandbox_only", "paid"}
        recorded = config.stash[COLLECTED]
        items[:] = [
            item for item in items if item in recorded and not left_out & {mark.name for mark in item.iter_markers()}
        ]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Ask before anything is sent."""
        paid = [item for item in session.items if item.get_closest_marker("paid")]
        cost = estimate(cassette_path(FOLDER, item.path, item.name) for item in paid)
        print(f"\n{len(session.items)} recordings of {self._source.base_url} will be made in {self._source.folder}.")
        print(f"{len(paid)} of them make paid calls: about {cost:.2f} US dollars by the last published prices,")
        print("those of unknown price counted at the highest. The others are free, or fail and are not charged.")
        if _answer("Record now? Type yes: ") != "yes":
            pytest.exit("Nothing was sent.", NOT_AGREED)


def estimate(paths: Iterable[Path]) -> Decimal:
    """What it costs to make these recordings of the sandbox with the service, in US dollars."""
    recorded = (one for path in paths for one in read(path)["interactions"])
    prices = (_price(one["request"]) for one in recorded if one["response"]["status"]["code"] == HTTPStatus.OK)
    return sum(prices, Decimal(0))


def main(arguments: Sequence[str] | None = None) -> int:
    """Record, and compare.

    Returns:
        The exit code: pytest's, or that of a refusal.
    """
    parser = argparse.ArgumentParser(prog="record-live", description="Record the service itself, and compare.")
    parser.add_argument("--paid", action="store_true", help="also the calls that cost money")
    parser.add_argument("--folder", type=Path, default=LIVE_FOLDER, help="default: %(default)s")
    options = parser.parse_args(arguments)
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        print(f"{TOKEN_VARIABLE} is not set. Nothing was sent.", file=sys.stderr)
        return NO_KEY
    source = Source("live", options.folder.resolve(), token, default_base_url())
    root = _HERE.parents[1]
    code = pytest.main(
        # None of the options for offline tests; -s, so that it can ask; and nothing rewritten that is imported already.
        ["-c", str(root / "pyproject.toml"), "-o", "addopts=", "-o", "timeout=0", "-p", "no:randomly", "--assert=plain",
         "-s", "-q", "--force-enable-socket", "--record-mode=all", str(_HERE)],
        [LiveRecording(source, paid=options.paid)],
    )  # fmt: skip
    if code != NOT_AGREED:
        report = differences(FOLDER, source.folder)
        print("\n".join(["", f"{len(report)} differences of shape between sandbox and service:", *report]))
    return int(code)


def _price(recorded: dict[str, Any]) -> Decimal:
    path = urlsplit(recorded["uri"]).path
    action = recorded["body"].get("action", "").removeprefix("upload_")
    for request in _PAID:
        if request.endpoint == path and getattr(request, "action", "") == action:
            return price(request.model_construct())
    return Decimal(0)


def _answer(question: str) -> str:
    try:
        return input(question).strip().lower()
    except EOFError:  # nobody is there to be asked
        return ""


if __name__ == "__main__":
    sys.exit(main())
