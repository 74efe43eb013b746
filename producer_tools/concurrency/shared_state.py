"""The lock that guards state which threads share.

It is one lock for the whole package, because it must be held while the process forks: then no forked child starts with
a lock that a thread of its parent holds, or with state that such a thread has changed halfway. It is held only for
short changes, never while waiting for anything. It is reentrant, because the garbage collector may end an abandoned
coroutine, which then gives up what it holds, inside such a change.
"""

import os
import threading

shared_state = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=shared_state.acquire, after_in_parent=shared_state.release, after_in_child=shared_state.release
    )
