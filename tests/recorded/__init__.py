"""Tests that play recordings of the API, and what records, scrubs and compares these."""
