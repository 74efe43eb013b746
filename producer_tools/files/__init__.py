"""Files from the web onto the disk: where they may come from, what they must be, how they are named and written."""
