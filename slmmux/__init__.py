"""A chat model that is really several: the shared core."""
