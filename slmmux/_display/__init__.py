"""The display of a decision: in a notebook, on a terminal, as text.

This folder reads a decision by its attributes alone and does not import its class.
"""
