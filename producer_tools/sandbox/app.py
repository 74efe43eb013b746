"""The endpoints over HTTP: who may ask, what is asked, and the answer."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from typing import Any, TypeVar

from aiohttp import web
from pydantic_core import from_json, to_json

from producer_tools.concurrency.clock import Clock
from producer_tools.sandbox.callbacks import Callbacks
from producer_tools.sandbox.contract import AudioBody, AudiosBody, Body, LyricsBody, TasksBody, UploadBody, check
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.faults import TASKS, Fault, Faults
from producer_tools.sandbox.files import Files
from producer_tools.sandbox.jobs import Task
from producer_tools.sandbox.records import Vocabulary, Writer
from producer_tools.sandbox.spoiling import Handler, go_wrong
from producer_tools.sandbox.studio import Studio

IN_FLIGHT = 5

_DESCRIPTION = files("producer_tools.sandbox") / "openapi.json"
_logger = logging.getLogger("producer_tools.sandbox")
_AnyBody = TypeVar("_AnyBody", bound=Body)


class Api:
    """The API of one sandbox.

    Args:
        studio: Takes the orders.
        clock: The sandbox's clock.
        vocabulary: How records are written.
        api_token: The one token that is accepted.
        faults: What goes wrong on purpose.
    """

    def __init__(self, studio: Studio, clock: Clock, vocabulary: Vocabulary, api_token: str, faults: Faults) -> None:
        self._studio = studio
        self._clock = clock
        self._vocabulary = vocabulary
        self._api_token = api_token
        self._callbacks = Callbacks(clock)
        self._files = Files(studio.audio, clock)
        self._in_flight = 0
        self._faults = faults

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[self._in_json])
        app.router.add_post("/producer/audios", self._audios)
        app.router.add_post("/producer/lyrics", self._at_once(LyricsBody, self._studio.lyrics))
        app.router.add_post("/producer/upload", self._at_once(UploadBody, self._studio.upload))
        app.router.add_post("/producer/videos", self._at_once(AudioBody, self._studio.video))
        app.router.add_post("/producer/wav", self._at_once(AudioBody, self._studio.wav))
        app.router.add_post(TASKS, self._tasks)
        app.router.add_get("/sandbox/files/{name}", self._files.serve)
        app.router.add_get("/openapi.json", _description)
        app.on_response_prepare.append(_mark)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        await self._callbacks.close()
        self._files.close()

    async def _audios(self, request: web.Request) -> web.Response:
        raw = await self._authorised_body(request)
        body = check(AudiosBody, raw)
        with self._paid():
            task = self._studio.audios(body, raw)
            writer = self._writer(request)
            if body.callback_url:
                self._callbacks.post(body.callback_url, writer.result(task), task.finished_at)
            if not body.held:
                return _json(writer.submitted(task))
            await self._clock.sleep(task.finished_at - self._clock.now())
            if task.error is not None:
                raise task.error
            return _json(writer.result(task))

    def _at_once(self, model: type[_AnyBody], make: Callable[[_AnyBody, dict[str, Any]], Task]) -> Handler:
        """A handler for an endpoint that answers with its result."""

        async def handler(request: web.Request) -> web.Response:
            raw = await self._authorised_body(request)
            body = check(model, raw)
            with self._paid():
                return _json(self._writer(request).result(make(body, raw)))

        return handler

    async def _tasks(self, request: web.Request, *, earlier: bool = False) -> web.Response:
        body = check(TasksBody, await self._authorised_body(request))
        wanted = [body.id] if body.action == "retrieve" else dict.fromkeys(body.ids)
        found = [self._studio.tasks[task_id] for task_id in wanted if task_id in self._studio.tasks]
        writer, now = self._writer(request), self._clock.now()
        # Of a longer task, less is done by now.
        shown = [replace(task, finished_at=2 * now - task.created_at + 1) if earlier else task for task in found]
        records = [writer.record(task, now) for task in shown]
        if body.action == "retrieve":
            return _json(records[0] if records else {})
        return _json({"items": records, "count": len(records)})

    async def _authorised_body(self, request: web.Request) -> dict[str, Any]:
        """The JSON object that a caller with the right token sent.

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
        return body

    @contextmanager
    def _paid(self) -> Iterator[None]:
        """Hold one of the places that paid requests have while they are handled.

        Raises:
            ApiError: ``too_many_requests`` or ``used_up``.
        """
        if self._in_flight >= IN_FLIGHT:
            raise ApiError("too_many_requests", f"more than {IN_FLIGHT} paid requests are in flight for this token")
        self._in_flight += 1
        try:
            self._studio.check_balance()
            yield
        finally:
            self._in_flight -= 1

    def _writer(self, request: web.Request) -> Writer:
        # The address the caller used, so that a URL works from where it is read.
        return Writer(self._vocabulary, f"{request.scheme}://{request.host}")

    @web.middleware
    async def _in_json(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer every fault in the API's own form, but for those that are wanted otherwise."""
        fault = self._faults.next(request.path) if request.method == "POST" else None
        try:
            response = await self._answer(request, handler, fault)
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

    async def _answer(
        self, request: web.Request, handler: Handler, fault: Fault | ApiError | None
    ) -> web.StreamResponse:
        if fault is None:
            return await handler(request)
        if isinstance(fault, ApiError):
            raise fault
        if fault is Fault.BACKWARDS:
            return await self._tasks(request, earlier=True)
        return await go_wrong(fault, request, handler)

    def _refusal(self, error: ApiError) -> web.Response:
        response = _json({"success": False, "error": error.body(), "trace_id": self._studio.new_trace_id()})
        response.set_status(error.status)
        if error.code == "too_many_requests":
            response.headers["Retry-After"] = "1"
        return response


async def _mark(_: web.Request, response: web.StreamResponse) -> None:
    """No answer may pass for the service's."""
    response.headers["X-Producer-Sandbox"] = "not-the-service"


async def _description(_: web.Request) -> web.Response:
    """The contract as a file; whoever writes a client may read it before there is a token."""
    return web.Response(body=_DESCRIPTION.read_bytes(), content_type="application/json")


def _json(answer: dict[str, Any]) -> web.Response:
    # Not `json`: a request is echoed in its record, and 1e999 in it must not become a word that JSON has not.
    return web.Response(body=to_json(answer, inf_nan_mode="null"), content_type="application/json")
