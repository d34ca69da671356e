"""Small models on this machine: fetched as files with a known hash, served by llama.cpp, both on first use.

Example:
    >>> from slmmux.local import listing
    >>> {entry.name: entry.size for entry in listing()}["gemma-3-270m"]
    253113024
"""

from slmmux.local._errors import DownloadError, LocalError, ModelNotFoundError, NotAGGUFError, ServerError
from slmmux.local.catalogue import CATALOGUE, HubFile, Model, Part
from slmmux.local.hub_models import HUB_MODELS, TRIO, HubModel
from slmmux.local.progress import Progress, bar
from slmmux.local.server import Server, serve
from slmmux.local.weights import Entry, cache_folder, fetch, listing

__all__ = [
    "CATALOGUE",
    "HUB_MODELS",
    "TRIO",
    "DownloadError",
    "Entry",
    "HubFile",
    "HubModel",
    "LocalError",
    "Model",
    "ModelNotFoundError",
    "NotAGGUFError",
    "Part",
    "Progress",
    "Server",
    "ServerError",
    "bar",
    "cache_folder",
    "fetch",
    "listing",
    "serve",
]
