"""A function that replies, as a pool.toml names one, and a stand-in for Ray: the same actors, in this process."""

from slmmux.cluster._engine import COLUMNS, Asker

CALLS = []


def reply(question):
    """Answer `a + b?`, and fail where b is 3."""
    CALLS.append(question)
    first, _, second = question.rstrip("?").partition(" + ")
    if second == "3":
        raise ValueError("no such luck")
    return f"The answer is {int(first) + int(second)}."


def down(question):
    raise ConnectionError("refused")


def silent(question):
    return None


def replies_here(pool, label, items):
    """Give the replies of actors as Ray Data gives them: batch by batch, columns as rows."""
    asker = Asker(pool, label)
    for start in range(0, len(items), pool.batch):
        some = items[start : start + pool.batch]
        columns = asker({name: [item[name] for item in some] for name in ("place", "index", "question")})
        yield from (dict(zip(COLUMNS, row, strict=True)) for row in zip(*(columns[c] for c in COLUMNS), strict=True))
