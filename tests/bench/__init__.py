"""Measurements, which `make bench` runs, and tests of what they promise, which the suite runs."""
