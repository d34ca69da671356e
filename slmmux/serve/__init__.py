"""A mux behind an address: one model name for every program that speaks OpenAI's protocol.

    import uvicorn
    from slmmux.serve import create_app

    uvicorn.run(create_app({"mux": mux}))  # or, for a mux.toml: slmmux serve mux.toml

The server holds no state: several of them can stand behind one balancer.
"""

from slmmux.serve._app import create_app

__all__ = ["create_app"]
