"""Numbers, quantities and formulas: how they are written, and when two are equal."""
