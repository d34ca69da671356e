"""Where the score of a sample comes from, with another confidence than self-consistency."""
