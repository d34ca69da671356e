"""JSON as it leaves: UTF-8, and half a character of a member's reply as its escape, which UTF-8 has no bytes for."""

import json
from typing import Any

from starlette.responses import JSONResponse

__all__ = ["JSON", "json_bytes"]


def json_bytes(value: Any) -> bytes:
    r"""Return a value as JSON.

    Example:
        >>> json_bytes({"text": "caf\u00e9 \ud83d"})
        b'{"text":"caf\xc3\xa9 \\ud83d"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


class JSON(JSONResponse):
    """A response of JSON."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json_bytes(content)
