"""The tables of a campaign, and each change to them as one transaction.

Nothing here calls a model. A task is one member's samples of one question; it is taken with a lease, and each sample is
written once, by whoever is first.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from slmmux._errors import ArgumentError, RecordingError
from slmmux.profiling import Question
from slmmux.recording._prices import PRICES
from slmmux.recording._row import Row, row_line, row_of
from slmmux.store._database import Database, Execute, opened, shown_url

__all__ = ["Member", "Request", "Store", "Task", "leased", "row_from"]

_TABLES = """\
CREATE TABLE campaign (id INTEGER PRIMARY KEY, version INTEGER, settings TEXT, keeps_texts INTEGER, lease DOUBLE PRECISION)
CREATE TABLE question (number INTEGER PRIMARY KEY, question_id TEXT UNIQUE, content TEXT)
CREATE TABLE member (label TEXT PRIMARY KEY, place INTEGER, samples INTEGER, settings TEXT, price TEXT, pace DOUBLE PRECISION, next_start DOUBLE PRECISION)
CREATE TABLE task (id INTEGER PRIMARY KEY, model TEXT, question INTEGER, done INTEGER, worker TEXT, lease_until DOUBLE PRECISION, takes INTEGER)
CREATE INDEX open_tasks ON task (model, id) WHERE done = 0
CREATE TABLE request (id TEXT PRIMARY KEY, model TEXT, worker TEXT, task INTEGER, samples INTEGER, failed INTEGER, twice INTEGER, input_tokens INTEGER, output_tokens INTEGER, seconds DOUBLE PRECISION, at DOUBLE PRECISION)
CREATE INDEX requests_by_time ON request (at)
CREATE TABLE sample (model TEXT, question INTEGER, sample_index INTEGER, request TEXT, content TEXT, PRIMARY KEY (model, question, sample_index))"""  # noqa: E501
_VERSION = 1
_LEASE_S = 120.0
_PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the campaign.

    Attributes:
        label: Its label.
        samples: k.
        settings: The settings that affect its samples.
        requests_per_minute: The limit over all workers; `None` for no limit.
        price: Cost of a million tokens: {"input": .., "output": ..}, if it is known.
    """

    label: str
    samples: int
    settings: Mapping[str, Any]
    requests_per_minute: float | None = None
    price: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One member's samples of one question, leased.

    Attributes:
        id: Its number.
        model: The member's label.
        question: The question.
        number: The question's number.
        rows: The samples that are there already.
    """

    id: int
    model: str
    question: Question
    number: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was made, as its cost is counted.

    Attributes:
        id: A name of its own, so that writing it twice counts once.
        seconds: The time it took.
    """

    id: str
    seconds: float


class Store:
    """A campaign in a database.

    Args:
        url: "postgresql://USER@HOST/NAME", or a SQLite file that ends with .db.
        patience: The seconds for which a database that is away is waited for.

    Raises:
        ArgumentError: The address is of another kind, or psycopg is not installed.
    """

    def __init__(self, url: str, *, patience: float = _PATIENCE_S) -> None:
        self._url = url
        self.database: Database = opened(url, patience)

    def __repr__(self) -> str:
        return f"Store({shown_url(self._url)!r})"

    def close(self) -> None:
        """Close the connection."""
        self.database.close()

    def create(
        self,
        questions: Sequence[Question],
        members: Sequence[Member],
        settings: Mapping[str, Any],
        *,
        keeps_texts: bool,
        lease: float = _LEASE_S,
    ) -> bool:
        """Put the plan in; return False if the very same plan is there already, of which prices are no part.

        Raises:
            ArgumentError: The store holds another plan.
        """
        contents = [json.dumps(asdict(question), sort_keys=True) for question in questions]
        plan = [(m.label, m.samples, json.dumps(m.settings, sort_keys=True)) for m in members]
        prices = [None if m.price is None else json.dumps(dict(m.price)) for m in members]
        shared = json.dumps(settings, sort_keys=True)

        def put(execute: Execute) -> bool:
            if self._has_tables(execute):
                earlier = json.loads(execute("SELECT settings FROM campaign")[0][0])
                there = execute("SELECT label, samples, settings FROM member ORDER BY place")
                asked = [content for (content,) in execute("SELECT content FROM question ORDER BY number")]
                if ({**earlier, PRICES: None}, there, asked) != ({**json.loads(shared), PRICES: None}, plan, contents):
                    raise ArgumentError(
                        f"{self!r} holds the plan of another campaign; name a new database, or plan with the same "
                        "questions, members and settings"
                    )
                if PRICES in settings:
                    execute("UPDATE campaign SET settings = ?", (shared,))
                for member, price in zip(members, prices, strict=True):
                    if price is not None:
                        execute("UPDATE member SET price = ? WHERE label = ?", (price, member.label))
                return False
            for statement in _TABLES.splitlines():
                execute(statement)
            execute("INSERT INTO campaign VALUES (1, ?, ?, ?, ?)", (_VERSION, shared, int(keeps_texts), lease))
            for number, (question, content) in enumerate(zip(questions, contents, strict=True)):
                execute("INSERT INTO question VALUES (?, ?, ?)", (number, question.question_id, content))
            for place, member in enumerate(members):
                pace = 60 / member.requests_per_minute if member.requests_per_minute else 0.0
                label, samples, own = plan[place]
                execute(
                    "INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, 0)",
                    (label, place, samples, own, prices[place], pace),
                )
                # Question by question within a member: whoever stops early has whole questions.
                execute(
                    "INSERT INTO task SELECT number * ? + ?, CAST(? AS TEXT), number, 0, NULL, 0, 0 FROM question",
                    (len(members), place, label),
                )
            return True

        return self.database.run(put)

    def _has_tables(self, execute: Execute) -> bool:
        if self._url.startswith("postgres"):
            return bool(
                execute("SELECT 1 FROM pg_tables WHERE tablename = 'campaign' AND schemaname = current_schema()")
            )
        return bool(execute("SELECT 1 FROM sqlite_master WHERE name = 'campaign'"))

    def check(self) -> None:
        """Check that the store holds a plan.

        Raises:
            ArgumentError: It holds none, or that of a newer version.
        """

        def version(execute: Execute) -> int:
            return int(execute("SELECT version FROM campaign")[0][0]) if self._has_tables(execute) else 0

        number = self.database.run(version) if self.database.exists else 0
        if not number:
            raise ArgumentError(
                f"{self!r} holds no plan; write one with `slmmux profile questions.jsonl --config mux.toml --store URL`"
            )
        if number != _VERSION:
            raise ArgumentError(f"{self!r} was planned by another version of slmmux; install that one")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the samples, as a recording states them."""

        def read(execute: Execute) -> dict[str, Any]:
            shared: dict[str, Any] = json.loads(execute("SELECT settings FROM campaign")[0][0])
            own = execute("SELECT label, settings FROM member ORDER BY place")
            return {**shared, "models": {label: json.loads(settings) for label, settings in own}}

        return self.database.run(read)

    @property
    def samples(self) -> dict[str, int]:
        """The samples of each member, by label."""
        return self.database.run(lambda execute: dict(execute("SELECT label, samples FROM member ORDER BY place")))

    @property
    def keeps_texts(self) -> bool:
        """Whether the replies' texts are kept."""
        return bool(self.database.run(lambda execute: execute("SELECT keeps_texts FROM campaign"))[0][0])

    @property
    def lease(self) -> float:
        """The seconds for which a task is a worker's without a renewal."""
        return float(self.database.run(lambda execute: execute("SELECT lease FROM campaign"))[0][0])

    def is_alive(self, model: str) -> bool:
        """Return whether some sample of a member did not fail."""
        statement = "SELECT 1 FROM request WHERE model = ? AND samples > failed LIMIT 1"
        return bool(self.database.run(lambda execute: execute(statement, (model,))))

    def is_leased(self, model: str) -> bool:
        """Return whether some worker has a task of a member, with a lease that lasts."""
        statement = f"SELECT 1 FROM task WHERE model = ? AND {leased(self.database.now)} LIMIT 1"  # noqa: S608
        return bool(self.database.run(lambda execute: execute(statement, (model,))))

    def take(self, worker: str, model: str, count: int, lease: float) -> list[Task]:
        """Lease tasks of a member that nobody works on, at most `count`.

        Args:
            worker: The worker.
            model: The member's label.
            count: The most tasks.
            lease: The seconds of the lease.
        """
        now = self.database.now

        def put(execute: Execute) -> list[Task]:
            ids = [
                number
                for (number,) in execute(
                    f"SELECT id FROM task WHERE model = ? AND done = 0 AND (worker IS NULL OR lease_until < {now}) "  # noqa: S608
                    f"ORDER BY id LIMIT ?{self.database.skip_locked}",
                    (model, count),
                )
            ]
            tasks = []
            for number in ids:
                execute(
                    f"UPDATE task SET worker = ?, lease_until = {now} + ?, takes = takes + 1 WHERE id = ?",  # noqa: S608
                    (worker, lease, number),
                )
                ((question, content),) = execute(
                    "SELECT q.number, q.content FROM question q JOIN task t ON t.question = q.number WHERE t.id = ?",
                    (number,),
                )
                asked = Question(**json.loads(content))
                rows = execute(
                    "SELECT content FROM sample WHERE model = ? AND question = ? ORDER BY sample_index",
                    (model, question),
                )
                tasks.append(
                    Task(number, model, asked, question, tuple(row_from(content, asked) for (content,) in rows))
                )
            return tasks

        return self.database.run(put)

    def left(self, models: Iterable[str]) -> int:
        """Return the number of tasks of some members that are not done, whoever works on them."""
        labels = [*models]
        places = ", ".join("?" * len(labels))
        statement = f"SELECT count(*) FROM task WHERE done = 0 AND model IN ({places})"  # noqa: S608
        return int(self.database.run(lambda execute: execute(statement, labels))[0][0])

    def renew(self, worker: str, lease: float) -> None:
        """Extend the leases that a worker still has."""
        statement = f"UPDATE task SET lease_until = {self.database.now} + ? WHERE worker = ? AND done = 0"  # noqa: S608
        self.database.run(lambda execute: execute(statement, (lease, worker)))

    def release(self, worker: str, model: str | None = None, *, patience: float | None = None) -> None:
        """Give back the tasks that a worker has not finished, of all members or of one."""
        statement = "UPDATE task SET worker = NULL, lease_until = 0 WHERE worker = ? AND done = 0"
        values = (worker,) if model is None else (worker, model)
        if model is not None:
            statement += " AND model = ?"
        self.database.run(lambda execute: execute(statement, values), patience)

    def reserve(self, model: str) -> float:
        """Reserve the next start of a request of a member; return the seconds until then."""
        now = self.database.now
        greatest = "GREATEST" if self.database.skip_locked else "MAX"

        def next_start(execute: Execute) -> float:
            ((start, present),) = execute(
                f"UPDATE member SET next_start = {greatest}(next_start, {now}) + pace WHERE label = ? "  # noqa: S608
                f"RETURNING next_start - pace, {now}",
                (model,),
            )
            return max(0.0, float(start) - float(present))

        return self.database.run(next_start)

    def pause(self, model: str, seconds: float) -> None:
        """Let no worker begin a request of a member for some time."""
        greatest = "GREATEST" if self.database.skip_locked else "MAX"
        statement = f"UPDATE member SET next_start = {greatest}(next_start, {self.database.now} + ?) WHERE label = ?"  # noqa: S608
        self.database.run(lambda execute: execute(statement, (seconds, model)))

    def write(self, worker: str, task: Task, request: Request, rows: Sequence[Row], samples: int) -> int:
        """Write a request with its samples, in one transaction; return how many of them were there already.

        Samples that are there stay. The task is done when all its samples are there.
        """
        places = ", ".join(["(?, ?, ?, ?, ?)"] * len(rows))
        insertion = f"INSERT INTO sample VALUES {places} ON CONFLICT DO NOTHING RETURNING 1"  # noqa: S608
        values = [
            value for row in rows for value in (task.model, task.number, row.sample_index, request.id, _content(row))
        ]

        def put(execute: Execute) -> int:
            # Written again after a connection that broke off at the end of the transaction, it is there already.
            if execute("SELECT 1 FROM request WHERE id = ?", (request.id,)):
                return 0
            new = execute(insertion, values) if rows else []
            twice = len(rows) - len(new)
            execute(
                f"INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {self.database.now})",  # noqa: S608
                (
                    request.id, task.model, worker, task.id, len(rows),
                    sum(row.error is not None for row in rows), twice,
                    sum(row.input_tokens or 0 for row in rows), sum(row.output_tokens or 0 for row in rows),
                    request.seconds,
                ),
            )  # fmt: skip
            execute(
                "UPDATE task SET done = 1 WHERE id = ? AND "
                "(SELECT count(*) FROM sample WHERE model = ? AND question = ? AND sample_index < ?) = ?",
                (task.id, task.model, task.number, samples, samples),
            )
            return twice

        return self.database.run(put)


def leased(now: str) -> str:
    """Return the condition that a worker has a task, with a lease that lasts."""
    return f"done = 0 AND worker IS NOT NULL AND lease_until >= {now}"


def _content(row: Row) -> str:
    """Return a sample as the store keeps it: all but what its question has."""
    content: dict[str, Any] = json.loads(row_line(row))
    for name in ("question", "gold", "dataset"):
        content.pop(name, None)
    # PostgreSQL holds no zero characters, and no other text is lost.
    return json.dumps(content).replace("\\u0000", "\\ufffd")


def row_from(content: str, question: Question) -> Row:
    """Return a sample that the store keeps, with what its question has."""
    values = json.loads(content)
    values |= {"question": question.question, "gold": question.gold, "dataset": question.dataset}
    try:
        return row_of(json.dumps(values).encode(), "a sample of the store")
    except RecordingError as error:
        raise ArgumentError(f"{error}: the store was changed by another program") from None
