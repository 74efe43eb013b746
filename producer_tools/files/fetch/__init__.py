"""Files from the web, over HTTP, into a part file that is complete before it gets its name."""
