"""Workers on one PostgreSQL take albums from a queue and are killed at random; each song must be charged once."""
