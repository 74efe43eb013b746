"""Time, threads and event loops: the clock, the bridge from sync code to async, semaphores and rate limits."""
