"""The HTTP endpoints: authentication, request bodies and answers."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, TypeVar

from aiohttp import web
from pydantic_core import from_json, to_json

from producer_tools.concurrency.clock import Clock
from producer_tools.sandbox.backend import Backend
from producer_tools.sandbox.callbacks import Callbacks
from producer_tools.sandbox.contract import AudioBody, AudiosBody, Body, LyricsBody, TasksBody, UploadBody, check
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.fault_responses import Handler, refused, respond_with_fault
from producer_tools.sandbox.faults import TASKS, Fault, Faults, Refusal
from producer_tools.sandbox.file_hosts import API_FILES, HOSTED, PLATFORM_FILES, FileHosts
from producer_tools.sandbox.files import AudioFormat, Files
from producer_tools.sandbox.jobs import StoredTask
from producer_tools.sandbox.listing import Listing
from producer_tools.sandbox.outages import Outages
from producer_tools.sandbox.price_list import APIS, SERVICES, PriceList
from producer_tools.sandbox.records import Vocabulary, Writer
from producer_tools.sandbox.users import User, Users

IN_FLIGHT = 5

_CONTRACT = files("producer_tools.sandbox") / "openapi.json"
_logger = logging.getLogger("producer_tools.sandbox")
_AnyBody = TypeVar("_AnyBody", bound=Body)


@dataclass(frozen=True, slots=True)
class Controls:
    """What a test can change while the sandbox runs.

    Attributes:
        users: The accounts.
        faults: The planned and random faults.
        outages: The times in which the service cannot make songs.
        listing: How a list of tasks is answered.
        price_list: How requests for prices are answered.
        file_hosts: How files are taken.
    """

    users: Users
    faults: Faults
    outages: Outages
    listing: Listing
    price_list: PriceList
    file_hosts: FileHosts


class Api:
    """The API of one sandbox.

    Args:
        backend: Accepts the requests and stores the tasks.
        clock: The sandbox's clock.
        vocabulary: The form of task records.
        controls: What can be changed meanwhile.
        audio_format: The format of songs, uploads and previews.
        silent: Whether files have silence in place of music.
    """

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        vocabulary: Vocabulary,
        controls: Controls,
        audio_format: AudioFormat,
        *,
        silent: bool,
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._vocabulary = vocabulary
        self._controls = controls
        self._audio_format = audio_format
        self._callbacks = Callbacks(backend.wait_until_finished)
        self._files = Files(backend.audio, clock, controls.faults, audio_format, silent=silent)
        self._in_flight: Counter[User] = Counter()

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = web.Application(middlewares=[self._answer_in_json])
        app.router.add_post("/producer/audios", self._audios)
        app.router.add_post("/producer/lyrics", self._instant(LyricsBody, self._backend.lyrics))
        app.router.add_post("/producer/upload", self._instant(UploadBody, self._upload))
        app.router.add_post("/producer/videos", self._instant(AudioBody, self._backend.video))
        app.router.add_post("/producer/wav", self._instant(AudioBody, self._backend.wav))
        app.router.add_post(TASKS, self._tasks)
        app.router.add_get("/sandbox/files/{name}", self._files.serve)
        app.router.add_get("/openapi.json", _contract)
        app.router.add_get(APIS, self._controls.price_list.serve_apis)
        app.router.add_get(SERVICES, self._controls.price_list.serve_services)
        app.router.add_post(API_FILES, self._take_file)
        app.router.add_post(PLATFORM_FILES, self._take_file)
        app.router.add_get(HOSTED + "{number}/{name}", self._controls.file_hosts.serve)
        app.on_response_prepare.append(_mark)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        await self._callbacks.close()
        self._files.close()

    async def _audios(self, request: web.Request) -> web.Response:
        user, raw = await self._authorised_body(request)
        body = check(AudiosBody, raw)
        with self._paid_request(user, body.action):
            self._backend.check_unfinished(user)
            task = self._backend.audios(body, raw, user, self._controls.outages.failure(body.action))
            writer = self._writer(request)
            if body.callback_url:
                self._callbacks.post(body.callback_url, writer.result(task), task)
            if not body.synchronous:
                return _json(writer.submitted(task))
            await self._backend.wait_until_finished(task)
            if task.error is not None:
                raise task.error
            return _json(writer.result(task))

    def _instant(self, model: type[_AnyBody], start: Callable[[_AnyBody, dict[str, Any], User], StoredTask]) -> Handler:
        """A handler for an endpoint whose tasks are finished at once."""

        async def handler(request: web.Request) -> web.Response:
            user, raw = await self._authorised_body(request)
            body = check(model, raw)
            with self._paid_request(user):
                return _json(self._writer(request).result(start(body, raw, user)))

        return handler

    def _upload(self, body: UploadBody, raw: dict[str, Any], user: User) -> StoredTask:
        return self._backend.upload(body, raw, user, self._controls.file_hosts.seed(body.audio_url))

    async def _take_file(self, request: web.Request) -> web.Response:
        user = self._user(request)
        return _json(await self._controls.file_hosts.take(request, user.user_id, self._clock.now()))

    async def _tasks(self, request: web.Request, *, earlier: bool = False) -> web.Response:
        user, raw = await self._authorised_body(request)
        body, now, listing = check(TasksBody, raw), self._clock.now(), self._controls.listing
        if body.is_listing:
            found, count = listing.select(self._backend.tasks.values(), body, user, now)
        else:
            found = self._backend.find_tasks([body.id] if body.action == "retrieve" else body.ids, user)
            count = len(found)
        writer = self._writer(request)
        # A task that takes longer has made less progress by now.
        shown = [replace(task, finished_at=2 * now - task.created_at + 1) if earlier else task for task in found]
        records = [writer.record(task, now) for task in shown]
        if body.action == "retrieve":
            return _json(records[0] if records else {})
        return _json(listing.write(records, count) if body.is_listing else {"items": records, "count": count})

    async def _authorised_body(self, request: web.Request) -> tuple[User, dict[str, Any]]:
        """Check the token, and return whose it is, and the JSON object that was sent.

        Raises:
            ApiError: ``no_token``, ``invalid_token`` or ``bad_request``.
        """
        user = self._user(request)
        try:
            body = from_json(await request.read(), allow_inf_nan=False)
        except ValueError as error:
            raise ApiError("bad_request", f"the body is not JSON: {error}") from None
        if not isinstance(body, dict):
            raise ApiError("bad_request", "the body must be a JSON object")
        self._backend.log_request(request.path, body, user)
        return user, body

    def _user(self, request: web.Request) -> User:
        """Check the token, and return whose it is.

        Raises:
            ApiError: ``no_token`` or ``invalid_token``.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ApiError("no_token", "the header Authorization: Bearer <token> is missing")
        user = self._controls.users.find(token.strip())
        if user is None:
            raise ApiError("invalid_token", "this is not a token of the sandbox")
        return user

    @contextmanager
    def _paid_request(self, user: User, action: str | None = None) -> Iterator[None]:
        """Count one paid request as in flight inside the block.

        Raises:
            ApiError: ``too_many_requests`` or ``used_up``, or an outage's.
        """
        if self._in_flight[user] >= IN_FLIGHT:
            raise ApiError("too_many_requests", f"more than {IN_FLIGHT} paid requests are in flight for this token")
        self._in_flight[user] += 1
        try:
            self._backend.check_balance(user)
            self._controls.outages.check(action)
            yield
        finally:
            self._in_flight[user] -= 1

    def _writer(self, request: web.Request) -> Writer:
        # URLs start with the address that the caller used, so that the caller can reach them.
        return Writer(self._vocabulary, f"{request.scheme}://{request.host}", self._audio_format)

    @web.middleware
    async def _answer_in_json(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer every error in the API's JSON form, except where a planned fault says otherwise."""
        fault = self._controls.faults.next(request.path) if request.method == "POST" else None
        try:
            response = await self._answer_or_fault(request, handler, fault)
        except ApiError as error:
            response = self._refusal(error)
        except web.HTTPNotFound:
            response = self._refusal(ApiError("no_api", f"there is no API at {request.path}"))
        except web.HTTPException as error:
            response = self._refusal(ApiError("bad_request", f"{request.method} {request.path}: {error.reason}"))
        except Exception:
            _logger.exception("%s %s failed", request.method, request.path)
            response = self._refusal(ApiError("api_error", "the sandbox itself failed; its log says how"))
        return response

    async def _answer_or_fault(
        self, request: web.Request, handler: Handler, fault: Fault | Refusal | None
    ) -> web.StreamResponse:
        if fault is None:
            return await handler(request)
        if isinstance(fault, Refusal):
            return self._error(fault.error, await refused(fault, request, handler))
        if fault is Fault.BACKWARDS:
            return await self._tasks(request, earlier=True)
        return await respond_with_fault(fault, request, handler)

    def _refusal(self, error: ApiError) -> web.Response:
        return self._error(error, Refusal(error).body(None))

    def _error(self, error: ApiError, body: Mapping[str, Any]) -> web.Response:
        """``body`` as the answer that goes with ``error``."""
        response = _json({**body, "trace_id": self._backend.new_trace_id()})
        response.set_status(error.status)
        if error.code == "too_many_requests":
            response.headers["Retry-After"] = "1"
        return response


async def _mark(_: web.Request, response: web.StreamResponse) -> None:
    """Mark every answer, so that none is mistaken for the service's."""
    response.headers["X-Producer-Sandbox"] = "not-the-service"


async def _contract(_: web.Request) -> web.Response:
    """The contract as a file; no token is needed to read it."""
    return web.Response(body=_CONTRACT.read_bytes(), content_type="application/json")


def _json(answer: dict[str, Any]) -> web.Response:
    # Not `json`: a record repeats its request, and `json` would write 1e999 in it as Infinity, which is not JSON.
    return web.Response(body=to_json(answer, inf_nan_mode="null"), content_type="application/json")
