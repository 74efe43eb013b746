"""Estimates: by the client's own prices, those of the platform's list, or the built-in ones."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from producer_tools import (
    AnswerError,
    Budget,
    BudgetExceededError,
    ConfigurationError,
    ProducerClient,
    ProducerError,
    ProducerGenerateMusic,
    RateLimitError,
    ServerError,
    estimate,
    requests,
)
from producer_tools.approval import describe
from producer_tools.payment.prices import PriceTable
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock
from tests.raw_server import RESET, answering, http

SONG = requests.GenerateMusic(prompt="x")
UPLOADED_COVER = requests.CoverMusic(audio_id="a", uploaded=True)


class BrokenTable(Mapping[str, Any]):
    """A table whose source cannot be read."""

    def __getitem__(self, name: str) -> Any:
        raise OSError(f"no price of {name}")

    def __iter__(self) -> Iterator[str]:
        return iter(["generate"])

    def __len__(self) -> int:
        return 1


def failing(request: requests.Request) -> Decimal:
    raise RuntimeError(f"no price of {request.endpoint}")


BROKEN: dict[str, Any] = {
    "a function that raises": failing,
    "a function that returns nothing": lambda _: None,
    "a negative price": {"generate": -1},
    "nan": lambda _: float("nan"),
    "an infinite price": {"generate": "inf"},
    "words": {"generate": "cheap"},
    "an unknown action": {"generat": 1},
    "a table that raises": BrokenTable(),
    "an unknown unit": PriceTable({"generate": 1}, unit="songs"),  # type: ignore[arg-type]  # what a typo does
    "free credits": PriceTable({"generate": 1}, unit="credits", usd_per_credit=0),
    "no prices at all": 5,
}


@pytest.mark.parametrize(
    ("paid_request", "usd"),
    [
        (SONG, "0.08"),
        (requests.ExtendMusic(audio_id="a", continue_at=1), "0.05"),
        (requests.CoverMusic(audio_id="a"), "0.10"),
        (requests.SwapVocals(audio_id="a"), "0.05"),
        (requests.SwapInstrumentals(audio_id="a"), "0.05"),
        (requests.GenerateLyrics(prompt="x"), "0.005"),
        (requests.UploadAudio(audio_url="https://x.example/a"), "0.01"),
        (requests.VariationMusic(audio_id="a"), "0.10"),
        (requests.StemsMusic(audio_id="a"), "0.10"),
        (requests.GenerateVideo(audio_id="a"), "0.10"),
        (requests.GetTask(task_id="t"), "0"),
    ],
)
def test_estimated_prices(paid_request: requests.Request, usd: str) -> None:
    """Without a published price, a call counts as the most expensive one: otherwise a budget could be overspent."""
    assert estimate(paid_request) == Decimal(usd)


@pytest.mark.parametrize(
    ("prices", "paid_request", "usd"),
    [
        ({"generate": 0.2}, SONG, "0.2"),
        ({"generate": "0.2"}, UPLOADED_COVER, "0.10"),
        ({"upload_cover": 0.3, "cover": 0.2}, UPLOADED_COVER, "0.3"),
        ({"cover": 0.2}, UPLOADED_COVER, "0.2"),
        ({"/producer/audios": 0.4}, SONG, "0.4"),
        ({"generate": 0.5}, requests.StemsMusic(audio_id="a"), "0.5"),
        (PriceTable({"generate": 2}, unit="credits", usd_per_credit="0.05"), SONG, "0.10"),
        (lambda request: 0.25 if request.endpoint == requests.AUDIOS else 0, SONG, "0.25"),
    ],
)
def test_the_clients_own_prices(prices: Any, paid_request: requests.Request, usd: str) -> None:
    """The most exact name wins; what the table leaves out has the built-in price, or else the highest known one."""
    assert ProducerClient(prices=prices).price(paid_request).usd == Decimal(usd)


async def test_budgets_and_approvals_use_the_clients_prices(sandbox: ProducerSandbox) -> None:
    """A person would approve a price that the budget does not count."""
    async with ProducerClient(
        sandbox.api_token, sandbox.base_url, prices={"generate": 0.3}, budget=Budget(max_usd=0.5)
    ) as client:
        tool = ProducerGenerateMusic(client=client)
        call: Any = {"name": tool.name, "args": {"prompt": "x"}, "id": "c", "type": "tool_call"}
        assert describe(tool, call).splitlines()[0] == (
            "producer_generate_music: about 0.300 US dollars, estimated by the application's own prices"
        )
        await client.submit(SONG)
        with pytest.raises(BudgetExceededError, match=r"an estimated 0\.300 USD"):
            await client.submit(SONG)


@pytest.mark.parametrize("prices", BROKEN.values(), ids=BROKEN.keys())
async def test_broken_prices_stop_a_call_unless_only_calls_are_limited(prices: Any, sandbox: ProducerSandbox) -> None:
    """A price of nan or -1 would fit into every budget; a budget in calls needs no price."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, prices=prices) as client:
        for budget in (Budget(max_calls=5, max_usd=1), Budget(max_credits=5), Budget(max_usd=9, scope="user 42")):
            with budget, pytest.raises(ConfigurationError, match="invalid_price"):
                await client.submit(SONG)
        with pytest.raises(ConfigurationError):
            await client.submit(SONG)
        tool = ProducerGenerateMusic(client=client)
        call: Any = {"name": tool.name, "args": {"prompt": "x"}, "id": "c"}
        assert "cannot be estimated" in describe(tool, call)
        assert len(sandbox.charges) == 0
        with Budget(max_calls=1):
            await client.submit(SONG)
    assert len(sandbox.charges) == 1


def test_a_table_is_copied_when_it_is_first_used() -> None:
    """A price that an application puts into its dict later was not checked, so a typing error in it went unseen."""
    prices = {"generate": "0.08"}
    table = PriceTable(prices)
    assert table.of(SONG) == table.highest()
    prices.update(generate="free", covr="1")
    assert str(table.highest().usd) == "0.08"
    with pytest.raises(ConfigurationError, match="no action 'covr'"):
        PriceTable({"covr": "1"}).highest()


def client_of(sandbox: ProducerSandbox, **options: Any) -> ProducerClient:
    return ProducerClient(base_url=sandbox.base_url, clock=InstantClock(), **options)


async def test_the_platforms_prices_are_used_once_they_were_read(sandbox: ProducerSandbox) -> None:
    """The list needs no token. Its credits count at the rate of the account's package; given prices come first."""
    given = PriceTable({"extend": 9}, unit="credits", usd_per_credit="0.05")
    async with client_of(sandbox, prices=given) as client:
        listed = await client.fetch_prices()
        assert client.price(SONG)[:2] == (Decimal("0.04"), Decimal("0.8"))
        assert client.price(requests.GenerateWav(audio_id="a")).credits == Decimal("0.2")
        assert client.price(requests.ExtendMusic(audio_id="a", continue_at=1)).credits == 9
        assert "price list, read on 1970-01-01" in client.price(SONG).source
    assert [each.endpoint for each in listed.prices if not each.problem] == [
        "/producer/audios", "/producer/lyrics", "/producer/upload", "/producer/videos", "/producer/wav",
    ]  # fmt: skip
    assert {each.stage for each in listed.prices} == {"Production"}
    assert "/producer/lyrics: /producer/lyrics 0.05 credits" in str(listed)


@pytest.mark.parametrize(
    ("answer", "problem"), [("other_shape", "not understood"), ("empty", "not listed"), ("no_api", "HTTP 404")]
)
async def test_a_list_that_is_not_understood_changes_no_price(
    answer: Any, problem: str, sandbox: ProducerSandbox
) -> None:
    """The shape of the list is not documented, so it may be any."""
    sandbox.price_list.answer = answer
    async with client_of(sandbox) as client:
        listed = await client.fetch_prices()
        assert client.price(SONG).usd == Decimal("0.08")
    assert listed.credits == {}
    assert all(problem in each.problem for each in listed.prices)


ITEM = '{"items": [{"path": "/producer/audios", "cost": %s, "stage": 7}]}'


@pytest.mark.parametrize(
    ("body", "used"),
    [
        (ITEM % '"0.7"', {"/producer/audios": Decimal("0.7")}),
        (ITEM % '{"generate": 0.7, "cover": -1, "fly": 1, "stems": 0, "extend": NaN}', {"generate": Decimal("0.7")}),
        (ITEM % "Infinity", {}),
        (ITEM % "true", {}),
        (ITEM % '"\\ud800\\u0000"', {}),
        (ITEM % ("[" * 900 + "]" * 900), {}),
        ('{"items": [1, null, {"path": 3}]}', {}),
        ('{"items": {"path": "/producer/audios"}}', {}),
        ("[]", {}),
        ("<html>", {}),
        ("", {}),
    ],
)
async def test_only_what_is_understood_of_a_list_is_used(body: str, used: dict[str, Decimal]) -> None:
    """A price of 0, nan or another unit would let a budget pass everything; nothing that is listed may raise."""
    async with answering(http(body.encode())) as server:
        async with ProducerClient(base_url=server.base_url, clock=InstantClock()) as client:
            listed = await client.fetch_prices()
            assert client.price(SONG).usd > 0
    assert listed.credits == used
    assert all(str(each).isprintable() and len(each.cost) <= 500 for each in listed.prices)


@pytest.mark.parametrize(
    ("reply", "error"),
    [(RESET, AnswerError), (http(b"", "503 no"), ServerError), (http(b"", "429 no"), RateLimitError)],
)
async def test_a_platform_that_does_not_answer(reply: bytes, error: type[ProducerError]) -> None:
    """Faults of the network are errors of this package, after the retries of a free call."""
    async with answering(reply) as server:
        async with ProducerClient(platform_base_url=server.base_url, clock=InstantClock()) as client:
            with pytest.raises(error):
                await client.fetch_prices()
    assert len(server.requests) > 5


async def test_the_price_list_is_read_without_the_token() -> None:
    """The platform is another host than the API: it must not get the API's token, whatever session is used."""
    async with answering(http({"items": []})) as server:
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer secret-of-the-session"}) as session:
            async with ProducerClient("secret-token", platform_base_url=server.base_url, session=session) as client:
                await client.fetch_prices()
    assert len(server.requests) == 5
    assert b"/api/v1/apis/?path=/producer/audios" in b"".join(server.requests)
    assert b"secret" not in b"".join(server.requests)


def test_where_the_price_list_is() -> None:
    """A client of the sandbox must not call the real platform."""
    assert ProducerClient()._settings.platform_base_url == "https://platform.acedata.cloud"  # noqa: SLF001 - no request
    with pytest.raises(ConfigurationError, match="platform_base_url"):
        ProducerClient(platform_base_url="platform.example")
