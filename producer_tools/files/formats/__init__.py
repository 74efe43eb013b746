"""The types of files: how they begin, and how one tells that they are whole."""
