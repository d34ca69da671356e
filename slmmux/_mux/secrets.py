"""Secrets of members, so that they can be struck out of whatever leaves the process.

A secret is the value of a `SecretStr` field, or of a plain field whose name says so.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from slmmux._errors import stand_in

__all__ = ["MASK", "clean_error", "secrets_of", "strike"]

MASK = "**********"

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?key|key|token|secret|password|passwd|authorization|credentials?)$", re.IGNORECASE
)
_SHORTEST = 4  # striking shorter values would blank out ordinary words and hide nothing


def secrets_of(values: BaseModel | Mapping[str, Any]) -> tuple[str, ...]:
    """Return the secret values in a model's fields or in call arguments, longest first."""
    fields = values.__dict__ if isinstance(values, BaseModel) else values
    return tuple(sorted(set(_find(fields)), key=len, reverse=True))


def _find(values: Mapping[Any, Any], depth: int = 3) -> Iterable[str]:
    for name, value in values.items():
        if isinstance(value, SecretStr | SecretBytes):
            secret = value.get_secret_value()
            text = secret if isinstance(secret, str) else secret.decode(errors="ignore")
        elif isinstance(value, str) and isinstance(name, str) and _SECRET_NAME.search(name.replace("-", "_")):
            text = value.removeprefix("Bearer ")
        elif isinstance(value, Mapping | BaseModel) and depth:
            yield from _find(value.__dict__ if isinstance(value, BaseModel) else value, depth - 1)
            continue
        else:
            continue
        if len(text) >= _SHORTEST:
            yield text


def strike(value: Any, secrets: tuple[str, ...]) -> Any:
    """Return a JSON-like value with every known secret struck out of its texts; other values are returned unchanged."""
    if isinstance(value, SecretStr | SecretBytes):
        return MASK
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {strike(k, secrets): strike(v, secrets) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [strike(v, secrets) for v in value]
    return value


def clean_error(error: BaseException, secrets: tuple[str, ...]) -> BaseException:
    """Return the error itself, or where it quotes a secret a stand-in of the same name that does not.

    A stand-in carries no cause and no traceback: their frames and texts would quote the secret again.
    """
    if not any(secret in text for secret in secrets for text in _texts(error)):
        return error
    status = getattr(error, "status_code", None)
    cls = type(error)
    text: str = strike(str(error), secrets)
    return stand_in(cls.__module__, cls.__name__, text, status if isinstance(status, int) else None)


def _texts(error: BaseException | None) -> Iterable[str]:
    chain: set[int] = set()
    while error is not None and id(error) not in chain:
        chain.add(id(error))
        yield str(error)
        yield repr(error)
        error = error.__cause__ or error.__context__
