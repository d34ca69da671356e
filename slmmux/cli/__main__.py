"""`python -m slmmux.cli` is the command `slmmux`."""

from slmmux.cli import app

app()
