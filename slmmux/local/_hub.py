"""The Hugging Face hub, asked with little patience: it is one home of the weights among others.

`HF_ENDPOINT`, `HF_HUB_OFFLINE` and a saved token are respected; none of them is needed.
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

__all__ = ["Found", "NotOnHubError", "UnreachableError", "download", "look_up"]

PATIENCE = 2.0  # seconds, for the look-up as a whole: name, connection, answer
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UnreachableError(LocalError):
    """The hub did not answer."""


class NotOnHubError(LocalError):
    """The hub answered that it has no such file, or none for everyone."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is there.

    Attributes:
        repo: "owner/name".
        file: Its path in the repository.
        revision: The commit.
        size: Bytes.
        sha256: As the hub states it; `None` for what it does not keep as a large file.
    """

    repo: str
    file: str
    revision: str
    size: int
    sha256: str | None

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return f"{self.file} of {self.repo}"


def look_up(repo: str, file: str, revision: str) -> Found:
    """Ask whether a file is there, and wait no longer than two seconds for it.

    Args:
        repo: "owner/name".
        file: Its path in the repository.
        revision: A commit or a branch.

    Raises:
        UnreachableError: No answer, or `HF_HUB_OFFLINE` is set.
        NotOnHubError: It is not there, or not for everyone.
        DownloadError: The library for it is not installed.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise UnreachableError("HF_HUB_OFFLINE is set")
    try:
        import huggingface_hub  # noqa: PLC0415 - 0.4 s, and only for what is not here
    except ImportError as error:
        raise DownloadError('the hub is asked through huggingface_hub: pip install "slmmux[local]"') from error
    answers: SimpleQueue[Found | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            url = huggingface_hub.hf_hub_url(repo, file, revision=revision, endpoint=_endpoint())
            meta = huggingface_hub.get_hf_file_metadata(url, timeout=PATIENCE, endpoint=_endpoint())
            etag = meta.etag or ""
            sha256 = etag if _SHA256.fullmatch(etag) else None
            answers.put(Found(repo, file, meta.commit_hash or revision, meta.size or 0, sha256))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            answers.put(error)

    # A thread, because no time-out of a library covers the look-up of a name. It is left to end by itself.
    Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=PATIENCE)
    except Empty:
        raise UnreachableError(f"the hub did not answer within {PATIENCE:g} seconds") from None
    if isinstance(answer, Found):
        return answer
    if _status(answer) in {401, 403, 404}:
        raise NotOnHubError(f"the hub has no {file} in {repo} at {revision[:12]}, or not for everyone") from answer
    raise UnreachableError(f"the hub cannot be reached ({type(answer).__name__})") from answer


def download(found: Found, to: Path, *, progress: Progress) -> None:
    """Fetch a file that `look_up` found; the caller checks what came.

    Args:
        found: The file.
        to: The file to write; whatever else is needed is put into its folder.
        progress: Told (bytes done, bytes in all).

    Raises:
        DownloadError: It did not come.
    """
    import huggingface_hub  # noqa: PLC0415 - see above

    # The library reports through a tqdm and nothing else; it has no types.
    tqdm: Any = import_module("tqdm.auto").tqdm

    class Report(tqdm):  # type: ignore[misc]
        """Counts, and shows nothing."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})
            self._done = int(kwargs.get("initial") or 0)

        def update(self, n: float | None = 1) -> None:
            self._done += int(n or 0)
            progress(min(self._done, found.size), found.size)

    try:
        came = huggingface_hub.hf_hub_download(
            found.repo,
            found.file,
            revision=found.revision,
            local_dir=to.parent / "hub",
            etag_timeout=PATIENCE,
            endpoint=_endpoint(),
            tqdm_class=Report,
        )
    except OSError as error:
        if error.errno is not None:
            raise  # the disk, not the hub
        raise DownloadError(f"{found.name} did not come ({type(error).__name__})") from error
    except Exception as error:
        raise DownloadError(f"{found.name} did not come ({type(error).__name__})") from error
    Path(came).replace(to)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
