"""One model name: its mux, the narrowed copies of it, and the answers of requests as messages and records."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar

from slmmux._display.sentences import advice
from slmmux._errors import NoAnswerError
from slmmux._mux.base import Mux
from slmmux._mux.live import hear_tokens
from slmmux._mux.observe import Observe
from slmmux._mux.secrets import secrets_of
from slmmux.serve._chat_request import ChatRequest
from slmmux.serve._faults import Strike
from slmmux.serve._metrics import Metrics
from slmmux.serve._narrowing import Narrowed

__all__ = ["Served"]

_log = logging.getLogger("slmmux.serve")

_DOWN_AFTER = 2  # questions
_DOWN_S = 10.0  # after which the next question may find the members back

T = TypeVar("T")


class Served:
    """One model name.

    Args:
        name: The name that clients ask for.
        mux: The mux that answers.
        metrics: What is counted.
        log_questions: Whether the texts of requests are logged.

    Attributes:
        name: The name that clients ask for.
        created: When the server began to serve it, in seconds since 1970.
        strike: Strikes the members' addresses and keys out of a text.
    """

    def __init__(self, name: str, mux: Mux, metrics: Metrics, *, log_questions: bool) -> None:
        mux = mux.model_copy(update={"on_abandoned": metrics.abandoned_of(name, mux.on_abandoned)})
        self.name = name
        self.created = int(time.time())
        self.strike = Strike(_private_texts(mux))
        self._mux = mux
        self._narrowed = Narrowed(mux)
        self._metrics = metrics
        self._log_questions = log_questions
        self._failures = 0  # questions in a row without a single reply
        self._failed_at = 0.0

    @property
    def members(self) -> dict[str, int]:
        """The members' k by label, best first."""
        return self._mux.k

    @property
    def description(self) -> dict[str, Any]:
        """What a client may know of the mux."""
        mux = self._mux
        return {"members": mux.k, "plan": mux.plan, "wait": mux.wait, "deadline": mux.deadline, "budget": mux.budget}

    @property
    def resting(self) -> list[str]:
        """The members that rest because their servers seem to be down."""
        models: Any = self._mux.models
        return [label for label in self._mux.k if models.memory(label).rest.is_resting()]

    @property
    def is_down(self) -> bool:
        """Whether no member is likely to reply: all rest, or none replied to the last questions, a moment ago."""
        if len(self.resting) == len(self.members):
            return True
        return self._failures >= _DOWN_AFTER and time.monotonic() - self._failed_at < _DOWN_S

    def mux_for(self, request: ChatRequest) -> Any:
        """Return the mux for a request, narrowed as it asks.

        Raises:
            RefusalError: The request would widen something.
        """
        return self._narrowed.of(request.slmmux)

    async def answer(self, request: ChatRequest, observe: Observe | None = None) -> Any:
        """Return the mux's message."""
        from slmmux.serve._langchain import ask  # noqa: PLC0415 - the framework is heavy, and one of two

        mux = self.mux_for(request)
        self._note(request)
        with self._metrics.question(self.name, mux) as question, question.counting(observe):
            message = await self._watched(ask(mux, request))
            question.end(_record_of(message))
        return message

    async def stream(self, request: ChatRequest, send: Callable[[Any], None], observe: Observe | None = None) -> Any:
        """Send the mux's chunks, each as soon as it is sure to be a part of the answer; return the whole message.

        Args:
            request: The request.
            send: Called with each chunk.
            observe: Called with each sample.

        Raises:
            RefusalError: The bigger model broke off in the middle of its answer, a part of which was sent.
        """
        from slmmux.serve._langchain import ask_streamed, rest_of  # noqa: PLC0415

        mux = self.mux_for(request)
        self._note(request)
        live: Any = None  # what was heard of the answer before it was whole
        whole: Any = None

        def hear(chunk: Any) -> None:
            nonlocal live
            live = chunk if live is None else live + chunk
            send(chunk)

        with self._metrics.question(self.name, mux) as question, question.counting(observe), hear_tokens(hear):
            stream = ask_streamed(mux, request)
            while (chunk := await self._watched(anext(stream, None))) is not None:
                whole = chunk if whole is None else whole + chunk
                send(chunk if live is None else rest_of(chunk, live))
            question.end(_record_of(whole))
        return whole

    async def answers(self, request: ChatRequest) -> list[Any]:
        """Return the messages of all choices of a request; each is a question of its own."""
        if request.n == 1:
            return [await self.answer(request)]
        tasks = [asyncio.create_task(self.answer(request)) for _ in range(request.n)]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def record_of(self, message: Any) -> dict[str, Any]:
        """Return the record of a message as a client may read it."""
        record = {**_record_of(message)}
        if (escalation := record.get("escalation")) and escalation.get("error"):
            # Not in its own words, which may name places.
            record["escalation"] = {**escalation, "error": "the bigger model did not reply"}
        return record

    def notices(self, request: ChatRequest, record: Mapping[str, Any]) -> list[str]:
        """Return what a client should know about its request and the answer, in sentences."""
        return [*self._of_equal_samples(request), *filter(None, [advice(record)])]

    def _of_equal_samples(self, request: ChatRequest) -> list[str]:
        several = [label for label, k in self.mux_for(request).k.items() if k > 1]
        if several and request.temperature == 0:
            return ["temperature 0 makes a member's samples equal, so the confidence says nothing"]
        if several and request.seed is not None:
            return ["a fixed seed makes a member's samples equal, so the confidence says nothing"]
        return []

    async def _watched(self, answer: Awaitable[T]) -> T:
        """Return an answer, and note whether any member replied."""
        try:
            result = await answer
        except NoAnswerError:
            self._failures, self._failed_at = self._failures + 1, time.monotonic()
            raise
        self._failures = 0
        return result

    def _note(self, request: ChatRequest) -> None:
        if self._log_questions:
            _log.info("%s: %s", self.name, self.strike(str([m.model_dump() for m in request.messages])))


def _record_of(message: Any) -> dict[str, Any]:
    record: dict[str, Any] = (message.response_metadata or {}).get("slmmux") or {}
    return record


def _private_texts(mux: Mux) -> Iterator[str]:
    """Yield the addresses and keys of a mux's members."""
    models: Any = mux.models
    for model in [*models.values(), mux.escalate_to]:
        own = getattr(model, "bound", model)
        if own is None:
            continue
        yield from secrets_of(own)
        for value in vars(own).values():
            if isinstance(value, str) and re.match(r"https?://", value):
                yield value
                yield value.split("//", 1)[1].split("/", 1)[0]
