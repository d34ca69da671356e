"""`slmmux profile`: sample every member on every question, and write the samples to a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from slmmux._errors import ArgumentError
from slmmux.cli._console import print_json
from slmmux.cli._offline import Json

if TYPE_CHECKING:
    from slmmux.recording import Recording


from slmmux.cli._ask import ConfigFile, Framework, Samples, System
from slmmux.cli._frameworks import PROFILERS, make_with
from slmmux.cli._settings import settings_of

__all__ = ["profile"]

_stderr = Console(stderr=True)


def profile(
    questions: Annotated[
        Path, typer.Argument(help='A .jsonl file, with {"question_id", "question", "gold"} on each line.')
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The recording, a .jsonl file; samples in it are not requested again.")
    ],
    config: ConfigFile = None,
    samples: Samples = None,
    system: System = None,
    framework: Framework = "langchain",
    concurrency: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Requests at once for each member.")
    ] = None,
    retries: Annotated[int, typer.Option(min=0, metavar="N", help="Retries per request.")] = 5,
    trial: Annotated[
        bool, typer.Option("--trial", help="Make only the first few requests, and estimate the rest.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sample every member on questions, and record each sample.

    After an interruption, run the same command again; it continues with the missing samples.

    Example: slmmux profile questions.jsonl --config mux.toml --out samples.jsonl
    """
    try:
        settings = settings_of(config, samples=samples, system=system)
        mux, profile_mux = make_with(PROFILERS, framework, settings)
        recording = profile_mux(
            mux,
            questions,
            recording=out,
            concurrency=concurrency or {label: settings.concurrency_of(label) for label in settings.models},
            retries=retries,
            trial_only=trial,
        )
    except KeyboardInterrupt:
        _stderr.print(
            f"interrupted; the samples so far are in {out}; run the same command again to continue", style="dim"
        )
        raise typer.Exit(130) from None
    except OSError as error:
        raise ArgumentError(str(error)) from error
    if as_json:
        print_json({"recording": str(out), "models": _counts(recording, list(settings.models))})


def _counts(recording: "Recording", labels: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = {}
    for label in labels:
        rows = [row for row in recording.rows if row.model == label]
        counts[label] = {
            "questions": len({row.question_id for row in rows}),
            "samples": len(rows),
            "no_answer": sum(row.error is None and row.answer is None for row in rows),
            "failed": sum(row.error is not None for row in rows),
            "input_tokens": sum(row.input_tokens or 0 for row in rows),
            "output_tokens": sum(row.output_tokens or 0 for row in rows),
        }
    return counts
