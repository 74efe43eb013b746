"""Failures that only repetition finds: hundreds of killed processes, and thousands of calls with faults."""
