"""What runs first in a notebook's kernel under test: no way beyond loopback, and a warning is an error.

The filters are those of pyproject.toml, whose reasons stand there.
"""

import ipaddress
import socket
import warnings

import pydantic

warnings.simplefilter("error")
for gone in (pydantic.PydanticDeprecatedSince20, pydantic.PydanticDeprecatedSince211):
    warnings.filterwarnings("ignore", category=gone, module="inspect")
warnings.filterwarnings("ignore", "`langchain-community` is being sunset", DeprecationWarning)
# The kernel's own: it is built on what these two are about to change.
for builder in ("ipykernel", "jupyter_client", "zmq", "tornado", "traitlets", "IPython"):
    warnings.filterwarnings("ignore", module=builder)

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_resolve = socket.getaddrinfo


def _here(host: object) -> bool:
    if host in {"localhost", b"localhost", "", None}:
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def _guard(self: socket.socket, address: object) -> None:
    if self.family in {socket.AF_INET, socket.AF_INET6} and not _here(address[0]):
        raise AssertionError(f"a notebook tried to reach {address!r}; notebooks stay on loopback")


def connect(self: socket.socket, address: object) -> None:
    _guard(self, address)
    return _connect(self, address)


def connect_ex(self: socket.socket, address: object) -> int:
    _guard(self, address)
    return _connect_ex(self, address)


def getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
    if not _here(host):
        raise socket.gaierror(f"a notebook tried to look up {host!r}; notebooks stay on loopback")
    return _resolve(host, *args, **kwargs)


socket.socket.connect = connect
socket.socket.connect_ex = connect_ex
socket.getaddrinfo = getaddrinfo
