"""Processes that are killed, and thousands of calls with faults."""
