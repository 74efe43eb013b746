"""A fleet on one database: workers take albums from a queue, are killed at random, and no song is paid for twice."""
