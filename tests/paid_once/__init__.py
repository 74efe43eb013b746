"""Tests of what is paid for: once, whatever goes wrong."""
