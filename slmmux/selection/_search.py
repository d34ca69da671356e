"""The best subsets of a pool under objective = union - penalty x contradiction, exactly.

Questions are bits. The last members of a subset come from a table of all their combinations, which numpy scores in
blocks. The first members come from a depth-first search that skips every branch whose bound is below the best subsets
so far. Members are sorted by name first, so that the search meets subsets in the order that decides ties.
"""

import time
from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import comb, prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["ScoredSubset", "SearchResult", "search"]

_Bits: TypeAlias = NDArray[np.uint64]  # (words, things): 64 questions a word, so that a row of things is contiguous
_Ints: TypeAlias = NDArray[Any]
# -objective, -union, cost, members, contradiction: the best sorts first.
_Row: TypeAlias = tuple[int, int, int, tuple[int, ...], int]

# Both measured. A table and a block of 40,000 words stay together in a second-level cache of 2 MB; a table of pairs
# pays up to a million words although it does not.
BLOCK_WORDS = 40_000
PAIR_WORDS = 1_000_000
# The quick first look grows this many subsets at most, and may fill this many words: it only has to raise the bar.
SEEDS = 200
SEED_WORDS = 2_000_000


@dataclass(frozen=True, slots=True)
class ScoredSubset:
    """One subset.

    Attributes:
        members: Rows of the pool, ascending.
        union: Questions with some right member.
        contradiction: Questions with some wrong member and some right member.
    """

    members: tuple[int, ...]
    union: int
    contradiction: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The outcome of a search.

    Attributes:
        best: The subsets, best first.
        proved: Whether nothing better exists; False if the time ran out.
        subsets: The number of subsets of this size.
    """

    best: tuple[ScoredSubset, ...]
    proved: bool
    subsets: int


def search(
    right: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    size: int,
    *,
    names: Sequence[str],
    penalty: Fraction | float = 1.0,
    keep: int = 50,
    costs: Sequence[int] | None = None,
    time_limit: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> SearchResult:
    """Return the best subsets of one size: by objective, then union, then lower cost, then names.

    The objective of a subset is its union - penalty x its contradiction, both counts of questions. Objectives are
    compared as whole numbers, never as floats; a float penalty stands for the decimal that it prints as. If two subsets
    are equal in all else, the one whose sorted names come first is better.

    Args:
        right: [m, q] whether the model is right on the question.
        wrong: [m, q] whether the model is confidently wrong on the question.
        size: Members per subset, at least 1. A pool smaller than that has no subsets, and the result is empty.
        names: The models' names, all different.
        penalty: The cost of a contradiction, at least 0.
        keep: The most subsets to return, at least 1.
        costs: The cost of each member, whole numbers that add up; `None` if all cost the same.
        time_limit: Seconds after which the search returns its best subsets so far, unproved.
        clock: Returns the seconds.

    Returns:
        The subsets, whether they are proved to be the best, and the number of subsets of this size.

    Example:
        >>> right = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]], dtype=bool)
        >>> wrong = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]], dtype=bool)
        >>> search(right, wrong, 2, names=["a", "b", "c"], keep=1).best
        (ScoredSubset(members=(0, 1), union=3, contradiction=0),)
    """
    order = sorted(range(len(names)), key=names.__getitem__)
    run = _Search(
        right[order],
        wrong[order],
        size,
        penalty=Fraction(str(penalty)),
        keep=keep,
        costs=[0] * len(order) if costs is None else [costs[i] for i in order],
    )
    if time_limit is not None:
        run.limit(clock, clock() + time_limit)
    if size <= len(order):
        run.run()
    subsets = [
        ScoredSubset(tuple(sorted(map(order.__getitem__, members))), -union, contradiction)
        for _, union, _, members, contradiction in run.best()
    ]
    return SearchResult(tuple(subsets), not run.late, comb(len(order), size))


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The first members of a subset, the questions on which any of them is right or wrong, and their cost."""

    members: tuple[int, ...]
    right: _Bits
    wrong: _Bits
    cost: int


class _Search:
    """One search over a pool whose members are sorted by name."""

    def __init__(
        self,
        right: NDArray[np.bool_],
        wrong: NDArray[np.bool_],
        size: int,
        *,
        penalty: Fraction,
        keep: int,
        costs: Sequence[int],
    ) -> None:
        somewhere = right.any(axis=0)  # where nobody is right a question changes neither count: fewer words
        self.right, self.wrong = _pack(right[:, somewhere]), _pack(wrong[:, somewhere])
        self.words, self.n = self.right.shape
        self.size = size
        self.keep = keep
        self.questions = int(np.count_nonzero(somewhere))
        self.num, self.den = _plain(penalty, max(1, self.questions))
        self.costs = np.array(costs, dtype=np.int64 if sum(map(abs, costs)) < 1 << 62 else object)
        self.cheapest = _cheapest(costs, size)
        self.seeds: list[_Row] = []
        self.kept_rows: list[_Row] = []
        self._raise_bar(-(1 << 62), 0, 0)
        self.late = False
        self.unbounded = self.patience = 0
        self._clock: Callable[[], float] = time.monotonic
        self._deadline: float | None = None

    def limit(self, clock: Callable[[], float], deadline: float) -> None:
        """Set when to stop."""
        self._clock, self._deadline = clock, deadline

    def run(self) -> None:
        """Look at every subset, or prove that it cannot be among the best."""
        self._tabulate()
        self.buffers = np.empty((2, max(BLOCK_WORDS, self.right_of.size)), dtype=np.uint64)
        none = np.zeros((self.words, 1), dtype=np.uint64)
        if self.depth == self.size:
            self._look(np.empty((1, 0), dtype=np.intp), none, none, 0)
        else:
            self._seed()
            self.no_child = np.where(np.tri(self.n, dtype=bool), -(1 << 60), 0)
            self._descend(_Prefix((), none, none, 0))

    def best(self) -> list[_Row]:
        """Return the best subsets, best first; if the time ran out, those of the quick first look count too."""
        return sorted({*self.kept_rows, *self.seeds})[: self.keep] if self.late else self.kept_rows

    def _raise_bar(self, objective: int, union: int, cost: int) -> None:
        """Set the figures that a subset must beat to be kept."""
        self.bar = (objective, union, cost)
        # Pruning keeps a branch whose bound equals the bar only if a tie could still be won there: with every question
        # in the union, or at the lowest cost.
        self.least = objective + (not self._wins_tie(self.questions, self.cheapest[0][-1]))

    def _wins_tie(self, union: int, cost: int) -> bool:
        """Return whether a subset that ties with the bar's objective passes it by its union and cost."""
        return (union, -cost) > (self.bar[1], -self.bar[2])

    def _is_late(self) -> bool:
        """Return whether the time has run out; it never becomes False again."""
        self.late = self.late or (self._deadline is not None and self._clock() >= self._deadline)
        return self.late

    def _tabulate(self) -> None:
        """Build the table of every combination of the last members, and where those of each first member begin.

        The combinations of k members that begin with member i are i joined with all combinations of k - 1 members that
        begin after i.
        """
        self.right_of, self.clean_of = self.right, ~self.wrong
        self.starts = [np.arange(self.n + 1)]
        self.depth = 1
        while self.depth < self.size and comb(self.n, self.depth + 1) * self.words <= (
            PAIR_WORDS if self.depth == 1 else BLOCK_WORDS
        ):
            counts = [comb(self.n - 1 - i, self.depth) for i in range(self.n)]
            starts = np.array([0, *accumulate(counts)])
            first = np.repeat(np.arange(self.n), counts)
            rest = np.arange(starts[-1]) + (self.starts[-1][1:] - starts[:-1])[first]
            self.right_of = self.right.take(first, axis=1) | self.right_of.take(rest, axis=1)
            self.clean_of = ~self.wrong.take(first, axis=1) & self.clean_of.take(rest, axis=1)
            self.starts.append(starts)
            self.depth += 1

    def _members(self, at: _Ints) -> _Ints:
        """Return the members at some places of the table, one row per place."""
        members = np.empty((len(at), self.depth), dtype=np.intp)
        for k, starts in enumerate(reversed(self.starts)):
            members[:, k] = first = np.searchsorted(starts, at, side="right") - 1
            if k < self.depth - 1:
                at = at - starts[first] + self.starts[-2 - k][first + 1]
        return members

    def _seed(self) -> None:
        """Raise the bar early with a beam search: the best few subsets of each size are grown by every member."""
        width = max(1, min(self.keep, SEEDS, SEED_WORDS // (self.words * self.n)))
        members = np.empty((1, 0), dtype=np.intp)
        right = wrong = np.zeros((self.words, 1), dtype=np.uint64)
        best = objective = union = contradiction = cost = np.empty(0, dtype=np.int64)
        for size in range(1, self.size + 1):
            any_right = (right[:, :, None] | self.right[:, None, :]).reshape(self.words, -1)
            any_wrong = (wrong[:, :, None] | self.wrong[:, None, :]).reshape(self.words, -1)
            union, contradiction = _count(any_right), _count(any_right & any_wrong)
            objective = self.den * union - self.num * contradiction
            cost = (self.costs[members].sum(axis=1)[:, None] + self.costs).ravel()
            new = np.ones((len(members), self.n), dtype=bool)
            np.put_along_axis(new, members, values=False, axis=1)
            best = np.flatnonzero(new)
            # A subset can be reached from each of its members, so `width * size` rows hold `width` different ones.
            best = best[np.lexsort((cost[best], -union[best], -objective[best]))[: width * size]]
            members = np.sort(np.column_stack((members[best // self.n], best % self.n)), axis=1)
            once = np.sort(np.unique(members, axis=0, return_index=True)[1])[:width]
            members, best = members[once], best[once]
            right, wrong = any_right[:, best], any_wrong[:, best]
        self.seeds = sorted(_rows(objective[best], union[best], cost[best], members, contradiction[best]))
        if len(self.seeds) >= self.keep:
            last = self.seeds[self.keep - 1]
            self._raise_bar(-last[0], -last[1], last[2] + 1)  # + 1: an equal subset may come first by name

    def _descend(self, prefix: _Prefix) -> None:
        """Score every subset that begins with these members."""
        first = prefix.members[-1] + 1 if prefix.members else 0
        remaining = self.size - len(prefix.members) - 1  # members after the next one
        for begin, rights, wrongs, bounds in self._children(prefix, first, remaining):
            if remaining == self.depth:
                self._finish(prefix, begin, rights, wrongs, bounds)
                continue
            for i in np.flatnonzero(bounds >= self.least).tolist():
                if bounds[i] >= self.least:  # the bar may be higher by now
                    member, one = begin + i, slice(i, i + 1)
                    cost = prefix.cost + int(self.costs[member])
                    self._descend(_Prefix((*prefix.members, member), rights[:, one], wrongs[:, one], cost))

    def _children(self, prefix: _Prefix, first: int, remaining: int) -> Iterator[tuple[int, _Bits, _Bits, _Ints]]:
        """Yield the possible next members in blocks: the first of them, right and wrong with each, and bounds."""
        stop = self.n - remaining
        step = max(1, BLOCK_WORDS // (self.words * (self.n - first)))
        for begin in range(first, stop, step):
            if self._is_late():
                return
            these = slice(begin, min(begin + step, stop))
            rights, wrongs = prefix.right | self.right[:, these], prefix.wrong | self.wrong[:, these]
            if remaining == self.depth and self.unbounded:
                self.unbounded -= 1
                bounds = np.full(rights.shape[1], self.den * self.questions)
            else:
                bounds = self._bounds(rights, wrongs, begin, remaining, prefix.cost)
                # Bounds that prune little cost more than they save, so after each such block more blocks go without.
                vain = remaining == self.depth and 3 * np.count_nonzero(bounds >= self.least) > 2 * len(bounds)
                self.patience = min(2 * self.patience + 1, 31) if vain else 0
                self.unbounded = self.patience
            yield begin, rights, wrongs, bounds

    def _finish(self, prefix: _Prefix, begin: int, rights: _Bits, wrongs: _Bits, bounds: _Ints) -> None:
        """Score the prefix with each possible next member and every combination of the table after it."""
        alive = np.flatnonzero(bounds >= self.least)
        while len(alive) and not self._is_late():
            start = int(self.starts[-1][begin + alive[0] + 1])
            # All heads of a block scan the table from the first head's place on, so a long scan takes few heads.
            some = max(1, BLOCK_WORDS // (self.words * (self.right_of.shape[1] - start)))
            these, alive = alive[:some], alive[some:]
            before = np.tile(np.array(prefix.members, dtype=np.intp), (len(these), 1))
            heads = np.column_stack((before, begin + these))
            self._look(heads, rights[:, these], wrongs[:, these], start)

    def _bounds(self, rights: _Bits, wrongs: _Bits, begin: int, remaining: int, cost: int) -> _Ints:
        """Return for each child an upper bound of the objectives below it; the lowest value if none can pass the bar.

        Another member gains at most the questions on which it is right and no member of the child is; if a
        contradiction costs a whole question or more, only those of them on which no member is wrong. It spoils the
        questions on which the child is right and clean and it is wrong. The `remaining` members together spoil at least
        the mean of what they spoil one by one, which makes the bound a sum over single members.
        """
        both = rights & wrongs
        union = _count(rights)
        objective = self.den * union - self.num * _count(both)
        later_right, later_wrong = self.right[:, None, begin + 1 :], self.wrong[:, None, begin + 1 :]
        no_child = self.no_child[begin : begin + len(union), begin + 1 :]
        free = ~(rights | wrongs) if self.num >= self.den else ~rights
        gain = _count(later_right & free[:, :, None])
        spoilt = _count(later_wrong & (rights ^ both)[:, :, None])
        bounds: _Ints = (
            objective + _top(remaining * self.den * gain - self.num * spoilt + no_child, remaining) // remaining
        )
        bounds = np.minimum(bounds, self.den * self.questions)
        level = np.flatnonzero(bounds == self.bar[0])
        if len(level) and self.least == self.bar[0]:
            gain = _count(later_right & ~rights[:, level, None])
            unions = union[level] + _top(gain + no_child[level], remaining)
            for i, most in zip(level.tolist(), unions.tolist(), strict=True):
                least = cost + int(self.costs[begin + i]) + self.cheapest[begin + i + 1][remaining]
                if not self._wins_tie(most, least):
                    bounds[i] = -(1 << 62)
        return bounds

    def _look(self, heads: _Ints, right: _Bits, wrong: _Bits, start: int) -> None:
        """Score each head (a row of members) with each combination of the table from `start` on."""
        shape = (self.words, len(heads), self.right_of.shape[1] - start)
        any_right, all_clean = (buffer[: prod(shape)].reshape(shape) for buffer in self.buffers)
        np.bitwise_or(self.right_of[:, None, start:], right[:, :, None], out=any_right)
        np.bitwise_and(self.clean_of[:, None, start:], ~wrong[:, :, None], out=all_clean)
        np.bitwise_and(any_right, all_clean, out=all_clean)
        # union - penalty x contradiction = (1 - penalty) x union + penalty x (union - contradiction): with the usual
        # penalty of 1 one count of bits is enough.
        objective = _sums(all_clean)
        if self.num != self.den:
            objective = (self.den - self.num) * _count(any_right) + self.num * objective.astype(np.int64)
        # Later heads were also scored with combinations that do not come after them: those are no subsets of their own.
        after = (self.starts[-1][heads[:, -1] + 1] - start).tolist() if heads.size else [0]
        for i, where in enumerate(after):
            objective[i, :where] = 0
        if objective.max() < self.least:
            return
        head, at = np.nonzero(objective >= self.least)
        theirs = at >= np.array(after)[head]
        head, at = head[theirs], at[theirs]
        union = _count(any_right[:, head, at])
        members = np.column_stack((heads[head], self._members(start + at)))
        self._admit(members, union, union - _count(all_clean[:, head, at]))

    def _admit(self, members: _Ints, union: _Ints, contradiction: _Ints) -> None:
        """Keep the subsets that pass the bar, and raise it."""
        objective, cost = self.den * union - self.num * contradiction, self.costs[members].sum(axis=1)
        least, most, dearest = self.bar
        best = np.flatnonzero((objective > least) | (union > most) | ((union == most) & (cost < dearest)))
        best = best[np.lexsort((cost[best], -union[best], -objective[best]))[: self.keep]]
        rows = _rows(objective[best], union[best], cost[best], members[best], contradiction[best])
        self.kept_rows = sorted(self.kept_rows + rows)[: self.keep]
        if len(best) and len(self.kept_rows) == self.keep:
            self._raise_bar(-self.kept_rows[-1][0], -self.kept_rows[-1][1], self.kept_rows[-1][2])


def _rows(objective: _Ints, union: _Ints, cost: _Ints, members: _Ints, contradiction: _Ints) -> list[_Row]:
    """Return subsets as rows that sort best first."""
    columns = zip(*(x.tolist() for x in (-objective, -union, cost, members, contradiction)), strict=True)
    return [(o, u, c, tuple(m), k) for o, u, c, m, k in columns]


def _pack(questions: NDArray[np.bool_]) -> _Bits:
    """Return rows of questions as columns of words, at least one."""
    rows, columns = questions.shape
    padded = np.zeros((rows, max(1, -(-columns // 64)) * 64), dtype=bool)
    padded[:, :columns] = questions
    return np.ascontiguousarray(np.packbits(padded, axis=1).view(np.uint64).T)


def _bits_by_table(words: _Bits) -> _Ints:
    """Return the number of bits set in each word, for numpy 1, which has no bitwise_count."""
    quarters = _BITS[np.ascontiguousarray(words).view(np.uint16)]
    bits: _Ints = quarters.reshape(*words.shape, 4).sum(axis=-1, dtype=np.uint8)
    return bits


_BITS = np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2), axis=1).sum(
    axis=1, dtype=np.uint8
)
_bits = getattr(np, "bitwise_count", _bits_by_table)


def _sums(words: _Bits) -> _Ints:
    """Return the number of questions in each column; in 16 bits if they suffice, four times as fast as 64."""
    sums: _Ints = np.add.reduce(_bits(words), axis=0, dtype=np.uint16 if len(words) < 1 << 10 else np.uint32)
    return sums


def _count(words: _Bits) -> _Ints:
    """Return the number of questions in each column, in 64 bits for arithmetic."""
    return _sums(words).astype(np.int64)


def _top(values: _Ints, k: int) -> _Ints:
    """Return the sum of the k highest of each row."""
    highest: _Ints = values.max(axis=1) if k == 1 else np.partition(values, -k, axis=1)[:, -k:].sum(axis=1)
    return highest


def _cheapest(costs: Sequence[int], size: int) -> list[list[int]]:
    """Return for each member the least cost of 0, 1, ... members among it and those after it."""
    low: list[int] = []
    sums = [[0]]
    for cost in reversed(costs):
        insort(low, cost)
        del low[size:]
        sums.append([0, *accumulate(low)])
    return sums[::-1]


def _plain(penalty: Fraction, questions: int) -> tuple[int, int]:
    """Return the fraction of smallest terms that orders the subsets as `penalty` does.

    Two subsets compare by whether the penalty is above or below a fraction whose terms are at most `questions`. A walk
    down the Stern-Brocot tree ends at the penalty itself or at the first fraction of larger terms, which compares with
    all of those as the penalty does. So a float of seventeen digits cannot overflow 64 bits.
    """
    low, high = (0, 1), (1, 0)
    if not penalty:
        return low
    while True:
        middle = (low[0] + high[0], low[1] + high[1])
        value = Fraction(*middle)
        if value == penalty or max(middle) > questions:
            return middle
        low, high = (middle, high) if value < penalty else (low, middle)
