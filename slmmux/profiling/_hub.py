"""Rows of a Hugging Face data set, by its name or from a local folder, through the package `datasets`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from slmmux._errors import ArgumentError

__all__ = ["hub_rows", "is_hub_name"]

_PREFIX = "hf:"
_SPLITS = ("test", "validation", "train")  # questions for an evaluation: the surest first


def is_hub_name(questions: str) -> bool:
    """Return whether questions are named as a data set: hf:OWNER/NAME, hf:OWNER/NAME:CONFIG or ...:CONFIG:SPLIT."""
    return questions.startswith(_PREFIX)


def hub_rows(questions: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a data set, each with its place.

    Args:
        questions: The name after `hf:`, or a folder that `datasets` can load or that `save_to_disk` wrote; then, after
            colons, the configuration and the split. Without a split: test, else validation, else train.

    Raises:
        ArgumentError: The package is not installed, or the data set cannot be loaded.
    """
    name, config, split = [*questions.removeprefix(_PREFIX).split(":", 2), "", ""][:3]
    try:
        import datasets  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise ArgumentError(f'{questions} needs the package datasets: pip install "slmmux[datasets]"') from None
    try:
        if (Path(name) / "state.json").is_file() or (Path(name) / "dataset_dict.json").is_file():
            rows = datasets.load_from_disk(name)
            if isinstance(rows, dict):
                rows = rows[_split(list(map(str, rows)), split, questions)]
        else:
            split = _split(datasets.get_dataset_split_names(name, config or None), split, questions)
            rows = datasets.load_dataset(name, config or None, split=split)
    except ArgumentError:
        raise
    except Exception as error:  # the package raises errors of many kinds: of the network, of names, of files
        sentence = " ".join(str(error).split()) or type(error).__name__
        raise ArgumentError(f"{questions} cannot be loaded: {sentence[:300]}") from error
    for number, row in enumerate(rows):
        yield f"{questions} row {number}", dict(row)


def _split(splits: list[str], name: str, questions: str) -> str:
    if name:
        if name not in splits:
            raise ArgumentError(f"{questions}: there is no split {name!r}; choose one of {', '.join(splits)}")
        return name
    return next((split for split in _SPLITS if split in splits), splits[0])
