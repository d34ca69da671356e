"""The Hugging Face hub, one of several sources of the weights, with short time-outs.

`HF_ENDPOINT`, `HF_HUB_OFFLINE` and a saved token are respected, and optional.
"""

import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from slmmux.local._errors import DownloadError, LocalError
from slmmux.local.progress import Progress

__all__ = ["HubEntry", "NotOnHubError", "UnreachableError", "download", "look_up"]

PATIENCE = 2.0  # seconds for a look-up (name resolution, connection and answer) of a file that is elsewhere too
ALONE_PATIENCE = 20.0  # the same of a file that only the hub has: there is nothing to go on with sooner
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UnreachableError(LocalError):
    """The hub did not answer."""


class NotOnHubError(LocalError):
    """The hub answered that the file does not exist, or is not public."""


@dataclass(frozen=True, slots=True)
class HubEntry:
    """A file on the hub.

    Attributes:
        repo: "owner/name".
        file: The file's path in the repository.
        revision: The commit.
        size: The size in bytes.
        sha256: The hash that the hub states; `None` for a small file, which has none.
    """

    repo: str
    file: str
    revision: str
    size: int
    sha256: str | None

    @property
    def name(self) -> str:
        """The file's name in a sentence."""
        return f"{self.file} of {self.repo}"


def look_up(repo: str, file: str, revision: str, *, alone: bool = False) -> HubEntry:
    """Look a file up, within two seconds, or twenty if it is nowhere else.

    Args:
        repo: "owner/name".
        file: The file's path in the repository.
        revision: A commit or a branch.
        alone: Whether only the hub has the file.

    Raises:
        UnreachableError: The hub did not answer, or `HF_HUB_OFFLINE` is set.
        NotOnHubError: The file does not exist, or is not public.
        DownloadError: huggingface_hub is not installed.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise UnreachableError("HF_HUB_OFFLINE is set")
    try:
        import huggingface_hub  # noqa: PLC0415 - 0.4 s, and only to fetch a file
    except ImportError as error:
        raise DownloadError(
            'the hub needs the package huggingface_hub; install it with pip install "slmmux[local]"'
        ) from error
    patience = ALONE_PATIENCE if alone else PATIENCE
    answers: SimpleQueue[HubEntry | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            url = huggingface_hub.hf_hub_url(repo, file, revision=revision, endpoint=_endpoint())
            meta = huggingface_hub.get_hf_file_metadata(url, timeout=patience, endpoint=_endpoint())
            etag = meta.etag or ""
            sha256 = etag if _SHA256.fullmatch(etag) else None
            answers.put(HubEntry(repo, file, meta.commit_hash or revision, meta.size or 0, sha256))
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            answers.put(error)

    # A thread, because the library's time-out does not cover name resolution. It ends by itself.
    Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=patience)
    except Empty:
        raise UnreachableError(f"the hub did not answer within {patience:g} seconds") from None
    if isinstance(answer, HubEntry):
        return answer
    if _status(answer) in {401, 403, 404}:
        raise NotOnHubError(f"{file} in {repo} at {revision[:12]} is not on the hub, or not public") from answer
    raise UnreachableError(f"the hub cannot be reached ({type(answer).__name__})") from answer


def download(entry: HubEntry, to: Path, *, progress: Progress) -> None:
    """Fetch a file that `look_up` returned; the caller checks its hash.

    Args:
        entry: The file on the hub.
        to: The file to write; temporary files are put into its folder.
        progress: Called with (bytes so far, bytes in total).

    Raises:
        DownloadError: The download failed.
    """
    import huggingface_hub  # noqa: PLC0415 - see above

    # The library reports progress through a tqdm class only; tqdm has no types.
    tqdm: Any = import_module("tqdm.auto").tqdm

    class Report(tqdm):  # type: ignore[misc]
        """Reports progress without a display."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})
            self._bytes = int(kwargs.get("initial") or 0)

        def update(self, n: float | None = 1) -> None:
            self._bytes += int(n or 0)
            progress(min(self._bytes, entry.size), entry.size)

    try:
        path = huggingface_hub.hf_hub_download(
            entry.repo,
            entry.file,
            revision=entry.revision,
            local_dir=to.parent / "hub",
            etag_timeout=ALONE_PATIENCE,
            endpoint=_endpoint(),
            tqdm_class=Report,
        )
    except OSError as error:
        if error.errno is not None:
            raise  # a fault of the disk, not of the hub
        raise DownloadError(f"{entry.name} could not be fetched ({type(error).__name__})") from error
    except Exception as error:
        raise DownloadError(f"{entry.name} could not be fetched ({type(error).__name__})") from error
    Path(path).replace(to)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
