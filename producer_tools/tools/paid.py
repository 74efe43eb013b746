"""An optional tool that lists what was paid for in a conversation. It costs nothing."""

from datetime import datetime, timezone
from typing import Any

from langchain_core.runnables import ensure_config
from pydantic import BaseModel

from producer_tools.payment.graph_keys import store_of, thread_of
from producer_tools.payment.statement import PaidCall
from producer_tools.requests import NoArguments
from producer_tools.tools.base import ProducerTool
from producer_tools.tools.output import Output, compact_json

_MOST_SHOWN = 20

_NOTHING = "Nothing was submitted yet in this conversation."
_LOOK_UP = "For results, call producer_get_tasks_batch with these task_ids. Do not submit again what is listed here."
_UNKNOWN = " State unknown: it was sent and may have been charged; tell the user."


class ProducerListPaidTasks(ProducerTool):
    """Lists what the conversation has paid for, from the ledger.

    It is not among the toolkit's tools. Add it for an agent whose messages may be dropped, by a middleware that trims
    or summarises them, or by a server that rolls a run back. In a LangGraph thread it lists the calls of that thread,
    otherwise those of the account.
    """

    name: str = "producer_list_paid_tasks"
    description: str = (
        "What was already submitted and paid for in this conversation: task ids, titles and states, the newest first. "
        "Free. Use it when a task id is not in your messages any more, or when you are not sure whether a song was "
        "submitted before: never pay twice. Not for results: use producer_get_task."
    )
    args_schema: type[BaseModel] = NoArguments

    async def answer(self, request: NoArguments) -> Output:  # noqa: ARG002 - there are no arguments
        """Read the ledger."""
        config = ensure_config()
        calls = await self.client.paid(thread_of(config), ledger=self.client.graph_ledger(store_of(config)))
        lines = [_line(call) for call in calls if call.outcome != "released"]
        shown = {"paid": lines[:_MOST_SHOWN], "not_shown": len(lines[_MOST_SHOWN:]), "next_step": _next_step(lines)}
        return compact_json(shown), {**shown, "paid": lines}


def _line(call: PaidCall) -> dict[str, Any]:
    begun_at = datetime.fromtimestamp(call.begun_at, timezone.utc).isoformat(timespec="seconds")
    asked = call.action or call.endpoint.rpartition("/")[2]
    return {
        "task_id": call.task_id, "state": call.outcome, "asked": asked, "title": call.title, "submitted_at": begun_at
    }  # fmt: skip


def _next_step(lines: list[dict[str, Any]]) -> str:
    if not lines:
        return _NOTHING
    return _LOOK_UP + (_UNKNOWN if any(line["state"] == "unknown" for line in lines) else "")
