"""The requests that look up tasks. They cost nothing."""

from typing import Any

from pydantic import Field

from producer_tools.requests.base import TASKS, Request, Runtime
from producer_tools.requests.fields import Text


class GetTask(Request):
    """Look up one task."""

    endpoint = TASKS

    task_id: Text = Field(description="From any submitting tool.")

    def body(self) -> dict[str, Any]:
        """The JSON body of a look-up."""
        return {"id": self.task_id, "action": "retrieve"}


class GetTasksBatch(Request):
    """Look up many tasks."""

    endpoint = TASKS

    task_ids: list[Text] = Field(min_length=1, description="From any submitting tools.")

    def body(self) -> dict[str, Any]:
        """The JSON body of a look-up."""
        return {"ids": self.task_ids, "action": "retrieve_batch"}


class WaitForTasks(GetTasksBatch):
    """Wait for tasks."""

    timeout_seconds: float = Field(
        default=300, gt=0, le=1800, description="Longest wait (300 if left out); most songs take 20-50 s."
    )
    runtime: Runtime = None
