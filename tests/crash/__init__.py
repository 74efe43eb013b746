"""Tests that kill real processes, and then compare what was charged with what was made."""
