"""What can go wrong between a model's name and its server.

    SLMMuxError
    └── LocalError
        ├── ModelNotFoundError   no such name, file or address
        ├── DownloadError        the weights cannot be had: no network, no space, not what was promised
        ├── NotAGGUFError        a file that is not a GGUF, or only a part of one
        └── ServerError          llama.cpp cannot be loaded, did not start, or belongs to another process

Their sentences quote what was found, and never a server's key.
"""

from slmmux._errors import SLMMuxError

__all__ = ["DownloadError", "LocalError", "ModelNotFoundError", "NotAGGUFError", "ServerError"]


class LocalError(SLMMuxError):
    """The root of this branch."""


class ModelNotFoundError(LocalError):
    """No such name in the catalogue, no such file, no such file on the hub."""


class DownloadError(LocalError):
    """The weights cannot be had; nothing of the attempt is left behind."""


class NotAGGUFError(LocalError):
    """A file that is not a GGUF, or only a part of one."""


class ServerError(LocalError):
    """llama.cpp cannot be loaded, did not start, or belongs to another process."""
