"""Record the service itself: ``make record-live``, or ``python -m tests.recorded.live`` in the root of the project.

It needs a token, estimates the cost, and asks before it sends anything. The recordings have a folder of their own. At
the end it prints where the shape of the service's answers differs from that of the sandbox's.
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

from producer_tools.http.settings import default_base_url
from producer_tools.http.tokens import TOKEN_VARIABLE
from producer_tools.payment.prices import estimate as price
from producer_tools.requests import GenerateLyrics, GenerateVideo, GenerateWav, MusicRequest, Request, UploadAudio
from tests.recorded.cassettes import COLLECTED, FOLDER, LIVE_FOLDER, SOURCE, Source, cassette_path, read
from tests.recorded.shapes import differences

_PAID: tuple[type[Request], ...] = (
    *MusicRequest.__subclasses__(), GenerateLyrics, UploadAudio, GenerateVideo, GenerateWav,
)  # fmt: skip
# Exit codes in addition to those of pytest.
NOT_AGREED = 10
NO_TOKEN = 11
_HERE = Path(__file__).parent


class LiveRecording:
    """A pytest plugin that records the service instead of the sandbox.

    Args:
        source: the service, its token, and the folder of the recordings.
        paid: whether to record the tests that cost money too.
    """

    def __init__(self, source: Source, *, paid: bool) -> None:
        self._source = source
        self._paid = paid

    def pytest_configure(self, config: pytest.Config) -> None:
        """Set what is recorded."""
        config.stash[SOURCE] = self._source

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the tests that the service can answer and that the user agreed to pay for."""
        excluded = {"sandbox_only"} if self._paid else {"sandbox_only", "paid"}
        recorded = config.stash[COLLECTED]
        items[:] = [
            item for item in items if item in recorded and not excluded & {mark.name for mark in item.iter_markers()}
        ]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Ask the user before anything is sent."""
        paid = [item for item in session.items if item.get_closest_marker("paid")]
        cost = estimate(cassette_path(FOLDER, item.path, item.name) for item in paid)
        print(f"\n{len(session.items)} recordings of {self._source.base_url} will be made in {self._source.folder}.")
        print(f"{len(paid)} of them make paid calls: an estimated {cost:.2f} US dollars,")
        print("unknown prices counted as the highest known one. The others are free, or fail and are not charged.")
        if _answer("Record now? Type yes: ") != "yes":
            pytest.exit("Nothing was sent.", NOT_AGREED)


def estimate(paths: Iterable[Path]) -> Decimal:
    """What the requests in these recordings of the sandbox would cost at the service, in US dollars."""
    recorded = (each for path in paths for each in read(path)["interactions"])
    prices = (_price(each["request"]) for each in recorded if each["response"]["status"]["code"] == HTTPStatus.OK)
    return sum(prices, Decimal(0))


def main(arguments: Sequence[str] | None = None) -> int:
    """Record the service, and compare its recordings with the sandbox's.

    Returns:
        The exit code of pytest, or `NO_TOKEN`, or `NOT_AGREED`.
    """
    description = "Record the service and compare it with the sandbox."
    parser = argparse.ArgumentParser(prog="record-live", description=description)
    parser.add_argument("--paid", action="store_true", help="also record the calls that cost money")
    parser.add_argument("--folder", type=Path, default=LIVE_FOLDER, help="default: %(default)s")
    options = parser.parse_args(arguments)
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        print(f"{TOKEN_VARIABLE} is not set. Nothing was sent.", file=sys.stderr)
        return NO_TOKEN
    source = Source("live", options.folder.resolve(), token, default_base_url())
    root = _HERE.parents[1]
    code = pytest.main(
        # Without the options for offline tests. -s lets it ask. Assertions of modules that are already imported cannot
        # be rewritten, which would be a warning.
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
    except EOFError:  # there is no terminal
        return ""


if __name__ == "__main__":
    sys.exit(main())
