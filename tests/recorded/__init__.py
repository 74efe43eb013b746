"""Tests that play recordings of the API, and the code that makes, cleans and compares the recordings."""
