"""What is counted for `GET /metrics`, in the format of Prometheus: questions, samples, tokens, confidence, times."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from slmmux._decision.types import Sample
from slmmux._mux.base import Mux
from slmmux._mux.observe import Observe, observe_abandoned, observe_samples
from slmmux._mux.rule import ESCALATION
from slmmux._mux.usage import COST

__all__ = ["CONTENT_TYPE_LATEST", "Gauge", "Metrics", "Question"]

_TENTHS = [i / 10 for i in range(1, 11)]
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)

Gauge: TypeAlias = tuple[str, str, tuple[str, ...], list[tuple[tuple[str, ...], float]]]  # name, text, labels, values
Gauges: TypeAlias = Callable[[], Iterable[Gauge]]


class Metrics:
    """The counts of one server; each server has a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        model, member = ["model"], ["model", "member"]
        self.questions = Counter("slmmux_questions", "Questions.", [*model, "outcome"], registry=registry)
        self.samples = Counter("slmmux_samples", "Samples that arrived.", [*member, "outcome"], registry=registry)
        self.abandoned = Counter("slmmux_calls_abandoned", "Calls running at a decision.", member, registry=registry)
        self.tokens = Counter("slmmux_tokens", "Tokens of replies.", [*member, "kind"], registry=registry)
        self.late_tokens = Counter(
            "slmmux_late_tokens", "Tokens of late replies.", [*member, "kind"], registry=registry
        )
        self.cost = Counter("slmmux_cost", "Cost of replies, if prices are known.", member, registry=registry)
        self.confidence = Histogram("slmmux_confidence", "Confidence.", model, buckets=_TENTHS, registry=registry)
        self.seconds = Histogram(
            "slmmux_answer_seconds", "Time of answers.", model, buckets=_SECONDS, registry=registry
        )

    def page(self) -> bytes:
        """Return the counts as text."""
        return generate_latest(self.registry)

    def watch(self, gauges: Gauges) -> None:
        """Add what is not counted but looked at when somebody asks."""
        self.registry.register(_Gauges(gauges))

    def abandoned_of(self, name: str, also: Callable[[str, dict[str, Any]], Any] | None) -> Any:
        """Return a callback that counts tokens which arrive after the record, and hands them on."""

        def on_abandoned(label: str, usage: dict[str, Any]) -> None:
            _count_tokens(self.late_tokens, name, label, usage)
            self._count_cost(name, label, usage)
            if also is not None:
                also(label, usage)

        return on_abandoned

    @contextmanager
    def question(self, name: str, mux: Mux) -> Iterator["Question"]:
        """Count a question from its beginning to its end, however it ends."""
        question = Question(self, name, mux)
        start = time.monotonic()
        try:
            yield question
        except Exception:
            question.outcome = "failed"
            raise
        finally:
            self.questions.labels(name, question.outcome).inc()
            self.seconds.labels(name).observe(time.monotonic() - start)

    def count(self, name: str, label: str, usage: Mapping[str, Any]) -> None:
        """Count the tokens of a reply, and its cost if there is a price."""
        _count_tokens(self.tokens, name, label, usage)
        self._count_cost(name, label, usage)

    def _count_cost(self, name: str, label: str, usage: Mapping[str, Any]) -> None:
        if cost := usage.get(COST):
            self.cost.labels(name, label).inc(cost)


class Question:
    """The counts of one question.

    Attributes:
        outcome: "answered", "abstained", "escalated", "failed", or "cancelled" if its client left.
    """

    def __init__(self, metrics: Metrics, name: str, mux: Mux) -> None:
        self._metrics = metrics
        self._name = name
        self._mux = mux
        self.outcome = "cancelled"

    @contextmanager
    def counting(self, also: Observe | None) -> Iterator[None]:
        """Count the samples and the abandoned calls of the question asked meanwhile.

        Args:
            also: Called with each sample too.
        """
        with observe_samples(self._observer(also)), observe_abandoned(self._count_abandoned):
            yield

    def _count_abandoned(self, label: str) -> None:
        self._metrics.abandoned.labels(self._name, label).inc()

    def _observer(self, also: Observe | None) -> Observe:

        def observe(sample: Sample[Any]) -> None:
            label = sample.draw.model
            outcome = "failed" if sample.error is not None else "answered" if sample.answer is not None else "abstained"
            self._metrics.samples.labels(self._name, label, outcome).inc()
            usage = self._mux._priced(label, getattr(sample.reply, "usage", None) or {})  # noqa: SLF001 - public, it would be an option of every mux
            self._metrics.count(self._name, label, usage)
            if also is not None:
                also(sample)

        return observe

    def end(self, record: Mapping[str, Any]) -> None:
        """Count what the record says."""
        metrics, name = self._metrics, self._name
        self.outcome = record.get("outcome", "answered")
        metrics.confidence.labels(name).observe(record.get("confidence") or 0)
        if (escalation := record.get("escalation")) is not None:
            metrics.count(name, ESCALATION, escalation["usage"])


def _count_tokens(counter: Counter, name: str, label: str, usage: Mapping[str, Any]) -> None:
    for kind in ("input", "output"):
        if tokens := usage.get(f"{kind}_tokens"):
            counter.labels(name, label, kind).inc(tokens)


class _Gauges(Collector):
    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, text, labels, values in self._gauges():
            family = GaugeMetricFamily(name, text, labels=labels)
            for of, value in values:
                family.add_metric(of, value)
            yield family
