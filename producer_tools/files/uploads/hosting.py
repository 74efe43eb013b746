"""Gives a recording an address on the web, at one of the provider's own file endpoints. That costs nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from yarl import URL

from producer_tools.errors import AnswerError, AuthenticationError, DownloadError, FileHostingError, ProducerToolError
from producer_tools.files.fetch.url_rules import UrlRules, read_url
from producer_tools.files.uploads.recordings import Recording
from producer_tools.http.faults import SAFE_TO_RETRY_IF_FREE
from producer_tools.http.safe_text import safe_name, safe_text
from producer_tools.http.transport import Transport
from producer_tools.requests.fields import Url
from producer_tools.tasks.results import LONGEST_URL
from producer_tools.telemetry import logger

_OF_THE_API = "/files/upload"
_OF_THE_PLATFORM = "/api/v1/files/"
_KEYS = ("url", "file_url", "download_url", "file")
_OBJECTS = ("data", "file")
_LONGEST_REASON = 150
_url = TypeAdapter(Url)


class FileHosts:
    """The two file endpoints that are known. Which of them an API token may use is not.

    The API's own, ``POST {base_url}/files/upload``, is tried first: the token is meant for that host, and the answer
    and the limits are documented (faq: ``{success, url, expires_at}``, 25 MB, 7 days). The provider's SDK uses the
    platform's, ``POST {platform_base_url}/api/v1/files/``, whose answer is known only in part, and whose host expects a
    platform token for its other calls. If one has no such endpoint, refuses or fails, the other is tried. The one that
    has worked is tried first from then on.

    Args:
        transport: sends the files.
        base_url: the API's address.
        platform_base_url: the platform's address.
    """

    def __init__(self, transport: Transport, base_url: str, platform_base_url: str) -> None:
        self._transport = transport
        self._addresses = (base_url + _OF_THE_API, platform_base_url.rstrip("/") + _OF_THE_PLATFORM)
        self._worked: str | None = None

    async def host(self, recording: Recording) -> str:
        """Send a recording, and return its address, which is public and lasts seven days (faq).

        Raises:
            FileHostingError: no endpoint took it.
            MissingTokenError: there is no token; nothing was sent.
        """
        refusals: dict[str, ProducerToolError] = {}
        for address in sorted(self._addresses, key=lambda each: each != self._worked):
            try:
                url = await self._host_at(address, recording)
            except ProducerToolError as error:  # noqa: PERF203 - one turn sends a file
                refusals[address] = error
                logger.info("The file endpoint %s did not take a recording: %s", address, _reason_of(error))
            else:
                self._worked = address
                return url
        raise _not_hosted(refusals)

    async def _host_at(self, address: str, recording: Recording) -> str:
        """Send a recording to one endpoint.

        Raises:
            ProducerToolError: it did not take it, or its answer has no usable address.
        """
        answer = await self._transport.post_file(address, recording.name, recording.content_type, recording.content)
        if answer.get("success") is False or answer.get("error"):
            raise AnswerError("not_hosted", _reason_in(answer))
        given = list(_texts(answer))
        usable = next((url for url in given if _is_usable(url) and _is_public(url, address)), None)
        if usable is None:
            problem = "the url in its answer is no public http(s) address" if given else "its answer has no url"
            raise AnswerError("unreadable_answer", problem)
        return usable


def _texts(answer: Mapping[str, Any]) -> Iterator[str]:
    """The texts that may be the address. The platform's answer is documented nowhere, so all likely keys are read."""
    nodes = [answer, *(answer.get(name) for name in _OBJECTS)]
    for node in nodes:
        if isinstance(node, Mapping):
            yield from (text for key in _KEYS if isinstance(text := node.get(key), str) and text)


def _reason_in(answer: Mapping[str, Any]) -> str:
    """What an answer says about its failure."""
    error = answer.get("error")
    given = error.get("message") if isinstance(error, Mapping) else error
    reason = given or answer.get("message") or answer.get("detail")
    return safe_text(reason, _LONGEST_REASON) if isinstance(reason, str) else "its answer has no success and no reason"


def _is_usable(url: str) -> bool:
    """Whether it is an http(s) address that can be sent on as it is."""
    if safe_name(url, LONGEST_URL) is None or url.split() != [url]:  # a token in it was replaced by a text with a space
        return False
    try:
        _url.validate_python(url)
    except ValidationError:
        return False
    return True


def _is_public(url: str, endpoint: str) -> bool:
    """Whether the service can reach it. Only an endpoint inside a network, such as the sandbox, may name one there."""
    rules = UrlRules.beside(endpoint)
    try:
        address = read_url(url)
        if address.host == URL(endpoint).host:
            return True
        rules.check(address.with_scheme("https"))
    except DownloadError:
        return False
    return rules.loopback or address.host != "localhost"


def _not_hosted(refusals: Mapping[str, ProducerToolError]) -> FileHostingError:
    """The error for a recording that no endpoint took, by what each of them said."""
    said = "; ".join(f"{address} said {_shortened(_reason_of(error))}" for address, error in refusals.items())
    if all(isinstance(error, AuthenticationError) for error in refusals.values()):
        return FileHostingError(
            "token_not_accepted", f"No file endpoint accepts this API token, so the same call will fail again. {said}."
        )
    may_pass = any(isinstance(error, SAFE_TO_RETRY_IF_FREE) for error in refusals.values())
    again = "; a later call may succeed" if may_pass else ", and the same call will fail again"
    return FileHostingError("no_file_endpoint", f"No file endpoint took the recording{again}. {said}.")


def _reason_of(error: ProducerToolError) -> str:
    return f"{error.code}: {error.message}"


def _shortened(reason: str) -> str:
    reason = reason.rstrip(".")
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"
