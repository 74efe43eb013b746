"""How often a tool is found by what a user says: ``make choice``."""
