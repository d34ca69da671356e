"""How this package reads files (bounded, and once) and writes them (whole).

Nothing here knows what a file is about.
"""
