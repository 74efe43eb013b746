"""Uploads recordings: hosts a file, and submits its address, once for the same content."""

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pydantic import BaseModel, ValidationError

from producer_tools.concurrency.limits import KeyLocks, Semaphores
from producer_tools.errors import LedgerError, ProducerError, SubmissionConflictError
from producer_tools.files.uploads.hosting import FileHosts
from producer_tools.files.uploads.recordings import Recording
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import Transport
from producer_tools.payment.entry import Entry
from producer_tools.payment.keys import ledger_key
from producer_tools.payment.ledger import Ledger, guarded
from producer_tools.payment.recordings import Filed, RecordingKeys
from producer_tools.payment.sending import Sender
from producer_tools.requests import PaidRequest
from producer_tools.requests.media import UploadRecording
from producer_tools.tasks.records import read_answer
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


class _Note(BaseModel):
    """What was uploaded under a caller's key.

    Attributes:
        key: the key in the ledger.
        sha256: the hash of the content.
    """

    key: str
    sha256: str


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
            place = await self._place(recording.sha256, account, ledger, key)
            if place.entry is not None:
                # Nothing is sent, unless whoever is sending it withdraws: then its address holds the same content.
                url = _address(place.entry)
            elif refusal is not None:
                raise refusal
            else:
                await self._sender.check(_request(_NOT_YET, recording.sha256), account, ledger)
                url = await self._hosts.host(recording)
            request = _request(url, recording.sha256)
            return await submit(request, key=place.key, ledger=ledger, refusal=refusal)

    async def repeated(self, submit: Submit, *, key: str, ledger: Ledger, refusal: ProducerError) -> Task:
        """The task of an earlier upload under a caller's key, whose file cannot be read any more. Nothing is sent.

        Raises:
            ProducerError: ``refusal``, if nothing was uploaded under this key.
        """
        account = token_id(self._transport.token())
        note = await self._note(ledger_key(key, account), ledger)
        entry = None if note is None else await guarded(ledger.get(ledger_key(note.key, account)))
        if note is None or entry is None:
            raise refusal
        request = _request(_address(entry), note.sha256)
        return await submit(request, key=note.key, ledger=ledger, refusal=refusal)

    async def _place(self, sha256: str, account: str, ledger: Ledger, key: str | None) -> Filed:
        """Where the upload belongs in the ledger. A caller's key belongs to it for good, also after seven days.

        Raises:
            SubmissionConflictError: the caller's key belongs to other content.
        """
        if key is None:
            return await self._keys.filed(sha256, account, ledger)
        named = ledger_key(key, account)
        if (note := await self._note(named, ledger)) is not None:
            entry = await guarded(ledger.get(ledger_key(note.key, account)))
            if note.sha256 == sha256:
                return Filed(note.key, entry)
            if entry is not None:  # else the first content was never sent
                raise SubmissionConflictError(key, read_answer(entry.answer).task_id if entry.answer else None)
        place = await self._keys.filed(sha256, account, ledger)
        await guarded(ledger.write_note(_name(named), {"key": place.key, "sha256": sha256}))
        return place

    @staticmethod
    async def _note(named: str, ledger: Ledger) -> _Note | None:
        """What was uploaded under a caller's key.

        Raises:
            LedgerError: the note of it is damaged. Without it, the recording might be paid for again.
        """
        note = await guarded(ledger.read_note(_name(named)))
        if note is None:
            return None
        try:
            return _Note.model_validate(note)
        except ValidationError:
            raise LedgerError(f"The ledger's note {_name(named)!r} is damaged.") from None


def _name(named: str) -> str:
    """The name of the note about a caller's key, which has the account before it."""
    return f"recording of {named}"


def _request(url: str, sha256: str) -> UploadRecording:
    return UploadRecording(audio_url=url, sha256=sha256)


def _address(entry: Entry) -> str:
    return str(entry.request.get("audio_url"))
