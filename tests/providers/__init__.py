"""Chat models of real provider packages, which talk to an endpoint on this machine."""
