"""New URLs for a task whose URLs have expired."""

import asyncio
from collections.abc import Awaitable, Callable

from producer_tools.errors import DownloadError, ProducerToolError
from producer_tools.files.fetch.fetcher import FileFetcher
from producer_tools.files.fetch.part_file import PartFile
from producer_tools.files.formats.types import FileType
from producer_tools.files.library.wanted import Wanted, wanted_files
from producer_tools.tasks.task import Task

_EXPIRED = frozenset({"http_403", "http_404", "http_410"})


class Renewal:
    """Fetches the files of one task, and looks the task up once more if a URL has expired: that makes new URLs.

    Args:
        task: the task.
        look_up: looks a task up; ``None`` if that was done just now.
    """

    def __init__(self, task: Task, look_up: Callable[[str], Awaitable[Task]] | None) -> None:
        self._task = task
        self._look_up = look_up
        self._lock = asyncio.Lock()
        self._new_urls: dict[str, str] = {}

    @property
    def task(self) -> Task:
        """The task as it was looked up last."""
        return self._task

    def url(self, file: Wanted) -> str:
        """Where a file is, as far as is known."""
        return self._new_urls.get(file.key, file.url)

    async def fetch(self, files: FileFetcher, file: Wanted, part: PartFile) -> FileType:
        """Fetch a file. If its URL has expired and the task has another one for it now, that is tried once.

        Raises:
            ProducerToolError: the file could not be fetched.
        """
        url = self.url(file)
        try:
            return await files.fetch(url, part, file.kind)
        except DownloadError as error:
            if error.code not in _EXPIRED:
                raise
            await self._renew()
            if self.url(file) == url:
                raise
        return await files.fetch(self.url(file), part, file.kind)

    async def _renew(self) -> None:
        """Look the task up, if that was not done before."""
        async with self._lock:
            look_up, self._look_up = self._look_up, None
            if look_up is None or self._task.task_id is None:
                return
            try:
                task = await look_up(self._task.task_id)
                self._new_urls = {file.key: file.url for file in wanted_files(task)}
            except ProducerToolError:
                return  # the URL that has expired is what the caller learns of
            self._task = task
