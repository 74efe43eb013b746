"""Tasks of the service: what a record means, look-ups, watching and waiting."""
