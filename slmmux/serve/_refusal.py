"""An error as OpenAI's clients read one: a status, a sentence, the field, and a code."""

from collections.abc import Mapping
from typing import Any

from slmmux.serve._json import JSON

__all__ = ["RefusalError"]

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class RefusalError(Exception):
    """A request that gets an error instead of an answer.

    Attributes:
        status: The status of HTTP.
        sentence: What was wrong, and what to write instead.
        param: The field of the request; `None` if no single field is to blame.
        code: A word for programs.
        headers: Headers of the response.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")  # noqa: PLR2004 - HTTP's own border
        return {"error": {"message": self.sentence, "type": kind, "param": self.param, "code": self.code}}

    @property
    def response(self) -> JSON:
        """The error as a response."""
        return JSON(self.body, self.status, self.headers)
