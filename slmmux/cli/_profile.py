"""`slmmux profile`: sample every member on every question, and write the samples to a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from slmmux.cli._ask import ConfigFile, Framework, Samples, System
from slmmux.cli._console import OptionError, completing, notices, one_of, print_json, resumable
from slmmux.cli._frameworks import PACKAGES, make_with
from slmmux.cli._offline import Json
from slmmux.cli._settings import settings_of

if TYPE_CHECKING:
    from slmmux.profiling import Preset, Question
    from slmmux.recording import Recording

__all__ = ["QUESTIONS", "Limit", "Seed", "profile"]

ENGINES = ("ray",)
PRESETS = ("math500", "gpqa", "gsm8k")  # as in slmmux.profiling, which is not imported for the help alone

QUESTIONS = "A .jsonl, .json, .csv or .parquet file, or a data set: hf:OWNER/NAME[:CONFIG[:SPLIT]]."
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Use N questions; by default all.")]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Random seed for --limit; by default the first questions.")]

_stderr = Console(stderr=True)


def profile(
    questions: Annotated[str | None, typer.Argument(help=QUESTIONS)] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The recording, a .jsonl file; samples in it are not requested again."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="In place of --out: only plan, in this database; `slmmux work` does it."),
    ] = None,
    no_text: Annotated[
        bool, typer.Option("--no-text", help="With --store: keep the answers, and not the replies' texts.")
    ] = False,
    config: ConfigFile = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="ray: run model after model with Ray Data, on a cluster; --config is then a pool.toml.",
            autocompletion=completing(lambda: ENGINES),
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"A benchmark's data set, prompt and extractor: {', '.join(PRESETS)}.",
            autocompletion=completing(lambda: PRESETS),
        ),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option("--map", metavar="MAP", help="The fields of a table, such as question=prompt,gold=target."),
    ] = None,
    limit: Limit = None,
    seed: Seed = None,
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
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Request the failed samples of the recording again.")
    ] = False,
    tolerate: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Fail if a larger share of a model's samples failed, such as 0.02.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Sample every member on questions, and record each sample.

    After an interruption, run the same command again; it continues with the missing samples.

    Example: slmmux profile questions.jsonl --config mux.toml --out samples.jsonl

    Example: slmmux profile questions.jsonl --limit 200 --out samples.jsonl

    Example: slmmux profile questions.jsonl --config mux.toml --store store.db

    Example: slmmux profile q.jsonl --engine ray --config pool.toml --out r.jsonl
    """
    from slmmux.profiling import preset_of  # noqa: PLC0415

    if questions is None and preset is None:
        raise OptionError("there are no questions; name a file, a data set or a --preset")
    if (out is None) == (store is None):
        raise OptionError("write either --out FILE, to sample here, or --store URL, to plan for `slmmux work`")
    if no_text and store is None:
        raise OptionError("--no-text is for --store, received --out; leave it out")
    if preset is not None:
        one_of("--preset", preset, PRESETS)
    if engine is not None:
        one_of("--engine", engine, ENGINES)
        _check_engine(store, config, {"--samples": samples, "--system": system, "--concurrency": concurrency,
                                      "--trial": trial or None, "--retry-failed": retry_failed or None})  # fmt: skip
    benchmark = None if preset is None else preset_of(preset)
    with resumable(out):
        if engine is not None and out is not None and config is not None:
            with notices():
                items = _questions(questions, fields, limit, seed, preset)
            recording, labels = _on_ray(config, items, out, benchmark)
            _end(recording, labels, out, tolerate, as_json=as_json)
            return
        settings = settings_of(
            config,
            samples=samples,
            system=system if system is not None or benchmark is None else benchmark.system_prompt,
            extract=None if benchmark is None else benchmark.extract,
        )
        with notices():
            items = _questions(questions, fields, limit, seed, preset)
        if store is not None:
            from slmmux.cli._store import plan  # noqa: PLC0415

            plan(store, settings, framework, items, texts=not no_text)
            return
        mux, package = make_with(PACKAGES, framework, settings)
        recording = package.profile(
            mux,
            items,
            recording=out,
            concurrency=concurrency or {label: settings.concurrency_of(label) for label in settings.models},
            retries=retries,
            trial_only=trial,
            retry_failed=retry_failed,
        )
    _end(recording, list(settings.models), out, tolerate, as_json=as_json)


def _check_engine(store: str | None, config: Path | None, options: Mapping[str, object]) -> None:
    """Refuse what another engine does not take."""
    if store is not None:
        raise OptionError("--engine writes a recording, received --store; write --out FILE")
    if config is None:
        raise OptionError("--engine needs --config POOL.TOML, with an engine for each model")
    if unusable := [name for name, value in options.items() if value is not None]:
        raise OptionError(f"{unusable[0]} is not for --engine; write it in the pool.toml, or leave it out")


def _questions(
    questions: str | None, fields: str | None, limit: int | None, seed: int | None, preset: str | None
) -> "tuple[Question, ...]":
    from slmmux._files.fields import map_of  # noqa: PLC0415
    from slmmux.profiling import read_questions  # noqa: PLC0415

    return read_questions(
        questions,
        fields=None if fields is None else {name: names[0] for name, names in map_of(fields).items()},
        limit=limit,
        seed=seed,
        preset=preset,
    )


def _on_ray(
    config: Path, items: "Sequence[Question]", out: Path, benchmark: "Preset | None"
) -> "tuple[Recording, list[str]]":
    """Sample the models of a pool.toml with Ray Data; return the recording and the models' labels."""
    from slmmux.cli._store import counting  # noqa: PLC0415
    from slmmux.cluster import load_pool, profile_on_ray  # noqa: PLC0415

    pool = load_pool(config)
    if benchmark is not None:
        own = {} if pool.system_prompt is not None else {"system_prompt": benchmark.system_prompt}
        pool = pool.model_copy(update={"extract": benchmark.extract, **own})
    counts = {label: [0, 0] for label in pool.models}
    return profile_on_ray(pool, items, recording=out, came=counting(counts)), list(pool.models)


def _end(
    recording: "Recording", labels: Sequence[str], out: Path | None, tolerate: float | None, *, as_json: bool
) -> None:
    """Print what is in a recording, and fail if more samples failed than are tolerated."""
    if failed := sum(row.error is not None for row in recording.rows):
        _stderr.print(
            f"{failed:,} of {len(recording.rows):,} samples failed ({failed / len(recording.rows):.1%}); "
            "run the same command with --retry-failed to request them again",
            style="yellow",
        )
    counts = _counts(recording, labels)
    if as_json:
        print_json({"recording": str(out), "models": counts})
    if tolerate is not None:
        _check_tolerance(counts, tolerate)


def _check_tolerance(counts: Mapping[str, Mapping[str, int]], tolerate: float) -> None:
    """End with an error if more samples of a model failed than are tolerated; the recording stays."""
    shares = {label: count["failed"] / max(1, count["samples"]) for label, count in counts.items()}
    if over := {label: share for label, share in shares.items() if share > tolerate}:
        named = ", ".join(f"{label} {share:.1%}" for label, share in over.items())
        _stderr.print(f"more than the tolerated {tolerate:.1%} failed: {named}", style="red")
        raise typer.Exit(1)
    if any(shares.values()):
        _stderr.print(f"the failed share of every model is within the tolerated {tolerate:.1%}", style="dim")


def _counts(recording: "Recording", labels: Sequence[str]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
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
