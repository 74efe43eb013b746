"""The paid calls of the client: submitting requests, settling unknown outcomes, prices and statements."""

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import Any

from typing_extensions import deprecated

from producer_tools.client.arguments import as_ledger, check_key, check_paid_request
from producer_tools.client.for_user import for_user
from producer_tools.client.uploads import Uploads
from producer_tools.concurrency.sync import sync_twin
from producer_tools.concurrency.threads import in_thread
from producer_tools.errors import InvalidArgumentError, ProducerError
from producer_tools.files.uploads.recordings import Recording, read_recording
from producer_tools.http.transport import Transport
from producer_tools.payment.ledger import Ledger, MemoryLedger
from producer_tools.payment.outcomes import Outcomes, Settled
from producer_tools.payment.price_list import ListedPrices, PriceList
from producer_tools.payment.prices import Price, Prices
from producer_tools.payment.statement import PaidCall, Statement, Statements
from producer_tools.payment.store_ledger import StoreLedger
from producer_tools.payment.submit import Submissions
from producer_tools.requests import PaidRequest, Request
from producer_tools.tasks.task import Task


class PaidCalls:
    """Submits requests and settles unknown outcomes. `ProducerClient` is made of it."""

    _transport: Transport
    _ledger: Ledger | None
    _memory_ledger: MemoryLedger
    _submissions: Submissions
    _uploads: Uploads
    _outcomes: Outcomes
    _prices: Prices
    _price_list: PriceList
    _statements: Statements

    @for_user
    async def submit(
        self,
        request: PaidRequest,
        *,
        key: str | None = None,
        ledger: Ledger | None = None,
        former_keys: Sequence[str] = (),
        was_sent: bool = False,
        refusal: ProducerError | None = None,
    ) -> Task:
        """Send one paid request, or return its task if it was sent before.

        Args:
            request: what to make.
            key: an idempotency key. The same request under the same key is paid for once, whatever crashes in between:
                the second time nothing is sent and the same task is returned. Without a key, each call is paid for.
            ledger: where the request is written down; default the client's ledger.
            former_keys: further keys under which the same request may have been sent by an earlier version.
            was_sent: whether the caller knows that the request was sent under this key before. If the ledger does not
                know that, because it was lost, nothing is sent. The ledger then gets an entry with an unknown outcome
                for the request, so that `adopt` and `release` can settle it.
            refusal: why the request must not be sent. It is raised unless the ledger knows the request from before.

        Returns:
            The task: pending with its id, or final at once if the endpoint answers with its result.

        Raises:
            APIError: the service refused; nothing was charged.
            ServiceUnavailableError: the service is down, so nothing was sent. RetiredError: it no longer does this.
            ServiceUnreachableError: nothing was sent.
            SubmissionUnknownError: it was sent, now or before, and the outcome is unknown: you may have been charged.
            SubmissionConflictError: the key belongs to another request.
            BudgetExceededError: it does not fit into the budget; nothing was sent.
            LedgerError: the ledger cannot be read or written; nothing was sent.
            MissingTokenError: there is no token; nothing was sent.
            ConfigurationError: the client's prices failed, or the key is blank; nothing was sent.
            InvalidArgumentError: this is not a paid request; nothing was sent.
            ProducerError: with the code ``process_ending``: the process is ending, so nothing was sent.
        """
        check_paid_request(request)
        check_key(key)
        return await self._submissions.submit(
            request, key, self._ledger_or_default(ledger), former_keys, was_sent=was_sent, refusal=refusal
        )

    @for_user
    async def upload(
        self,
        file: str | PathLike[str] | Callable[[], Recording],
        *,
        key: str | None = None,
        ledger: Ledger | None = None,
        refusal: ProducerError | None = None,
    ) -> Task:
        """Upload a recording from this machine, so that it can be extended, covered or changed.

        The file is sent to the provider's file endpoint, which costs nothing and gives it a public address for seven
        days (faq). The address is then uploaded, which is paid for. The same content is paid for once in seven days,
        whatever the file is called and whichever process uploads it: after the first time nothing is sent, and the same
        task is returned. After a failed task it is sent again. At most five files of an account are read and sent at
        once, and further ones wait.

        Args:
            file: the path of an mp3, wav or m4a file of at most 25 MB (faq); or a function that reads one, which is
                called in a thread: the upload tool has one.
            key: an idempotency key. Under the same key the same task is returned also after seven days, and also if the
                file cannot be read any more.
            ledger: where the upload is written down; default the client's ledger. It is filed under the key
                ``recording`` and the SHA-256 of the content, which `release` and `adopt` take.
            refusal: why the upload must not be sent. It is raised unless the ledger knows the recording from before.

        Returns:
            The task. Its result has the ``audio_id`` that requests take together with ``uploaded=True``.

        Raises:
            InvalidArgumentError: the file cannot be read, or is not what can be uploaded; nothing was sent.
            FileHostingError: no file endpoint of the provider took the file; nothing was charged.
            SubmissionUnknownError, SubmissionConflictError, APIError, LedgerError, BudgetExceededError: as in `submit`.
            MissingTokenError, ConfigurationError, ServiceUnavailableError, ServiceUnreachableError: as in `submit`.
        """
        check_key(key)
        ledger = self._ledger_or_default(ledger)
        async with self._uploads.place():
            try:
                recording = await in_thread(file if callable(file) else partial(read_recording, file))
            except InvalidArgumentError as error:
                if key is None:
                    raise refusal or error from None
                return await self._uploads.repeated(self.submit, key=key, ledger=ledger, refusal=refusal or error)
            return await self._uploads.upload(recording, self.submit, key=key, ledger=ledger, refusal=refusal)

    @for_user
    async def release(self, key: str, *, ledger: Ledger | None = None) -> None:
        """Let a request with an unknown outcome be sent again. A person must decide this: it may be paid for twice.

        Args:
            key: the idempotency key that the request was submitted under. A client without a token needs the key as
                the ledger has it, with the account before it.
            ledger: where the request is written down; default the client's ledger.

        Raises:
            KeyError: this account has no request under this key, or it was released before.
            OutcomeKnownError: the request has a task; nothing was changed.
            BeingSentError: the request is being sent now; nothing was changed.
            LedgerError: the ledger cannot be read or written.
        """
        await self._outcomes.release(key, self._ledger_or_default(ledger))

    @for_user
    async def adopt(self, key: str, task_id: str, *, ledger: Ledger | None = None) -> None:
        """Record which task a request with an unknown outcome became, as a person has seen it in the account.

        When the request is submitted again, that task is returned and nothing is paid.

        Args:
            key: the idempotency key that the request was submitted under. A client without a token needs the key as
                the ledger has it, with the account before it.
            task_id: the service's id of the task.
            ledger: where the request is written down; default the client's ledger.

        Raises:
            KeyError: this account has no request under this key, or it was released.
            ValueError: this is not a task id: it is blank or too long, or has control characters.
            OutcomeKnownError: the request has a task; nothing was changed.
            BeingSentError: the request is being sent now; nothing was changed.
            LedgerError: the ledger cannot be read or written.
        """
        await self._outcomes.adopt(key, task_id, self._ledger_or_default(ledger))

    @for_user
    async def settle(self, *, ledger: Ledger | None = None) -> list[Settled]:
        """Search the account's tasks for each request whose outcome is unknown. Nothing is ever sent again.

        Only the requests of the current token's account are searched for. All of them share one minute. After
        that, each one that is left is searched for once.

        Args:
            ledger: where the requests are written down; default the client's ledger.

        Returns:
            What was found for each of them, in the order in which they were begun.

        Raises:
            MissingTokenError: there is no token.
            LedgerError: the ledger cannot be read.
        """
        return await self._outcomes.settle(self._ledger_or_default(ledger))

    def price(self, request: Request) -> Price:
        """What a request is estimated to cost, by this client's prices. Nothing is sent.

        Args:
            request: what to make.

        Returns:
            The price in US dollars and in credits, and where it comes from. A call that is free costs 0.

        Raises:
            ConfigurationError: the client's prices failed, or are not numbers of 0 or more.
        """
        return self._prices.of(request)

    async def fetch_prices(self) -> ListedPrices:
        """Read the platform's public price list, and use what is understood of it in place of the built-in prices.

        It needs no token. The list gives no unit and documents no shape: a number is taken as credits. Prices that
        were given to this client take precedence.

        Returns:
            What was found for each endpoint, and what was not understood.

        Raises:
            ServiceUnreachableError, AnswerError, RateLimitError, ServerError: the platform gave no answer.
        """
        listed = await self._price_list.read()
        self._prices.use(listed.credits, f"read on {listed.date}")
        return listed

    @for_user
    async def spent(
        self,
        since: float = 0.0,
        *,
        scope: str | None = None,
        all_accounts: bool = False,
        ledger: Ledger | None = None,
    ) -> Statement:
        """What was paid for: one line for each paid call in the ledger, and the totals. Nothing is paid.

        Tasks whose end is not known are looked up, the newest 500 of this account at most, and what is found is written
        to the ledger.

        Args:
            since: Unix seconds; only calls begun then or later.
            scope: only calls that count in the lasting budgets of this name, such as ``user 42``.
            all_accounts: also the calls with other tokens. Their tasks cannot be looked up.
            ledger: where the calls are written down; default the client's ledger.

        Returns:
            The calls, the oldest first, and the totals.

        Raises:
            MissingTokenError: there is no token, and ``all_accounts`` is not set.
            LedgerError: the ledger cannot be read.
        """
        return await self._statements.read(self._ledger_or_default(ledger), since, scope, all_accounts=all_accounts)

    @for_user
    async def paid(
        self, thread: str | None = None, *, scope: str | None = None, ledger: Ledger | None = None
    ) -> tuple[PaidCall, ...]:
        """The paid calls of a thread, of a user, or of the whole account, the newest first. Nothing is paid.

        It finds a paid song whose message is gone: a run was rolled back, or a middleware has trimmed or summarised the
        conversation. ``task_id`` of a call is what `wait`, `get_task` and a `Downloader` take.

        Args:
            thread: only calls of this LangGraph thread.
            scope: only calls that count in the lasting budgets of this name, such as ``user 42``.
            ledger: where the calls are written down; default the client's ledger. If a graph's store holds them, pass
                ``StoreLedger(store)``.

        Returns:
            The calls, looked up as in `spent`.

        Raises:
            MissingTokenError: there is no token.
            LedgerError: the ledger cannot be read.
        """
        statement = await self._statements.read(self._ledger_or_default(ledger), 0.0, scope, thread)
        return statement.calls[::-1]

    submit_sync = sync_twin(submit)
    upload_sync = sync_twin(upload)
    release_sync = sync_twin(release)
    adopt_sync = sync_twin(adopt)
    settle_sync = sync_twin(settle)
    fetch_prices_sync = sync_twin(fetch_prices)
    spent_sync = sync_twin(spent)
    paid_sync = sync_twin(paid)

    def graph_ledger(self, store: Any | None) -> Ledger | None:
        """The ledger for a call inside a graph: the client's own, else one in the graph's store, else none.

        Args:
            store: the LangGraph store of the run, if it has one.
        """
        if self._ledger is not None or store is None:
            return self._ledger
        return StoreLedger(store)

    @deprecated("allow_again is now called release")
    async def allow_again(self, key: str, *, ledger: Ledger | None = None) -> None:
        """The old name of `release`."""
        await self.release(key, ledger=ledger)

    def _ledger_or_default(self, ledger: Ledger | None) -> Ledger:
        return next(each for each in (as_ledger(ledger), self._ledger, self._memory_ledger) if each is not None)
