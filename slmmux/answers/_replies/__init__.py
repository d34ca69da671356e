"""The parts of a reply: turns, reasoning, blocks, programs, JSON, and where it was cut off or runs on."""
