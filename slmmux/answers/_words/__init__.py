"""How answers are announced, worded and framed in the languages that models write."""
