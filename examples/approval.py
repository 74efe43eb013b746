"""A person approves, edits or rejects each paid call before money is spent.

python examples/approval.py "a slow sad waltz"
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from chat_model import choose_chat_model
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from service import open_client

from producer_tools import ProducerToolkit, budget
from producer_tools.approval import interrupt_on


def decide(action: dict[str, Any]) -> dict[str, Any]:
    """Ask the person at the terminal about one call."""
    print(f"\n{action['description']}")
    answer = input("[a]pprove, [e]dit the prompt, or [r]eject? ").strip().lower()
    if answer.startswith("a"):
        return {"type": "approve"}
    if answer.startswith("e"):
        edited = {"name": action["name"], "args": {**action["args"], "prompt": input("New prompt: ")}}
        return {"type": "edit", "edited_action": edited}
    return {"type": "reject", "message": "The user does not want to pay for this call."}


async def main(wish: str) -> None:
    """Run the agent, and ask whenever it wants to spend money; it may not spend more than a dollar in any case."""
    async with open_client() as client:
        tools = ProducerToolkit(client=client, download_dir=Path("songs")).get_tools()
        middleware = [HumanInTheLoopMiddleware(interrupt_on=interrupt_on(tools))]
        agent: Any = create_agent(choose_chat_model(), tools, middleware=middleware, checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "approval"}}
        given: Any = {"messages": [HumanMessage(wish)]}
        with budget(max_usd=1.0) as spent:
            while True:
                # Sync, for on Python 3.10 LangGraph can interrupt no async run.
                state = await asyncio.to_thread(agent.invoke, given, config)
                if not state.get("__interrupt__"):
                    break
                actions = state["__interrupt__"][0].value["action_requests"]
                given = Command(resume={"decisions": [decide(action) for action in actions]})
        print(f"\n{state['messages'][-1].text}\nSpent: {spent.calls} calls, about {spent.usd:.3f} US dollars")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]).strip() or "a happy upbeat song about the first day of summer"))
