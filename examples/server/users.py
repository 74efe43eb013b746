"""Which user sends a request, and whose token pays for it: stand-ins for a login and a vault of tokens."""

import json
import os
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph_sdk import Auth

auth = Auth()

# Stand-ins for your login and your vault. Only the vault knows the tokens: what `authenticate` returns is in the config
# of each run, which the server stores and traces.
SESSIONS = {f"session-of-{name}": name for name in ("ada", "bob")}
VAULT: dict[str, str] = json.loads(os.environ.get("PRODUCER_TOKENS", "{}"))


@auth.authenticate
async def authenticate(authorization: str | None) -> Auth.types.MinimalUserDict:
    """Tell the server who sends a request."""
    name = SESSIONS.get((authorization or "").removeprefix("Bearer "))
    if name is None:
        raise Auth.exceptions.HTTPException(status_code=401, detail="Log in first.")
    return {"identity": name}


@auth.on.threads
async def own_threads_only(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Auth.types.FilterType:
    """Let users see and run only their own threads."""
    owner = {"owner": ctx.user.identity}
    value.setdefault("metadata", {}).update(owner)
    return owner


@auth.on
async def nothing_else(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool:  # noqa: ARG001 - the SDK's signature
    """Of everything else, users may only see the graphs, and not the server's store."""
    return ctx.resource == "assistants" and ctx.action in ("read", "search")


async def token_of_user(config: RunnableConfig) -> str | None:
    """The Producer token of the user for whom a run is made. `ProducerClient` calls this at the start of each call."""
    return VAULT.get(config["configurable"]["langgraph_auth_user_id"])
