"""The errors between a model's name and its server.

    SLMMuxError
    └── LocalError
        ├── ModelNotFoundError   unknown name, file or address
        ├── DownloadError        the weights cannot be fetched: network, disk, or a wrong hash
        ├── NotAGGUFError        a file that is not a GGUF, or not a complete one
        └── ServerError          llama.cpp cannot be loaded, did not start, or belongs to another process

The sentences never contain a server's key.
"""

from slmmux._errors import SLMMuxError

__all__ = ["DownloadError", "LocalError", "ModelNotFoundError", "NotAGGUFError", "ServerError"]


class LocalError(SLMMuxError):
    """The root of the errors of `slmmux.local`."""


class ModelNotFoundError(LocalError):
    """The name is not in the catalogue, or the file does not exist here or on the hub."""


class DownloadError(LocalError):
    """The weights cannot be fetched; the attempt leaves no files behind."""


class NotAGGUFError(LocalError):
    """A file that is not a GGUF, or not a complete one."""


class ServerError(LocalError):
    """llama.cpp cannot be loaded, did not start, or belongs to another process."""
