"""Approve, edit or reject each paid call of an agent before it is sent. It needs no keys: it runs on the sandbox.

Run it with: python approval.py
"""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from producer_tools import Budget, ProducerClient, ProducerToolkit
from producer_tools.approval import interrupt_on
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel


def decide(action: dict[str, Any]) -> dict[str, Any]:
    """Ask the person at the terminal about one call."""
    answer = input(f"\n{action['description']}\n[a]pprove, [e]dit the prompt, or [r]eject? ").strip().lower()
    if answer.startswith("a"):
        return {"type": "approve"}
    if answer.startswith("e"):
        edited = {"name": action["name"], "args": {**action["args"], "prompt": input("New prompt: ")}}
        return {"type": "edit", "edited_action": edited}
    return {"type": "reject", "message": "The user does not want to pay for this call."}


def main(words: str) -> None:
    """Run the agent, and ask the person whenever it stops before a paid call."""
    model, spent = ScriptedChatModel(), Budget(max_usd=1.0)  # with a key: "anthropic:claude-sonnet-4-5", or another
    with (
        ProducerSandbox() as sandbox,  # with ACEDATACLOUD_API_TOKEN, leave it and its address out
        ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0.5, budget=spent) as client,
    ):
        tools = ProducerToolkit(client=client, download_dir="songs").get_tools()
        ask_first = HumanInTheLoopMiddleware(interrupt_on=interrupt_on(tools))
        agent: Any = create_agent(model, tools, middleware=[ask_first], checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "approval"}}
        state = agent.invoke({"messages": [{"role": "user", "content": words}]}, config)
        while interrupts := state.get("__interrupt__"):
            decisions = [decide(action) for action in interrupts[0].value["action_requests"]]
            state = agent.invoke(Command(resume={"decisions": decisions}), config)
    print(f"{state['messages'][-1].text}\nSpent: {spent.calls} calls, an estimated {spent.usd:.3f} US dollars")


if __name__ == "__main__":
    main("a calm piano piece")
