"""Callers of one client, from many threads and event loops, and what a stranger and a hasty operator do meanwhile."""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from random import Random

from producer_tools import (
    CallbackReceiver,
    OutcomeKnownError,
    ProducerClient,
    ProducerGenerateMusic,
    ProducerGetTasksBatch,
)

THREADS = 32
LOOPS = 8
TASKS_PER_LOOP = 4
_LONGEST_HURRY = 0.2
_CALLS_PER_LOOK = 20
_LOOK_AT = 20


class Callers:
    """Threads and event loops that each request the next song of a queue, until it is empty.

    Args:
        client: The client that all of them share.
        receiver: Its receiver of callbacks.
        addresses: The callback address of each song.

    Attributes:
        answers: What the calls for each song got: the task's id, or an error's text.
        looks: Look-ups of tasks.
        failed_looks: Look-ups that failed.
        changed: Songs whose known outcome could be changed. It must be empty.
    """

    def __init__(self, client: ProducerClient, receiver: CallbackReceiver, addresses: Sequence[str]) -> None:
        self._client = client
        self._receiver = receiver
        self._addresses = addresses
        self._random = Random()
        self._submit = ProducerGenerateMusic(client=client)
        self._look = ProducerGetTasksBatch(client=client)
        self._queue: SimpleQueue[str] = SimpleQueue()
        self._lock = threading.Lock()
        self._task_ids: list[str] = []
        self.answers: defaultdict[str, list[str]] = defaultdict(list)
        self.looks = 0
        self.failed_looks = 0
        self.changed: list[str] = []

    def call(self, songs: list[str]) -> None:
        """Request all of these, and return when all have been answered."""
        for song in songs:
            self._queue.put(song)
        with ThreadPoolExecutor(THREADS + LOOPS) as threads:
            callers = [threads.submit(self._in_thread) for _ in range(THREADS)]
            callers += [threads.submit(lambda: asyncio.run(self._in_loop())) for _ in range(LOOPS)]
            for caller in callers:
                caller.result()

    def _in_thread(self) -> None:
        while song := self._next():
            self._note(song, self._submit.invoke({"prompt": song, "submission_key": song}))
            if ids := self._due_look():
                self._note_look(self._look.invoke({"task_ids": ids}))
                self._change_known_outcome()

    async def _in_loop(self) -> None:
        await asyncio.gather(*(self._in_task() for _ in range(TASKS_PER_LOOP)))

    async def _in_task(self) -> None:
        while song := self._next():
            arguments = {"prompt": song, "submission_key": song}
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._submit.ainvoke(arguments), self._random.uniform(0, _LONGEST_HURRY))
            self._note(song, await self._submit.ainvoke(arguments))
            if ids := self._due_look():
                self._note_look(await self._look.ainvoke({"task_ids": ids}))

    def _next(self) -> str | None:
        try:
            return self._queue.get_nowait()
        except Empty:
            return None

    def _note(self, song: str, content: str) -> None:
        """Keep the task id that a call returned, or else its error."""
        with self._lock:
            answer = json.loads(content)["task_id"] if content.startswith("{") else content
            self.answers[song].append(answer)
            if content.startswith("{"):
                self._task_ids.append(answer)
                # A stranger posts the id to the address of any other song, which may be in the making.
                self._receiver.receive(self._random.choice(self._addresses), json.dumps({"task_id": answer}).encode())

    def _due_look(self) -> list[str]:
        """The newest tasks, if it is time to look tasks up, else none."""
        with self._lock:
            due = len(self._task_ids) // _CALLS_PER_LOOK > self.looks
            self.looks += due
            return self._task_ids[-_LOOK_AT:] if due else []

    def _note_look(self, content: str) -> None:
        with self._lock:
            self.failed_looks += not content.startswith("{")

    def _change_known_outcome(self) -> None:
        """Release and adopt a song that is known. It must be refused: the song could be paid for again, or lost."""
        with self._lock:
            song = next(song for song, answers in self.answers.items() if answers[-1] in self._task_ids)
        for change in (
            partial(self._client.release_sync, song),
            partial(self._client.adopt_sync, song, "another task"),
        ):
            with suppress(OutcomeKnownError):
                change()
                self.changed.append(song)
