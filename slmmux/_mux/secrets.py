"""Secrets of members, so that they can be struck out of whatever leaves the process.

A secret is known by what it is, not by its name alone:

    what a field of a secret's type holds (`SecretStr`), or a plain field whose name says so;
    the user information and the query of an address, wherever it stands;
    the value of a header that is not on the short list of harmless ones: a default, one of a call, or of a client that
    the member was handed, which sends others to its proxy;
    a user and a password, the password and the paths of a client's certificate, the keys of a cloud's credentials;
    the user information of the proxies in the environment;
    what a function returned for a key: the clients keep the last one, and an error carries the request that was sent.

What a server echoes may come in another spelling, so that each secret is struck as it is written in JSON and in an
address, too.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from urllib.request import getproxies

from pydantic import BaseModel, SecretBytes, SecretStr

from slmmux._decision.passing import status_of
from slmmux._errors import chain_of, stand_in_for

__all__ = ["MASK", "clean_error", "secrets_of", "secrets_of_client", "strike", "strike_text", "told_apart"]

MASK = "**********"

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?key|key|key_?id|token|secret|password|passwd|passphrase|pwd|authorization|credentials?)$",
    re.IGNORECASE,
)
_HEADERS = re.compile(r"(?:^|_)headers$", re.IGNORECASE)
_QUERY = re.compile(r"(?:^|_)query$", re.IGNORECASE)
_HARMLESS = {
    "accept", "accept-charset", "accept-encoding", "accept-language", "anthropic-beta", "anthropic-version",
    "cache-control", "connection", "content-encoding", "content-length", "content-type", "date", "expect", "host",
    "idempotency-key", "openai-beta", "origin", "prefer", "referer", "retry-after", "server", "te", "trailer",
    "transfer-encoding", "upgrade", "user-agent", "vary", "x-api-version",
}  # fmt: skip
_HARMLESS_PREFIX = ("x-stainless-",)
_HARMLESS_QUERY = {"api-version", "version"}
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>]+", re.IGNORECASE)
_SHORTEST = 4  # striking shorter values would blank out ordinary words and hide nothing
_SHORTEST_UNNAMED = 6  # of values that nobody calls a secret: true, gzip
_SHORTEST_IN_TEXT = 12  # in the text of a reply, where "production" is a word
_DEEPEST = 5
_ROUNDS = 10_000  # some milliseconds for whoever makes a key, and a long time for whoever tries out passwords
# Where members and clients keep clients, and clients what they send.
_CLIENTS = (
    "http_client", "http_async_client", "client", "async_client", "root_client", "root_async_client", "_client",
    "_aclient", "_async_client", "_http_client", "_async_http_client", "openai_client", "async_openai_client",
)  # fmt: skip
# What else clients hold that sends something of its own: proxies, credentials, ways to sign in.
_PARTS = (
    "auth", "_auth", "credentials", "_credentials", "_request_signer", "proxy", "transport", "_transport", "_pool",
)  # fmt: skip
_SENT = ("headers", "default_headers", "_custom_headers", "auth_headers", "cookies", "_proxy_headers")
_ADDRESSES = ("base_url", "_base_url", "url", "params", "default_query", "_custom_query")
_LEVELS = 6  # from a chat model to the proxy of its client's connections


def secrets_of(values: BaseModel | Mapping[str, Any]) -> tuple[str, ...]:
    """Return the secret values in a model's fields or in call arguments, longest first.

    Example:
        >>> secrets_of({"headers": {"X-Auth": "abcdef", "Accept": "text/html"}, "url": "http://host/?sig=123456"})
        ('123456', 'abcdef')
    """
    fields = values.__dict__ if isinstance(values, BaseModel) else values
    return _sorted(_find(fields, _DEEPEST))


def secrets_of_client(model: Any) -> tuple[str, ...]:
    """Return what the clients of a model send as secrets now: keys that a function returned, headers, addresses."""
    return _sorted({*_of_client(model, _LEVELS, set()), *_of_environment()})


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


def told_apart(value: Mapping[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    """Return a mapping for a cache key: its secrets struck out, and a hash beside them if there were any.

    What differs in a header alone may be answered differently, so that it must not share a key. The hash is of the
    whole mapping, salted with what is left of it, so that it tells nobody which members have the same secret.

    Example:
        >>> values = [{"headers": {"X-Tenant": f"tenant-{i}"}} for i in (1, 2)]
        >>> first, second = (told_apart(value, secrets_of(value)) for value in values)
        >>> first["headers"], first["headers"] == second["headers"], first == second
        ({'X-Tenant': '**********'}, True, False)
    """
    struck: dict[str, Any] = strike(value, secrets)
    # What is not JSON goes by its class here: this hash has to tell secrets apart, and the key has all the rest.
    whole, rest = (json.dumps(each, sort_keys=True, default=lambda v: type(v).__name__) for each in (value, struck))
    if whole == rest:
        return struck
    return {**struck, "secrets": hashlib.pbkdf2_hmac("sha256", whole.encode(), rest.encode(), _ROUNDS).hex()}


def strike_text(text: str, secrets: tuple[str, ...]) -> str:
    """Return the text of a reply without the secrets in it that cannot be words of an answer."""
    struck: str = strike(text, tuple(s for s in secrets if len(s) >= _SHORTEST_IN_TEXT and " " not in s))
    return struck


def clean_error(error: BaseException, secrets: tuple[str, ...], model: Any = None) -> BaseException:
    """Return the error itself, or where it quotes a secret a stand-in of the same name that does not.

    A stand-in carries no cause and no traceback: their frames and texts would quote the secret again.

    Args:
        error: The error.
        secrets: The secrets that are known beforehand.
        model: The member's model, whose clients may have got new ones since.
    """
    chain = list(chain_of(error))
    sent = {secret for each in chain for secret in _of_request(each)}
    known = _sorted([*secrets, *sent, *(secrets_of_client(model) if model is not None else ())], spell=False)
    if not any(secret in text for text in map(_text, chain) for secret in known):
        return error
    return stand_in_for(error, strike(str(error), known), status_of(error))


def _sorted(secrets: Iterable[str], *, spell: bool = True) -> tuple[str, ...]:
    spelled = {form for secret in secrets for form in (_forms(secret) if spell else (secret,))}
    return tuple(sorted(spelled, key=lambda secret: (-len(secret), secret)))


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it stands in a text, in JSON, in a Python literal and in an address."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret, safe="")
    if ":" in secret and "/" not in secret and " " not in secret:  # a user and a password, as basic authentication
        yield base64.b64encode(secret.encode()).decode()


def _find(values: Any, depth: int) -> Iterator[str]:
    for name, value in values.items():
        plain = name.replace("-", "_") if isinstance(name, str) else ""
        if isinstance(value, SecretStr | SecretBytes):
            yield from _long(_revealed(value), _SHORTEST)
        elif isinstance(value, str):
            if _SECRET_NAME.search(plain):
                yield from _long(value.removeprefix("Bearer "), _SHORTEST)
            yield from _of_addresses(value)
        elif _HEADERS.search(plain) and isinstance(value, Mapping):
            yield from _of_headers(value)
        elif plain == "cookies" and isinstance(value, Mapping):
            yield from _of_cookies(value)
        elif plain == "auth" and isinstance(value, tuple | list):
            yield from _of_login(value)
        elif plain == "cert" and isinstance(value, tuple | list):
            for each in value:
                yield from _long(str(each), _SHORTEST)
        elif plain in _PARTS and not isinstance(value, Mapping | BaseModel):
            yield from _of_client(value, _LEVELS, set())
        elif _QUERY.search(plain) and isinstance(value, Mapping):
            yield from _of_query(value.items())
        elif depth:
            yield from _within(value, depth - 1)


def _within(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from _find(value.__dict__, depth)
    elif isinstance(value, Mapping):
        yield from _find(value, depth)
    elif isinstance(value, list | tuple):
        yield from _find(dict(enumerate(value)), depth)


def _revealed(value: Any) -> str:
    secret = value.get_secret_value() if isinstance(value, SecretStr | SecretBytes) else value
    return secret.decode(errors="ignore") if isinstance(secret, bytes) else str(secret)


def _long(text: str, shortest: int) -> Iterator[str]:
    if len(text) >= shortest:
        yield text


def _of_headers(headers: Mapping[Any, Any]) -> Iterator[str]:
    for name, value in headers.items():
        harmless = str(name).lower()
        if harmless in _HARMLESS or harmless.startswith(_HARMLESS_PREFIX):
            continue
        if isinstance(value, SecretStr | SecretBytes | bytes):
            value = _revealed(value)  # noqa: PLW2901
        if not isinstance(value, str):
            continue
        if value.lower().startswith("basic "):
            with suppress(ValueError):  # it is no base64
                yield from _of_login(base64.b64decode(value[6:]).decode().partition(":")[::2])
        # The whole value, and what stands in it: Bearer KEY, session=VALUE; other=VALUE.
        parts = [value, *value.split(), *(part.partition("=")[2] for part in value.split(";"))]
        for part in parts:
            yield from _long(part.strip(' ;,"'), _SHORTEST_UNNAMED)


def _of_cookies(cookies: Mapping[Any, Any]) -> Iterator[str]:
    yield from _of_headers({f"cookie-{name}": value for name, value in cookies.items()})


def _of_login(login: Iterable[Any]) -> Iterator[str]:
    """Yield a user and a password, and both as one header of basic authentication."""
    user, password = ([_revealed(each) for each in login] + ["", ""])[:2]
    yield from _long(password, _SHORTEST)
    yield from _long(user, _SHORTEST_UNNAMED)
    if password:
        yield base64.b64encode(f"{user}:{password}".encode()).decode()


def _of_environment() -> Iterator[str]:
    for address in getproxies().values():
        yield from _of_addresses(address)


def _of_addresses(text: str) -> Iterator[str]:
    for match in _ADDRESS.finditer(text) if "://" in text else ():
        try:
            parts = urlsplit(match[0])
        except ValueError:
            continue
        user, at, _ = parts.netloc.rpartition("@")
        if at:
            name, _, password = user.partition(":")
            for each in (user, unquote(user), password, unquote(password)):
                yield from _long(each, _SHORTEST)
            # Clients send both as one header of basic authentication, unescaped.
            yield base64.b64encode(unquote(user).encode()).decode()
            yield from _long(name, _SHORTEST_UNNAMED)
        yield from _of_query(parse_qsl(parts.query, keep_blank_values=True))


def _of_query(pairs: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    for name, value in pairs:
        if isinstance(value, str) and name not in _HARMLESS_QUERY:
            yield from _long(value, _SHORTEST_UNNAMED)


def _of_client(holder: Any, depth: int, seen: set[int]) -> Iterator[str]:
    """Yield the secrets that a client sends, and those of the clients in it."""
    if id(holder) in seen:
        return
    seen.add(id(holder))
    for name in {"api_key", "auth_token", "azure_ad_token", *filter(_SECRET_NAME.search, _names(holder))}:
        key = _attribute(holder, name)
        if isinstance(key, str | bytes | SecretStr | SecretBytes):
            yield from _long(_revealed(key), _SHORTEST)
    yield from _of_sent(holder)
    for name in _ADDRESSES:
        address = _attribute(holder, name)
        if isinstance(address, Mapping):
            yield from _of_query(address.items())
        elif address is not None:
            with suppress(Exception):
                yield from _of_addresses(str(address))
    header = _attribute(_attribute(holder, "auth"), "_auth_header")
    if isinstance(header, str):
        yield from _of_headers({"Authorization": header})
    if not depth:
        return
    mounts = _stored(holder, "_mounts")
    parts = [*(mounts.values() if isinstance(mounts, Mapping) else ())]
    for part in [*(_stored(holder, name) for name in (*_CLIENTS, *_PARTS)), *parts]:
        if isinstance(part, tuple):
            yield from _of_login(part)
        elif part is not None and not isinstance(part, str | Mapping):
            yield from _of_client(part, depth - 1, seen)


def _of_sent(holder: Any) -> Iterator[str]:
    """Yield the secrets in the headers and cookies that a client sends with every request."""
    for name in _SENT:
        sent = _attribute(holder, name)
        if isinstance(sent, Mapping | list) or hasattr(sent, "items"):
            with suppress(Exception):  # somebody's class with a method of that name
                pairs = sent if isinstance(sent, list) else sent.items()
                headers = {_revealed(key): value for key, value in pairs}
                yield from _of_cookies(headers) if name == "cookies" else _of_headers(headers)


def _names(holder: Any) -> list[str]:
    """Return the names of what an object holds by itself."""
    return [name for name in getattr(holder, "__dict__", {}) if isinstance(name, str)]


def _stored(holder: Any, name: str) -> Any:
    """Return what an attribute holds, without making it: a client that is made on first use cannot be copied after."""
    private = getattr(holder, "__pydantic_private__", None) or {}
    return getattr(holder, "__dict__", {}).get(name, private.get(name))


def _attribute(holder: Any, name: str) -> Any:
    try:
        return getattr(holder, name, None)
    except Exception:  # noqa: BLE001 - a property of somebody's that needs what is not there
        return None


def _text(error: BaseException) -> str:
    # A client's error has the body of the reply beside its text.
    return f"{error} {error!r} {_attribute(error, 'body')!r} {getattr(error, '__notes__', '')}"


def _of_request(error: BaseException) -> Iterator[str]:
    """Yield the secrets of the request that an error carries: what was sent, whoever put it there."""
    for holder in (error, _attribute(error, "response")):
        request = _attribute(holder, "request")
        headers = _attribute(request, "headers")
        if hasattr(headers, "items"):
            with suppress(Exception):
                for secret in _of_headers(dict(headers.items())):
                    yield from _forms(secret)
        url = _attribute(request, "url")
        if url is not None:
            for secret in _of_addresses(str(url)):
                yield from _forms(secret)
