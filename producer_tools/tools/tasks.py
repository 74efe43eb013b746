"""The tools that look up tasks and wait for them. They cost nothing."""

from pydantic import BaseModel, Field

from producer_tools import requests
from producer_tools.progress import OnProgress, Progress, into_graph
from producer_tools.tools.base import ProducerTool
from producer_tools.tools.output import Output, batch_output, task_output

_CAVEAT = (
    " While pending, an audio_url is a streaming preview, not the result: give results only when state is "
    "complete and success is true; never stop because of a URL."
)


class ProducerGetTask(ProducerTool):
    """Looks up the state and results of one task."""

    name: str = "producer_get_task"
    description: str = (
        "Is my song or video ready yet, how far along is it, did it go through or fail? The status and result of one "
        "task (job) by its id or number: the download link (audio URL), title, lyrics, duration, metadata. States: "
        "pending, in progress, and processing: keep polling; complete: the only state that means done; failed: see "
        "the error." + _CAVEAT
    )
    args_schema: type[BaseModel] = requests.GetTask

    async def answer(self, request: requests.GetTask) -> Output:
        """Look up the task."""
        return task_output(await self.client.get_task(request.task_id))


class ProducerGetTasksBatch(ProducerTool):
    """Looks up the state and results of many tasks."""

    name: str = "producer_get_tasks_batch"
    description: str = (
        "Are all the songs from earlier done, which of them are ready, which failed? Looks up several songs, tasks or "
        "jobs together by their ids or numbers: progress, results and links of both or all in one go, cheaper than "
        "one by one." + _CAVEAT
    )
    args_schema: type[BaseModel] = requests.GetTasksBatch

    async def answer(self, request: requests.GetTasksBatch) -> Output:
        """Look up the tasks."""
        return batch_output(await self.client.get_tasks(request.task_ids))


class ProducerWaitForTasks(ProducerTool):
    """Waits until tasks are final.

    Args:
        on_progress: called with each change of each task, in addition to the stream events of a graph.
    """

    name: str = "producer_wait_for_tasks"
    description: str = (
        "Wait until all these tasks are final and get their results in one call: after a submit, use this instead of "
        "looking again and again. At the deadline it returns what is finished; nothing is lost, and it can be called "
        "again. Only state complete with success true means done."
    )
    args_schema: type[BaseModel] = requests.WaitForTasks
    on_progress: OnProgress | None = Field(default=None, exclude=True, repr=False)

    async def answer(self, request: requests.WaitForTasks) -> Output:
        """Wait until the tasks are final, or until the timeout."""
        report_to_graph = into_graph(request.runtime)

        def report(progress: Progress) -> None:
            report_to_graph(progress)
            if self.on_progress is not None:
                self.on_progress(progress)

        return batch_output(await self.client.wait(request.task_ids, request.timeout_seconds, report))
