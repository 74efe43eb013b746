"""Uploads recordings: hosts a file, and submits its address, once for the same content."""

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from producer_tools.concurrency.limits import KeyLocks, Semaphores
from producer_tools.errors import ProducerError
from producer_tools.files.uploads.hosting import FileHosts
from producer_tools.files.uploads.recordings import Recording
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import Transport
from producer_tools.payment.entry import Entry
from producer_tools.payment.keys import ledger_key
from producer_tools.payment.ledger import Ledger
from producer_tools.payment.recordings import Filed, RecordingKeys
from producer_tools.payment.sending import Sender
from producer_tools.requests import PaidRequest
from producer_tools.requests.media import UploadRecording
from producer_tools.tasks.task import Task

_FILES_AT_ONCE = 5
"""For each account. Each file that is uploaded is in memory, up to 25 MB."""

_NOT_YET = "https://not-yet-hosted.invalid/"


class Submit(Protocol):
    """`ProducerClient.submit`, which a subclass may have overridden, for example with a quota."""

    def __call__(
        self, request: PaidRequest, *, key: str | None, ledger: Ledger, refusal: ProducerError | None
    ) -> Awaitable[Task]:
        """The task of a request, which is sent unless it was sent before."""


class Uploads:
    """Uploads recordings for one client.

    Args:
        transport: knows the token of the current call.
        hosts: gives a recording an address.
        keys: finds the key of each recording.
        sender: knows the budgets, and whether the service is down. A file becomes public when it is hosted, so both are
            checked before that.
    """

    def __init__(self, transport: Transport, hosts: FileHosts, keys: RecordingKeys, sender: Sender) -> None:
        self._transport = transport
        self._hosts = hosts
        self._keys = keys
        self._sender = sender
        self._in_progress = KeyLocks()
        self._places = Semaphores(_FILES_AT_ONCE)

    def place(self) -> AbstractAsyncContextManager[None]:
        """Hold one of the account's places for uploads during the block, in which the file is read and sent."""
        return self._places.hold(token_id(self._transport.token()))

    async def upload(
        self, recording: Recording, submit: Submit, *, key: str | None, ledger: Ledger, refusal: ProducerError | None
    ) -> Task:
        """The task of a recording: that of an earlier upload, or of a new one."""
        account = token_id(self._transport.token())
        # Of calls of this client at once, only the first one sends the file, and only the first one gets the key.
        named = f"key {ledger_key(key or recording.sha256, account)}"
        async with self._in_progress.hold(named), self._in_progress.hold(f"{account}/{recording.sha256}"):
            if key is None:
                place = await self._keys.filed(recording.sha256, account, ledger)
            else:
                place = await self._keys.claimed(key, recording.sha256, account, ledger)
            try:
                url = await self._address(recording, place, account, ledger, refusal)
            except BaseException:
                await self._keys.give_up(place, ledger)
                raise
            try:
                request = _request(url, recording.sha256)
                return await submit(request, key=place.key, ledger=ledger, refusal=refusal)
            except ProducerError:  # a submit whose caller is cancelled may go on, and needs the claim
                await self._keys.give_up(place, ledger)
                raise

    async def repeated(self, submit: Submit, *, key: str, ledger: Ledger, refusal: ProducerError) -> Task:
        """The task of an earlier upload under a caller's key, whose file cannot be read any more. Nothing is sent.

        Raises:
            ProducerError: ``refusal``, if nothing was uploaded under this key.
        """
        account = token_id(self._transport.token())
        place = await self._keys.claimed_before(key, account, ledger)
        if place is None or place.entry is None:
            raise refusal
        request = _request(_address_in(place.entry), place.sha256)
        return await submit(request, key=place.key, ledger=ledger, refusal=refusal)

    async def _address(
        self, recording: Recording, place: Filed, account: str, ledger: Ledger, refusal: ProducerError | None
    ) -> str:
        """The address of a recording: that of its last upload, or a new one."""
        if place.entry is not None:
            # Nothing is sent, unless whoever is sending it withdraws: then its address holds the same content.
            return _address_in(place.entry)
        if refusal is not None:
            raise refusal
        await self._sender.check(_request(_NOT_YET, recording.sha256), account, ledger)
        return await self._hosts.host(recording)


def _request(url: str, sha256: str) -> UploadRecording:
    return UploadRecording(audio_url=url, sha256=sha256)


def _address_in(entry: Entry) -> str:
    return str(entry.request.get("audio_url"))
