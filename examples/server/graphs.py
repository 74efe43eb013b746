"""An agent and an album on a LangGraph server. One client serves all users, and each pays with a token of their own.

    pip install "producer-tools[agent,langgraph]" "langgraph-cli[inmem]"
    langgraph dev --n-jobs-per-worker 20

Nothing is sent before a person approves it. Progress comes in the stream mode `custom`. To try it without a token, keep
`PRODUCER_SANDBOX_API_TOKEN=test producer-sandbox` running in another terminal, and start the server with
ACEDATACLOUD_API_BASE_URL=http://127.0.0.1:8080 and PRODUCER_TOKENS='{"ada": "test"}'.
"""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from users import token_of_user

from producer_tools import ProducerClient, ProducerToolkit, SqliteLedger
from producer_tools.approval import interrupt_on
from producer_tools.langgraph import album_graph
from producer_tools.sandbox import ScriptedChatModel

# The ledger keeps what was paid for, also if the server is killed. Servers on several machines need a ledger in a
# database: leave out `ledger=`, and the store of the LangGraph server is used.
client = ProducerClient(token_of_user, ledger=SqliteLedger("songs.sqlite"))
tools = ProducerToolkit(client=client, download_dir="songs").get_tools()
model = ScriptedChatModel()  # with a key: "anthropic:claude-sonnet-4-5", or any other that LangChain knows

ask_first = HumanInTheLoopMiddleware(interrupt_on=interrupt_on(tools))
agent = create_agent(model, tools, middleware=[ask_first])
album = album_graph(client, approve=True, download_dir="songs").compile(name="album")
