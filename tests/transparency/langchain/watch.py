"""What the table must know of LangChain: how a mux is made, and how its users listen to a call."""

import contextlib
from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler

from langchain_slmmux import SLMMuxChatModel

from ..plain import plain, plain_error

__all__ = ["LangChain"]


class _Runs(BaseCallbackHandler):
    """Every chat model's run, in order, with its tokens and its end; and the parent of every run."""

    raise_error = True
    run_inline = True

    def __init__(self) -> None:
        self.parents: dict[str, str | None] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.tokens: list[tuple[str, Any]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        run_id, parent = str(kwargs.pop("run_id")), kwargs.pop("parent_run_id", None)
        self.parents[run_id] = parent and str(parent)
        self.runs[run_id] = {
            "serialized": plain(serialized),
            "messages": plain(messages),
            **{name: plain(value) for name, value in kwargs.items()},
            "outcome": None,
        }

    def on_chain_start(self, *_: Any, **kwargs: Any) -> None:
        parent = kwargs.get("parent_run_id")
        self.parents[str(kwargs["run_id"])] = parent and str(parent)

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
        self.tokens.append((str(kwargs["run_id"]), {"token": plain(token), "chunk": plain(chunk)}))

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.runs[str(kwargs["run_id"])]["outcome"] = plain(response)

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.runs[str(kwargs["run_id"])]["outcome"] = {"error": plain_error(error)}

    def above(self, run_id: str) -> list[str]:
        """Return the runs that a run is below of, nearest first."""
        found = []
        parent = self.parents.get(run_id)
        while parent:
            found.append(parent)
            parent = self.parents.get(parent)
        return found


def _describes_model(name: str) -> bool:
    return name.startswith("ls_") or name == "lc_versions"


class LangChainWatch:
    """A handler of runs and tokens, and one of usage.

    The mux's own run stands above the member's, and is no difference: what the user says of a run (its name, tags,
    metadata and options) is the mux's, what describes the model and its parameters is the member's; tokens are those of
    both, as a listener hears them; how the call began and ended is kept of both.
    """

    def __init__(self) -> None:
        self._runs = _Runs()
        self._usage = UsageMetadataCallbackHandler()

    def config(self) -> dict[str, Any]:
        return {"config": {"callbacks": [self._runs, self._usage]}}

    def _ours(self) -> dict[str, list[str]]:
        """Return each mux's run with the member's runs below it."""
        runs = self._runs.runs
        return {
            run_id: [below for below in runs if run_id in self._runs.above(below)]
            for run_id, run in runs.items()
            if (run.get("invocation_params") or {}).get("_type") == "slmmux"
        }

    def events(self) -> dict[str, Any]:
        ours = self._ours()
        below = {run_id for members in ours.values() for run_id in members}
        heard = []
        for run_id, run in self._runs.runs.items():
            if run_id in below:
                continue
            members = ours.get(run_id) or [run_id]
            heard.append(
                {
                    "run": {
                        **{name: run[name] for name in ("name", "tags", "options", "messages", "outcome")},
                        "metadata": {k: v for k, v in run["metadata"].items() if not _describes_model(k)},
                    },
                    "member": [self._of_member(self._runs.runs[name], own=name in ours) for name in members],
                    "tokens": [token for name, token in self._runs.tokens if name in {run_id, *members}],
                }
            )
        return {"runs": heard, "usage": plain(self._usage.usage_metadata)}

    def _of_member(self, run: dict[str, Any], *, own: bool) -> dict[str, Any]:
        names = ("messages", "outcome") if own else ("serialized", "invocation_params", "messages", "outcome")
        kept = {name: run[name] for name in names}
        return {**kept, "metadata": {k: v for k, v in run["metadata"].items() if _describes_model(k)}}

    def names(self) -> dict[str, str]:
        ours = self._ours()
        below = {run_id for members in ours.values() for run_id in members}
        return {
            **{run_id: f"<run {i + 1}>" for i, run_id in enumerate(r for r in self._runs.runs if r not in below)},
            **dict.fromkeys(below, "<run of the sample>"),
        }


class LangChain:
    """LangChain's part of the table."""

    def mux(self, member: Any) -> SLMMuxChatModel:
        return SLMMuxChatModel(models={"member": member}, samples=1)

    @contextlib.contextmanager
    def watch(self, model: Any) -> Iterator[LangChainWatch]:
        yield LangChainWatch()
