"""Checks of the service, all free: is the base URL the API's, is the token accepted, which price is listed."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from producer_tools.client import ProducerClient
from producer_tools.doctor.results import CheckResult
from producer_tools.errors import (
    AuthenticationError,
    InsufficientBalanceError,
    MissingTokenError,
    ProducerError,
    ServiceDisabledError,
    TaskNotFoundError,
)
from producer_tools.http.answers import describe_unreadable, json_object
from producer_tools.http.safe_text import safe_text
from producer_tools.http.sessions import new_session
from producer_tools.http.transport import USER_AGENT
from producer_tools.requests import AUDIOS, TASKS, GetTask

LISTED_PRICE = "listed price"
"""The check of the price."""

_SECONDS = 15.0
_LIST_SECONDS = 5.0  # the client tries again for longer than a person waits
_UNKNOWN_TASK = "00000000-0000-4000-8000-000000000000"
_LARGEST_ANSWER = 4 * 1024 * 1024
_LONGEST_TEXT = 300
_HEADERS = {"User-Agent": USER_AGENT}
_TIMEOUT = aiohttp.ClientTimeout(total=_SECONDS)


class _Answer(NamedTuple):
    status: int
    raw: bytes
    location: str


async def check_base_url(base_url: str) -> CheckResult:
    """Whether the base URL is the API's. The request has no token, which no other server must get.

    Args:
        base_url: where the endpoints' paths are appended.
    """
    answer = await _ask(base_url + TASKS, GetTask(task_id=_UNKNOWN_TASK).body())
    problem = answer if isinstance(answer, str) else _problem_of(answer)
    return CheckResult("base URL", "bad" if problem else "good", f"{shown(base_url)} {problem or 'is the API'}.")


async def check_token(client: ProducerClient) -> CheckResult:
    """Whether the service accepts the token: a look-up of a task that does not exist, which is free."""
    try:
        await asyncio.wait_for(client.get_task(_UNKNOWN_TASK), _SECONDS)
    except TaskNotFoundError:
        pass
    except MissingTokenError:
        return CheckResult("token", "bad", "There is none. Set ACEDATACLOUD_API_TOKEN to the application's API token.")
    except AuthenticationError as error:
        return CheckResult("token", "bad", f"It is not accepted: {_in_a_line(error.message)} ({error.code}).")
    except (InsufficientBalanceError, ServiceDisabledError) as error:
        return CheckResult("token", "bad", f"It is accepted, but: {_in_a_line(error.message)} ({error.code}).")
    except ProducerError as error:
        return CheckResult("token", "not known", f"The look-up failed: {_in_a_line(error.message)} ({error.code}).")
    except asyncio.TimeoutError:
        return CheckResult("token", "not known", f"No answer to a look-up within {_SECONDS:g} seconds.")
    return CheckResult("token", "good", "It is accepted.")


async def check_price(client: ProducerClient) -> list[CheckResult]:
    """What the platform lists for making songs: the stage of the API and its cost. The list needs no token."""
    try:
        listed = await asyncio.wait_for(client.fetch_prices(), _LIST_SECONDS)
    except ProducerError as error:
        return _no_price(f"The list cannot be read: {_in_a_line(error.message)} ({error.code}).")
    except asyncio.TimeoutError:
        return _no_price(f"The list could not be read within {_LIST_SECONDS:g} seconds.")
    songs = next(each for each in listed.prices if each.endpoint == AUDIOS)
    if not songs.stage and not songs.cost:
        return _no_price(f"The platform's list about {AUDIOS}: {_in_a_line(songs.problem)}.")
    # How the cost is written is not documented, so it is shown as it is.
    return [
        CheckResult(name, "good", _in_a_line(value))
        if value
        else CheckResult(name, "not known", "The platform does not list it.")
        for name, value in (("listed stage", songs.stage), (LISTED_PRICE, songs.cost))
    ]


def _no_price(why: str) -> list[CheckResult]:
    return [CheckResult(name, "not known", why) for name in ("listed stage", LISTED_PRICE)]


def shown(url: str) -> str:
    """A URL as it can be shown: without the user and the password in it."""
    try:
        return safe_text(str(URL(url).with_user(None)), _LONGEST_TEXT)
    except ValueError:
        return "The address"


async def _ask(url: str, body: Mapping[str, Any]) -> _Answer | str:
    """The answer to a request without a token, or why there is none."""
    try:
        async with (
            new_session() as session,
            session.post(url, json=body, headers=_HEADERS, timeout=_TIMEOUT, allow_redirects=False) as response,
        ):
            raw = bytearray()
            async for chunk in response.content.iter_chunked(65536):
                raw += chunk
                if len(raw) > _LARGEST_ANSWER:
                    return "sends far more than the API does"
            return _Answer(response.status, bytes(raw), response.headers.get("Location", ""))
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as fault:
        return _fault_in_words(fault)


def _fault_in_words(fault: Exception) -> str:
    if isinstance(fault, asyncio.TimeoutError):
        return f"does not answer within {_SECONDS:g} seconds"
    if isinstance(fault, aiohttp.ClientSSLError):
        return f"cannot be reached safely. TLS: {_in_a_line(str(fault))}"
    if isinstance(fault, aiohttp.ClientConnectorDNSError):
        return "cannot be found. DNS knows no such host, or this machine is offline"
    if isinstance(fault, aiohttp.ClientConnectorError):
        return f"accepts no connection: {_in_a_line(fault.os_error.strerror or str(fault))}"
    if isinstance(fault, ValueError):
        return "is not a valid URL"
    return f"breaks the connection ({type(fault).__name__})"


def _problem_of(answer: _Answer) -> str | None:
    """Why an answer to a look-up without a token is not one that the API gives; ``None`` if it is."""
    status, body = answer.status, json_object(answer.raw)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"redirects to {shown(answer.location)}. Redirects are not followed: set the base URL to the API itself"
    if body is None:
        return f"is not the API: it answers HTTP {status}, and not with JSON ({describe_unreadable(answer.raw)})"
    error = body.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if status == HTTPStatus.NOT_FOUND or code == "no_api":
        return f"has no Producer API (HTTP {status}, no {TASKS})"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"fails (HTTP {status}). The service, or a proxy before it, is down: try again later"
    is_known = bool(code or body.get("detail")) if status != HTTPStatus.OK else bool(code) or not body
    return None if is_known else f"is not the API: it answers HTTP {status} with other JSON than the API"


def _in_a_line(text: str) -> str:
    return safe_text(" ".join(text.split()), _LONGEST_TEXT).rstrip(".")
