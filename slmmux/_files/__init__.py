"""Files as they are read and written everywhere in this package: bounded, once, and whole.

Nothing here knows what a file is about.
"""
