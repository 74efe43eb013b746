"""HTTP calls to the API: settings, sessions, one request and what its failures mean, retries, callbacks."""
