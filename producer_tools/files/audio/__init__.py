"""What is in an audio file: its tags, its samples, and what can be measured of them."""
