"""The schemas that a model reads: strict modes take them, options may be null or false, limits are in words."""

import json
import re
from typing import Annotated, Any, Literal, get_args

import pytest
from jsonschema import Draft202012Validator
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import AliasChoices, AliasPath, BaseModel, Field

from producer_tools import MemoryLedger, ProducerClient, ProducerGenerateMusic, ProducerToolkit, ProducerWaitForTasks
from producer_tools.payment.keys import fingerprint
from producer_tools.requests import GenerateMusic, Model, Request, WaitForTasks
from producer_tools.sandbox import ProducerSandbox
from producer_tools.tools.base import ProducerTool, SubmittingTool
from tests.payment.calls import PAID, Account, Tool
from tests.tools.test_standard import ARGUMENTS

REFUSED_IF_STRICT = {
    "default", "format", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minItems", "maxItems", "pattern", "multipleOf",
}  # fmt: skip
"""Keywords that OpenAI or Anthropic refuses in a strict mode: for some models, or for all."""

NO_LIMITS = {"default", "format", "pattern", "minLength", "minItems"}

TOOLS: list[Any] = ProducerToolkit().get_tools()
each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


def parameters(tool: BaseTool, *, strict: bool | None = None) -> dict[str, Any]:
    """The arguments of a tool, as OpenAI's converter describes them."""
    converted: dict[str, Any] = convert_to_openai_tool(tool, strict=strict)["function"]["parameters"]
    return converted


def keywords(schema: Any) -> set[str]:
    """Every keyword of a schema."""
    if isinstance(schema, list):
        return set().union(*map(keywords, schema))
    if not isinstance(schema, dict):
        return set()
    inner = [value for name, value in schema.items() if name != "properties"]
    return set(schema) | keywords(inner) | keywords(list(schema.get("properties", {}).values()))


def nulls(tool: ProducerTool) -> dict[str, None]:
    """A null for each argument that a model may leave out."""
    schema = parameters(tool)
    return dict.fromkeys(name for name in schema["properties"] if name not in schema.get("required", ()))


def unchosen(tool: ProducerTool) -> dict[str, Any]:
    """What a model gives in a strict mode for each argument that it would leave out: a null, or false."""
    arguments = parameters(tool)["properties"]
    return {name: False if arguments[name].get("type") == "boolean" else None for name in nulls(tool)}


@each_tool
def test_a_strict_mode_takes_the_schema(tool: BaseTool) -> None:
    """OpenAI would refuse the whole request, with all tools in it, because of one keyword."""
    assert not keywords(parameters(tool, strict=True)) & REFUSED_IF_STRICT


@each_tool
def test_an_optional_argument_may_be_null_or_false(tool: ProducerTool) -> None:
    """In a strict mode every argument is required: the model would have to invent a seed for each song."""
    strict = parameters(tool, strict=True)
    assert strict.get("required", []) == list(strict["properties"])
    for name, value in unchosen(tool).items():
        assert Draft202012Validator(strict["properties"][name]).is_valid(value), name
    required = parameters(tool).get("required", [])
    for name in required:
        assert not Draft202012Validator(strict["properties"][name]).is_valid(None), name


@each_tool
def test_each_limit_is_named_in_the_description(tool: ProducerTool) -> None:
    """Some providers drop the limits from the schema; the model would learn them from errors."""
    checked = full_schema(tool)["properties"]
    for name, argument in parameters(tool)["properties"].items():
        for limit in limits_of(checked[name]):
            assert f"{limit:g}" in argument["description"], (name, limit)


def full_schema(tool: ProducerTool) -> dict[str, Any]:
    """What the tool's arguments are checked against."""
    schema: dict[str, Any] = tool.args_schema.model_json_schema()  # type: ignore[union-attr]  # it is not a dict
    return schema


def limits_of(argument: dict[str, Any]) -> list[float]:
    """The numbers that limit an argument. A length of at least 1 is not one: it says that the argument is required."""
    kinds = [argument, *argument.get("anyOf", ())]
    return [value for kind in kinds for name, value in kind.items() if name in REFUSED_IF_STRICT - NO_LIMITS]


def test_limits_are_found_where_they_are_declared() -> None:
    """Otherwise the test of the descriptions would find no limits, and pass."""
    found = {name: limits_of(each) for name, each in full_schema(ProducerGenerateMusic())["properties"].items()}
    assert {name: sorted(numbers) for name, numbers in found.items() if numbers} == {
        "prompt": [200], "lyrics_strength": [0, 1], "sound_strength": [0.2, 1], "weirdness": [0, 1],
    }  # fmt: skip


class Jingle(Request):
    """The arguments of somebody's own tool."""

    mood: str
    tempo: int | float | None = None


def test_a_tool_of_ones_own_keeps_a_type_that_is_a_choice() -> None:
    """Otherwise a model would be shown the wrong type for such an argument."""

    class JingleTool(ProducerTool):
        name: str = "jingle"
        description: str = "Make a jingle."
        args_schema: type[BaseModel] = Jingle

        async def answer(self, request: Any) -> Any:
            raise NotImplementedError

    Jingle.endpoint = "/jingles"
    shown = parameters(JingleTool())["properties"]
    assert shown["mood"] == {"type": "string"}
    assert Draft202012Validator(shown["tempo"]).is_valid(1.5)
    assert Draft202012Validator(shown["tempo"]).is_valid(None)


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool.paid], ids=lambda tool: tool.name)
def test_a_null_is_never_sent_and_changes_no_fingerprint(tool: SubmittingTool) -> None:
    """A null in the body may be refused; with another fingerprint, a call that is sent again would be paid twice."""
    arguments = {name: ARGUMENTS[name] for name in parameters(tool)["required"]}
    by_application = {"callback_url": None, "async": None} if hasattr(tool.args_schema, "action") else {}
    plain = tool.request(arguments)
    for left_out in (nulls(tool), unchosen(tool)):
        full = tool.request({**arguments, **left_out, **by_application})
        assert full.body() == plain.body()
        assert None not in full.body().values()
        assert fingerprint(full) == fingerprint(plain)


@pytest.mark.parametrize("made", PAID, ids=lambda made: made.__name__)
async def test_a_call_with_nulls_is_the_call_without_them(made: Tool) -> None:
    """A model in a strict mode gives a null for all that it does not choose: it must pay for what it chose only."""
    with ProducerSandbox(render_seconds=0, silent=True) as sandbox:
        account, ledger = Account(sandbox), MemoryLedger()
        async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
            tool = made(client=client)  # type: ignore[call-arg]  # mypy takes the name and description for required
            arguments = account.arguments(made)
            for given in (arguments, {**arguments, **nulls(tool)}, {**arguments, **unchosen(tool)}):
                message = await tool.ainvoke({"type": "tool_call", "id": "c", "name": tool.name, "args": given})
                assert message.status == "success"
            plain, with_nulls, with_false = account.new_charges()
            assert with_nulls.request == with_false.request == plain.request
            assert len({entry.fingerprint for entry in await ledger.entries()}) == 1


async def test_a_wait_with_a_null_waits_as_long_as_by_default(toolkit: ProducerToolkit) -> None:
    """It would be refused, and the model would have to invent a time."""
    (tool,) = (tool for tool in toolkit.get_tools() if isinstance(tool, ProducerWaitForTasks))
    assert json.loads(await tool.ainvoke({"task_ids": ["nobody"], "timeout_seconds": None}))["not_found"] == ["nobody"]
    assert WaitForTasks.model_validate({"task_ids": ["t"], "timeout_seconds": None}).timeout_seconds == 300


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if "model" in parameters(tool)["properties"]])
def test_a_model_may_choose_each_model_by_the_name_that_it_reads(tool: SubmittingTool) -> None:
    """The names stand in the description only: one that is missing there is never chosen, one that is wrong fails."""
    shown = parameters(tool)["properties"]["model"]
    assert shown["type"] == ["string", "null"]
    names = re.findall(r"(?:FUZZ-)?\d\.\d(?: Pro| Raw)?", shown["description"])
    required = {name: ARGUMENTS[name] for name in parameters(tool)["required"]}
    assert {tool.request({**required, "model": name}).body()["model"] for name in names} == set(get_args(Model))


@pytest.mark.parametrize("given", ["2.0 pro", "fuzz-2.0 Pro", "FUZZ 2.0 Pro", " FUZZ-2.0 Pro "])
def test_each_way_to_write_a_model_is_the_same_request(given: str) -> None:
    """A call that is sent again in other words would be paid twice, and the service knows the whole names only."""
    plain = GenerateMusic.model_validate({"prompt": "a waltz", "model": "FUZZ-2.0 Pro"})
    written = GenerateMusic.model_validate({"prompt": "a waltz", "model": given})
    assert written.body() == plain.body()
    assert fingerprint(written) == fingerprint(plain)


class OwnArguments(GenerateMusic):
    """Arguments of an application's own tool, with every kind of limit."""

    tags: list[str] = Field(default_factory=list, min_length=2, max_length=3, description="Tags.")
    year: int = Field(default=1990, lt=12_000_000, description="Year.")
    bpm: float | None = Field(default=None, gt=0.5, lt=300)
    voices: int | None = Field(default=None, le=8)
    rest: int | None = Field(default=None, gt=0)
    when: Literal["now", "later"] | Annotated[int, Field(ge=0, le=23)] = Field(default="now", description="When.")
    style: str = Field(default="", alias="theStyle")
    mood: str = Field(default="", validation_alias="theMood")
    key: str = Field(default="", validation_alias=AliasChoices("theKey", AliasPath("aKey")))


class OwnTool(SubmittingTool):
    name: str = "own"
    description: str = "A tool of one's own."
    args_schema: type[BaseModel] = OwnArguments


def test_a_tool_of_ones_own_may_have_any_limits(client: ProducerClient) -> None:
    """An agent could not even be made of the tool, or the model would break a limit that it was not told."""
    arguments = parameters(OwnTool(client=client))["properties"]
    assert {name: arguments[name]["description"] for name in ("tags", "year", "bpm", "voices", "rest", "when")} == {
        "tags": "Tags. Min 2 items, max 3 items.",
        "year": "Year. Below 12000000.",
        "bpm": "Above 0.5, below 300.",
        "voices": "At most 8.",
        "rest": "Above 0.",
        "when": "When. 0 to 23.",
    }
    assert not keywords(parameters(OwnTool(client=client), strict=True)) & REFUSED_IF_STRICT


@pytest.mark.parametrize(
    ("name", "sent"),
    [("style", "theStyle"), ("theStyle", "theStyle"), ("theMood", "mood"), ("theKey", "key"), ("aKey", "key")],
)
def test_an_argument_of_ones_own_tool_may_have_an_alias(
    name: str, sent: str, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A model knows it by its alias only: what it asked would be paid for without it."""
    call: Any = {"type": "tool_call", "id": "1", "name": "own", "args": {"prompt": "a waltz", name: "calm"}}
    OwnTool(client=client).invoke(call)
    assert sandbox.charges[0].request[sent] == "calm"
