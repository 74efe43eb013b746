"""Uploads recordings: hosts a file, and submits its address, once for the same content."""

from collections.abc import Awaitable
from typing import Protocol

from producer_tools.concurrency.limits import KeyLocks
from producer_tools.errors import ProducerError, SubmissionConflictError
from producer_tools.files.hosting import FileHosts
from producer_tools.files.recordings import Recording
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import Transport
from producer_tools.payment.keys import ledger_key
from producer_tools.payment.ledger import Ledger, guarded
from producer_tools.payment.recordings import Filed, RecordingKeys
from producer_tools.requests import PaidRequest
from producer_tools.requests.media import UploadRecording
from producer_tools.tasks.task import Task


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
    """

    def __init__(self, transport: Transport, hosts: FileHosts, keys: RecordingKeys) -> None:
        self._transport = transport
        self._hosts = hosts
        self._keys = keys
        self._in_progress = KeyLocks()

    async def upload(
        self, recording: Recording, submit: Submit, *, key: str | None, ledger: Ledger, refusal: ProducerError | None
    ) -> Task:
        """The task of a recording: that of an earlier upload, or of a new one."""
        account = token_id(self._transport.token())
        # Of calls of this client at once, only the first one sends the file.
        async with self._in_progress.hold(f"{account}/{recording.sha256}"):
            place = await self._place(recording, account, ledger, key)
            if place.entry is not None:
                # Nothing is sent, unless whoever is sending it withdraws: then its address holds the same content.
                url = str(place.entry.request.get("audio_url"))
            elif refusal is not None:
                raise refusal
            else:
                url = await self._hosts.host(recording)
            request = UploadRecording(audio_url=url, sha256=recording.sha256)
            return await submit(request, key=place.key, ledger=ledger, refusal=refusal)

    async def _place(self, recording: Recording, account: str, ledger: Ledger, key: str | None) -> Filed:
        """Where the upload belongs in the ledger. A caller's key belongs to it for good, also after seven days.

        Raises:
            SubmissionConflictError: the caller's key belongs to other content.
        """
        if key is None:
            return await self._keys.filed(recording.sha256, account, ledger)
        name = f"recording of {ledger_key(key, account)}"
        note = await guarded(ledger.read_note(name))
        if note is None:
            place = await self._keys.filed(recording.sha256, account, ledger)
            await guarded(ledger.write_note(name, {"key": place.key, "sha256": recording.sha256}))
            return place
        if note["sha256"] != recording.sha256:
            raise SubmissionConflictError(key)
        return Filed(note["key"], await guarded(ledger.get(ledger_key(note["key"], account))))
