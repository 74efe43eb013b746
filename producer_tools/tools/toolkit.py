"""The toolkit: all tools, sharing one client."""

from pathlib import Path
from typing import Annotated, Any

from langchain_core.tools import BaseTool, BaseToolkit
from pydantic import AfterValidator, ConfigDict, Field

from producer_tools.client import ProducerClient
from producer_tools.concurrency.closing import Closing
from producer_tools.concurrency.paths import absolute_path
from producer_tools.errors.invalid_argument import CheckedModel
from producer_tools.files.directory import DirectoryCheck
from producer_tools.files.downloads import DEFAULT_DIRECTORY
from producer_tools.progress import OnProgress
from producer_tools.tools.base import ProducerTool, SubmittingTool
from producer_tools.tools.catalog import ALL_TOOLS
from producer_tools.tools.files import ProducerDownloadResults
from producer_tools.tools.media import ProducerUploadAudio, UploadDir
from producer_tools.tools.tasks import ProducerWaitForTasks


class ProducerToolkit(Closing, CheckedModel, BaseToolkit):
    """All tools of the package, sharing one client.

    Args:
        client: the client that the tools use; default a client from the environment. A missing token is an error at
            the first call, not here.
        on_progress: called with each change of each task that a tool waits for.
        download_dir: where files are saved; default ``./producer-downloads``, made when it is first needed. A model
            cannot choose another directory, and nothing is written outside it. `producer_tools.Downloader` says when a
            relative one is made absolute. If you give one in which no file can be written, paid tools raise
            `ConfigurationError` and send nothing.
        upload_dir: a folder whose files a model may upload, by their relative paths; default none: then a model can
            only name audio on the web. `ProducerUploadAudio` says more.
        paid_tools: whether the tools that cost money are included.
        listen: whether a model that saves songs also reads what was measured of them (extra ``sound``). To let it hear
            them too, add a `producer_tools.langgraph.listening.ListenMiddleware`, or a `producer_tools.Listener`.

    Raises:
        InvalidArgumentError: an argument is not valid, or there is none of that name.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    client: ProducerClient = Field(default_factory=ProducerClient, exclude=True, repr=False)
    on_progress: OnProgress | None = Field(default=None, exclude=True, repr=False)
    download_dir: Annotated[Path | str, AfterValidator(absolute_path)] = Field(
        default=DEFAULT_DIRECTORY, exclude=True, validate_default=True
    )
    upload_dir: UploadDir | None = Field(default=None, exclude=True, repr=False)
    paid_tools: bool = True
    listen: bool = False

    def get_tools(self) -> list[BaseTool]:
        """The tools. All of them use the toolkit's client."""
        settings: dict[type[ProducerTool], dict[str, Any]] = {
            ProducerWaitForTasks: {"on_progress": self.on_progress},
            ProducerUploadAudio: {"upload_dir": self.upload_dir},
            ProducerDownloadResults: {"directory": self.download_dir, "listen": self.listen},
        }
        if "download_dir" in self.model_fields_set:  # who gave none may want no files
            check = DirectoryCheck(self.download_dir)
            for kind in ALL_TOOLS:
                if issubclass(kind, SubmittingTool):
                    settings.setdefault(kind, {})["before_submit"] = check
        tools = [kind(client=self.client, **settings.get(kind, {})) for kind in ALL_TOOLS]
        return [tool for tool in tools if self.paid_tools or not tool.paid]

    async def aclose(self) -> None:
        """Close the client's sessions. A session that the caller gave to the client stays open."""
        await self.client.aclose()
