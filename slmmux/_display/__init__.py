"""How a decision is shown: in a notebook, on a terminal, as text.

A decision is known here by its attributes alone, so nothing in this folder imports the decision.
"""
