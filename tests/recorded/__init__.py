"""Tests that play recordings of the API, and the code that records, scrubs and compares them."""
