"""From a finished task to files on the disk."""
