"""How far a campaign is: by member and by worker, from what the store counts."""

import json
from dataclasses import dataclass
from typing import Any

from slmmux._decision.price import Price
from slmmux.store._database import Execute
from slmmux.store._store import Store, leased

__all__ = ["MemberStatus", "Status", "WorkerStatus", "status"]

_RECENT_S = 60.0  # the rate is that of the last minute


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """How far one member is.

    Attributes:
        label: Its label.
        planned: The samples to come in all.
        done: The samples that are there.
        failed: Those of them that failed.
        running: Tasks that a worker has, with a lease that lasts.
        rate: Samples per second over the last minute.
        eta: Seconds until the rest is there, at that rate; `None` without a rate.
        twice: Samples that were asked for although another worker had them: a lease had run out.
        input_tokens: Tokens of all requests, those of `twice` too.
        output_tokens: Likewise.
        cost: What these tokens cost; `None` without prices.
    """

    label: str
    planned: int
    done: int
    failed: int
    running: int
    rate: float
    eta: float | None
    twice: int
    input_tokens: int
    output_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What one worker did.

    Attributes:
        name: The worker's name.
        members: The members it asked.
        samples: Samples that it wrote.
        failed: Those of them that failed.
        rate: Samples per second over the last minute.
        idle: Seconds since its last request.
        cost: What its requests cost; `None` without prices.
    """

    name: str
    members: tuple[str, ...]
    samples: int
    failed: int
    rate: float
    idle: float
    cost: float | None


@dataclass(frozen=True, slots=True)
class Status:
    """How far a campaign is.

    Attributes:
        members: By member, in the plan's order.
        workers: By worker, by name.
    """

    members: tuple[MemberStatus, ...]
    workers: tuple[WorkerStatus, ...]

    @property
    def finished(self) -> bool:
        """Whether every sample is there."""
        return all(member.done >= member.planned for member in self.members)


def status(store: Store) -> Status:
    """Return how far a campaign is.

    Raises:
        ArgumentError: The store holds no plan, or cannot be reached.
    """
    store.check()
    return store.database.run(lambda execute: _status(execute, store.database.now))


def _status(execute: Execute, now: str) -> Status:
    ((questions,),) = execute("SELECT count(*) FROM question")
    ((present,),) = execute(f"SELECT {now}")
    counts = dict(execute("SELECT model, count(*) FROM sample GROUP BY model"))
    running = dict(execute(f"SELECT model, count(*) FROM task WHERE {leased(now)} GROUP BY model"))  # noqa: S608
    recent = f"sum(CASE WHEN at >= {now} - {_RECENT_S} THEN samples - twice ELSE 0 END)"
    requests = execute(
        "SELECT worker, model, sum(samples), sum(failed), sum(twice), sum(input_tokens), sum(output_tokens), max(at), "  # noqa: S608
        f"{recent}, min(at) FROM request GROUP BY worker, model ORDER BY worker, model"
    )
    plan = execute("SELECT label, samples, price FROM member ORDER BY place")
    prices = {label: Price(**json.loads(price)) for label, _, price in plan if price is not None}
    window = min(_RECENT_S, max(1.0, *(float(present) - float(row[9]) for row in requests))) if requests else 1.0
    members = []
    for label, k, _ in plan:
        of = [row for row in requests if row[1] == label]
        done, planned = counts.get(label, 0), k * questions
        rate = sum(int(row[8]) for row in of) / window
        members.append(
            MemberStatus(
                label=label,
                planned=planned,
                done=done,
                failed=sum(int(row[3]) for row in of),
                running=running.get(label, 0),
                rate=rate,
                eta=(planned - done) / rate if rate else None,
                twice=sum(int(row[4]) for row in of),
                input_tokens=sum(int(row[5]) for row in of),
                output_tokens=sum(int(row[6]) for row in of),
                cost=_cost(of, prices),
            )
        )
    workers = []
    for name in dict.fromkeys(row[0] for row in requests):
        of = [row for row in requests if row[0] == name]
        workers.append(
            WorkerStatus(
                name=name,
                members=tuple(row[1] for row in of),
                samples=sum(int(row[2]) - int(row[4]) for row in of),
                failed=sum(int(row[3]) for row in of),
                rate=sum(int(row[8]) for row in of) / window,
                idle=max(0.0, float(present) - max(float(row[7]) for row in of)),
                cost=_cost(of, prices),
            )
        )
    return Status(tuple(members), tuple(workers))


def _cost(rows: list[tuple[Any, ...]], prices: dict[str, Price]) -> float | None:
    if not rows or any(row[1] not in prices for row in rows):
        return None
    return sum(prices[row[1]].cost({"input_tokens": row[5], "output_tokens": row[6]}) for row in rows)
