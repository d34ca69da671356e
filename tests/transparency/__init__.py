"""A mux of one is its member: each integration in each situation, alone and through a mux, compared."""
