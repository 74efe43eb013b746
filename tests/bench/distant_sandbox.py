"""The sandbox as a program, with answers that come later: as from a service that is not on the same machine."""

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler

from producer_tools.sandbox.__main__ import main
from producer_tools.sandbox.app import Api

SECONDS = 0.05

_application = Api.application


@web.middleware
async def _later(request: web.Request, handler: Handler) -> web.StreamResponse:
    await asyncio.sleep(SECONDS)
    return await handler(request)


def _distant_application(self: Api) -> web.Application:
    application = _application(self)
    application.middlewares.insert(0, _later)
    return application


if __name__ == "__main__":
    Api.application = _distant_application  # type: ignore[method-assign]  # this program changes nothing else
    main()
