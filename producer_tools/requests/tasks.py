"""The requests that look up tasks. They cost nothing."""

import re
from typing import Any

from pydantic import Field, field_validator

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

    task_ids: list[Text] = Field(min_length=1, description="From submitting tools; any number (50 to a request).")

    @field_validator("task_ids", mode="before")
    @classmethod
    def _read_text(cls, given: Any) -> Any:
        """Read a text as one id, or as several with commas or in the form of a list: some models write them so."""
        return re.findall(r"[^\s,\[\]\"']+", given) if isinstance(given, str) else given

    def body(self) -> dict[str, Any]:
        """The JSON body of a look-up."""
        return {"ids": self.task_ids, "action": "retrieve_batch"}


class WaitForTasks(GetTasksBatch):
    """Wait for tasks."""

    timeout_seconds: float = Field(
        default=300, gt=0, le=1800, description="Longest wait (default 300); most songs take 20-50 s."
    )
    runtime: Runtime = None
