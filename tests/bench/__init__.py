"""Measurements. The suite runs the `test_*.py`; `make bench` runs the `bench_*.py`, which measure time."""
