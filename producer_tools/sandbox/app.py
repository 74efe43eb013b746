"""The HTTP endpoints: authentication, request bodies and answers."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from typing import Any, TypeVar

from aiohttp import web
from pydantic_core import from_json, to_json

from producer_tools.concurrency.clock import Clock
from producer_tools.sandbox.backend import Backend
from producer_tools.sandbox.callbacks import Callbacks
from producer_tools.sandbox.contract import AudioBody, AudiosBody, Body, LyricsBody, TasksBody, UploadBody, check
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.fault_responses import Handler, respond_with_fault
from producer_tools.sandbox.faults import TASKS, Fault, Faults
from producer_tools.sandbox.files import Files
from producer_tools.sandbox.jobs import StoredTask
from producer_tools.sandbox.records import Vocabulary, Writer

IN_FLIGHT = 5

_CONTRACT = files("producer_tools.sandbox") / "openapi.json"
_logger = logging.getLogger("producer_tools.sandbox")
_AnyBody = TypeVar("_AnyBody", bound=Body)


class Api:
    """The API of one sandbox.

    Args:
        backend: Accepts the requests and stores the tasks.
        clock: The sandbox's clock.
        vocabulary: The form of task records.
        api_token: The only token that is accepted.
        faults: The planned faults.
        silent: Whether files have silence in place of music.
    """

    def __init__(
        self, backend: Backend, clock: Clock, vocabulary: Vocabulary, api_token: str, faults: Faults, *, silent: bool
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._vocabulary = vocabulary
        self._api_token = api_token
        self._callbacks = Callbacks(backend.wait_until_finished)
        self._files = Files(backend.audio, clock, faults, silent=silent)
        self._in_flight = 0
        self._faults = faults

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = web.Application(middlewares=[self._answer_in_json])
        app.router.add_post("/producer/audios", self._audios)
        app.router.add_post("/producer/lyrics", self._instant(LyricsBody, self._backend.lyrics))
        app.router.add_post("/producer/upload", self._instant(UploadBody, self._backend.upload))
        app.router.add_post("/producer/videos", self._instant(AudioBody, self._backend.video))
        app.router.add_post("/producer/wav", self._instant(AudioBody, self._backend.wav))
        app.router.add_post(TASKS, self._tasks)
        app.router.add_get("/sandbox/files/{name}", self._files.serve)
        app.router.add_get("/openapi.json", _contract)
        app.on_response_prepare.append(_mark)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        await self._callbacks.close()
        self._files.close()

    async def _audios(self, request: web.Request) -> web.Response:
        raw = await self._authorised_body(request)
        body = check(AudiosBody, raw)
        with self._paid_request():
            task = self._backend.audios(body, raw)
            writer = self._writer(request)
            if body.callback_url:
                self._callbacks.post(body.callback_url, writer.result(task), task)
            if not body.synchronous:
                return _json(writer.submitted(task))
            await self._backend.wait_until_finished(task)
            if task.error is not None:
                raise task.error
            return _json(writer.result(task))

    def _instant(self, model: type[_AnyBody], start: Callable[[_AnyBody, dict[str, Any]], StoredTask]) -> Handler:
        """A handler for an endpoint whose tasks are finished at once."""

        async def handler(request: web.Request) -> web.Response:
            raw = await self._authorised_body(request)
            body = check(model, raw)
            with self._paid_request():
                return _json(self._writer(request).result(start(body, raw)))

        return handler

    async def _tasks(self, request: web.Request, *, earlier: bool = False) -> web.Response:
        body = check(TasksBody, await self._authorised_body(request))
        ids = [body.id] if body.action == "retrieve" else dict.fromkeys(body.ids)
        found = [self._backend.tasks[task_id] for task_id in ids if task_id in self._backend.tasks]
        writer, now = self._writer(request), self._clock.now()
        # A task that takes longer has made less progress by now.
        shown = [replace(task, finished_at=2 * now - task.created_at + 1) if earlier else task for task in found]
        records = [writer.record(task, now) for task in shown]
        if body.action == "retrieve":
            return _json(records[0] if records else {})
        return _json({"items": records, "count": len(records)})

    async def _authorised_body(self, request: web.Request) -> dict[str, Any]:
        """Check the token, and return the JSON object that was sent.

        Raises:
            ApiError: ``no_token``, ``invalid_token`` or ``bad_request``.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ApiError("no_token", "the header Authorization: Bearer <token> is missing")
        if token.strip() != self._api_token:
            raise ApiError("invalid_token", "this is not the sandbox's token")
        try:
            body = from_json(await request.read(), allow_inf_nan=False)
        except ValueError as error:
            raise ApiError("bad_request", f"the body is not JSON: {error}") from None
        if not isinstance(body, dict):
            raise ApiError("bad_request", "the body must be a JSON object")
        self._backend.log_request(request.path, body)
        return body

    @contextmanager
    def _paid_request(self) -> Iterator[None]:
        """Count one paid request as in flight inside the block.

        Raises:
            ApiError: ``too_many_requests`` or ``used_up``.
        """
        if self._in_flight >= IN_FLIGHT:
            raise ApiError("too_many_requests", f"more than {IN_FLIGHT} paid requests are in flight for this token")
        self._in_flight += 1
        try:
            self._backend.check_balance()
            yield
        finally:
            self._in_flight -= 1

    def _writer(self, request: web.Request) -> Writer:
        # URLs start with the address that the caller used, so that the caller can reach them.
        return Writer(self._vocabulary, f"{request.scheme}://{request.host}")

    @web.middleware
    async def _answer_in_json(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer every error in the API's JSON form, except where a planned fault says otherwise."""
        fault = self._faults.next(request.path) if request.method == "POST" else None
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
        self, request: web.Request, handler: Handler, fault: Fault | ApiError | None
    ) -> web.StreamResponse:
        if fault is None:
            return await handler(request)
        if isinstance(fault, ApiError):
            raise fault
        if fault is Fault.BACKWARDS:
            return await self._tasks(request, earlier=True)
        return await respond_with_fault(fault, request, handler)

    def _refusal(self, error: ApiError) -> web.Response:
        response = _json({"success": False, "error": error.body(), "trace_id": self._backend.new_trace_id()})
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
