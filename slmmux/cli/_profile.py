"""`slmmux profile`: questions put to a pool, and every sample kept in a file."""

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
from slmmux.cli._frameworks import PROFILERS, made_by
from slmmux.cli._settings import settings_of

__all__ = ["profile"]

_stderr = Console(stderr=True)


def profile(
    questions: Annotated[Path, typer.Argument(help='A .jsonl: {"question_id", "question", "gold"} a line.')],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The recording, a .jsonl; what it holds is not asked again.")
    ],
    config: ConfigFile = None,
    samples: Samples = None,
    system: System = None,
    framework: Framework = "langchain",
    concurrency: Annotated[int | None, typer.Option(min=1, metavar="N", help="Requests at once a member.")] = None,
    retries: Annotated[int, typer.Option(min=0, metavar="N", help="How often a request is made again.")] = 5,
    trial: Annotated[bool, typer.Option("--trial", help="Make the first few requests and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Put questions to every member, and keep every sample in a file.

    Killed or interrupted, it goes on where it was when it is run again.

    Example: slmmux profile questions.jsonl --config mux.toml --out samples.jsonl
    """
    try:
        settings = settings_of(config, samples=samples, system=system)
        mux, put_to = made_by(PROFILERS, framework, settings)
        recording = put_to(
            mux,
            questions,
            recording=out,
            concurrency=concurrency or {label: settings.concurrency_of(label) for label in settings.models},
            retries=retries,
            trial_only=trial,
        )
    except KeyboardInterrupt:
        _stderr.print(f"interrupted; what came is in {out}, run the same again to go on", style="dim")
        raise typer.Exit(130) from None
    except OSError as error:
        raise ArgumentError(str(error)) from error
    if as_json:
        print_json({"recording": str(out), "models": _recorded(recording, list(settings.models))})


def _recorded(recording: "Recording", labels: Sequence[str]) -> dict[str, dict[str, int]]:
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
