"""The best subsets of a pool under objective = union - penalty x contradiction, exactly.

Questions are bits. The last members of a subset come from a table of all their combinations, which numpy scores in
blocks. The first members come from a depth-first search that skips every branch whose bound is below the best subsets
so far. The strongest members come first: what is left for the later branches is weak, so that their bounds are low, and
the bound over all that is still open falls as the search goes on. Names decide ties alone.
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

__all__ = ["Bounds", "ScoredSubset", "SearchResult", "beam", "search"]

_Bits: TypeAlias = NDArray[np.uint64]  # (words, things): 64 questions a word, so that a row of things is contiguous
_Ints: TypeAlias = NDArray[Any]
# -objective, -union, cost, members, contradiction: the best sorts first.
_Row: TypeAlias = tuple[int, int, int, tuple[int, ...], int]
# The objective of the best subset so far, and the most that any subset can have; both in questions.
Bounds: TypeAlias = Callable[[float, float], None]

# Both measured. A table and a block of 40,000 words stay together in a second-level cache of 2 MB; a table of pairs
# pays up to a million words although it does not.
BLOCK_WORDS = 40_000
PAIR_WORDS = 1_000_000
# The quick first look grows this many subsets at most, and may fill this many words: it only has to raise the bar.
SEEDS = 200
# So many first members are bounded before any subset is scored, and taken in the order of their bounds.
_LEVELS = 2
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
        bound: The most that the objective of any subset can be, in questions; that of the best one if it is proved.
    """

    best: tuple[ScoredSubset, ...]
    proved: bool
    subsets: int
    bound: float


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
    bounds: Bounds | None = None,
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
        bounds: Called as the search goes on, with the objective of the best subset so far and the most that any can
            have; the second falls, and the search ends when they meet or nothing else can be among the best.

    Returns:
        The subsets, whether they are proved to be the best, and the number of subsets of this size.

    Example:
        >>> right = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]], dtype=bool)
        >>> wrong = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]], dtype=bool)
        >>> search(right, wrong, 2, names=["a", "b", "c"], keep=1).best
        (ScoredSubset(members=(0, 1), union=3, contradiction=0),)
    """
    run = _Search(right, wrong, size, names=names, penalty=Fraction(str(penalty)), keep=keep, costs=costs)
    run.watch(bounds)
    if time_limit is not None:
        run.limit(clock, clock() + time_limit)
    if size <= len(names):
        run.run()
    return run.result()


def beam(
    right: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    size: int,
    *,
    names: Sequence[str],
    penalty: Fraction | float = 1.0,
    width: int = 50,
    costs: Sequence[int] | None = None,
) -> SearchResult:
    """Return what a beam search of some width takes for the best subsets, with the arguments of `search`.

    The best subsets of each size are grown by every member, which takes a moment whatever the number of subsets. It
    proves nothing.
    """
    run = _Search(right, wrong, size, names=names, penalty=Fraction(str(penalty)), keep=width, costs=costs)
    run.late = True
    if size <= len(names):
        run.seed()
    return run.result()


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The first members of a subset, the questions on which any of them is right or wrong, and their cost."""

    members: tuple[int, ...]
    right: _Bits
    wrong: _Bits
    cost: int


class _Search:
    """One search over a pool whose members are sorted: the strongest first, equal ones by name."""

    def __init__(
        self,
        right: NDArray[np.bool_],
        wrong: NDArray[np.bool_],
        size: int,
        *,
        names: Sequence[str],
        penalty: Fraction,
        keep: int,
        costs: Sequence[int] | None,
    ) -> None:
        self.by_name = sorted(range(len(names)), key=names.__getitem__)
        strength = (right & ~wrong).sum(axis=1).tolist()
        order = sorted(self.by_name, key=lambda m: -strength[m])  # stable: equal ones stay in the order of their names
        place = {member: i for i, member in enumerate(self.by_name)}
        self.name_of = np.array([place[member] for member in order], dtype=np.intp)  # the place of each by name
        costs = [0] * len(order) if costs is None else [costs[i] for i in order]
        right, wrong = right[order], wrong[order]
        somewhere = right.any(axis=0)  # where nobody is right a question changes neither count: fewer words
        self.right, self.wrong = _pack(right[:, somewhere]), _pack(wrong[:, somewhere])
        self.words, self.n = self.right.shape
        self.size = size
        self.keep = keep
        self.questions = int(np.count_nonzero(somewhere))
        self.num, self.den = _plain(penalty, max(1, self.questions))
        self.costs = np.array(costs, dtype=np.int64 if sum(map(abs, costs)) < 1 << 62 else object)
        self.cheapest = _lowest_sums(costs, size)
        self.first_names = _lowest(self.name_of.tolist(), size)
        self.seeds: list[_Row] = []
        self.kept_rows: list[_Row] = []
        self._raise_bar(-(1 << 62), 0, 0, ())
        self.late = False
        self.open = self.den * self.questions  # the most that a subset which was not looked at can have
        self._told: Bounds | None = None
        self.unbounded = self.patience = 0
        self._clock: Callable[[], float] = time.monotonic
        self._deadline: float | None = None

    def limit(self, clock: Callable[[], float], deadline: float) -> None:
        """Set when to stop."""
        self._clock, self._deadline = clock, deadline

    def watch(self, bounds: Bounds | None) -> None:
        """Set who is told how far the bound has closed."""
        self._told = bounds

    def run(self) -> None:
        """Look at every subset, or prove that it cannot be among the best."""
        self._tabulate()
        self.buffers = np.empty((2, max(BLOCK_WORDS, self.right_of.size)), dtype=np.uint64)
        none = np.zeros((self.words, 1), dtype=np.uint64)
        if self.depth == self.size:
            self._look(np.empty((1, 0), dtype=np.intp), none, none, 0)
        else:
            self.seed()
            self.no_child = np.where(np.tri(self.n, dtype=bool), -(1 << 60), 0)
            for prefix in self._prefixes(none):
                self._descend(prefix)

    def result(self) -> SearchResult:
        """Return the best subsets; if the time ran out, those of the quick first look count too."""
        rows = sorted({*self.kept_rows, *self.seeds})[: self.keep] if self.late else self.kept_rows
        subsets = tuple(
            ScoredSubset(tuple(sorted(self.by_name[name] for name in members)), -union, contradiction)
            for _, union, _, members, contradiction in rows
        )
        best, bound = self._extent(-rows[0][0] if rows else 0)
        return SearchResult(subsets, not self.late, comb(self.n, self.size), bound if self.late else best)

    def _extent(self, best: int) -> tuple[float, float]:
        """Return an objective, and the most that any can be, as questions and not as whole numbers."""
        return best / self.den, max(best, self.open) / self.den

    def _closes(self, open_bound: int) -> None:
        """Lower the most that a subset which was not looked at can have, and tell it."""
        self.open = min(self.open, open_bound)
        if self._told is not None:
            self._told(*self._extent(-min(self.kept_rows + self.seeds)[0]))

    def _raise_bar(self, objective: int, union: int, cost: int, names: tuple[int, ...]) -> None:
        """Set the figures that a subset must beat to be kept."""
        self.bar = (objective, union, cost, names)
        # Pruning keeps a branch whose bound equals the bar only if a tie could still be won there: with every question
        # in the union, at the lowest cost, or by name.
        self.least = objective + (not self._wins_tie(self.questions, self.cheapest[0][-1], tuple(range(self.size))))

    def _wins_tie(self, union: int, cost: int, names: tuple[int, ...]) -> bool:
        """Return whether a subset that ties with the bar's objective passes it by its union, cost and names."""
        return (-union, cost, names) < (-self.bar[1], self.bar[2], self.bar[3])

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

    def seed(self) -> None:
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
        self.seeds = sorted(self._rows(objective[best], union[best], cost[best], members, contradiction[best]))
        if len(self.seeds) >= self.keep:
            last = self.seeds[self.keep - 1]
            self._raise_bar(-last[0], -last[1], last[2], (*last[3], self.n))  # longer: the subset itself passes it

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

    def _prefixes(self, none: _Bits) -> Iterator[_Prefix]:
        """Yield the first two members of the subsets, or as many as the search has time to bound: the promising first.

        So what is open can have less and less, and the search ends at the first prefix that cannot pass the bar. Only
        their places and bounds are kept, as there may be many.
        """
        levels = min(_LEVELS, self.size - self.depth - 1)
        places, bounds = np.zeros((1, 0), dtype=np.intp), np.array([self.den * self.questions])
        for level in range(levels):
            longer, lower = [], []
            for members, most in zip(places.tolist(), bounds.tolist(), strict=True):
                first = members[-1] + 1 if members else 0
                prefix = self._prefix(members, none)
                for begin, _, _, below in self._children(prefix, first, self.size - level - 1):
                    longer += [[*members, begin + i] for i in range(len(below))]
                    lower += np.minimum(below, most).tolist()
            if self.late:
                return
            places, bounds = np.array(longer), np.array(lower)
            alive = np.flatnonzero(bounds >= self.least)
            alive = alive[np.argsort(-bounds[alive], kind="stable")]
            places, bounds = places[alive], bounds[alive]
        for members, most in zip(places.tolist(), bounds.tolist(), strict=True):
            self._closes(most)
            if most < self.least:
                return
            yield self._prefix(members, none)
            if self.late:
                return

    def _prefix(self, members: Sequence[int], none: _Bits) -> _Prefix:
        """Return some members as a prefix."""
        right, wrong = (
            np.bitwise_or.reduce(of.take(members, axis=1), axis=1, keepdims=True) if members else none
            for of in (self.right, self.wrong)
        )
        return _Prefix(tuple(members), right, wrong, int(self.costs[[*members]].sum()))

    def _blocks(self, prefix: _Prefix, first: int, remaining: int) -> Iterator[tuple[int, _Bits, _Bits, int]]:
        """Yield the possible next members in blocks: the first of them, right and wrong with each, and their number."""
        stop = self.n - remaining
        step = max(1, BLOCK_WORDS // (self.words * (self.n - first)))
        for begin in range(first, stop, step):
            if self._is_late():
                return
            these = slice(begin, min(begin + step, stop))
            yield begin, prefix.right | self.right[:, these], prefix.wrong | self.wrong[:, these], these.stop - begin

    def _children(self, prefix: _Prefix, first: int, remaining: int) -> Iterator[tuple[int, _Bits, _Bits, _Ints]]:
        """Yield the possible next members in blocks: the first of them, right and wrong with each, and bounds."""
        for begin, rights, wrongs, number in self._blocks(prefix, first, remaining):
            if remaining == self.depth and self.unbounded:
                self.unbounded -= 1
                bounds = np.full(number, self.den * self.questions)
            else:
                bounds = self._bounds(prefix, rights, wrongs, begin, remaining)
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

    def _most(self, rights: _Bits, wrongs: _Bits, begin: int, remaining: int) -> _Ints:
        """Return for each child an upper bound of the objectives below it.

        Another member gains at most the questions on which it is right and no member of the child is; if a
        contradiction costs a whole question or more, only those of them on which no member is wrong. It spoils the
        questions on which the child is right and clean and it is wrong. The `remaining` members together spoil at least
        the mean of what they spoil one by one, which makes the bound a sum over single members.
        """
        both = rights & wrongs
        objective = self.den * _count(rights) - self.num * _count(both)
        later_right, later_wrong = self.right[:, None, begin + 1 :], self.wrong[:, None, begin + 1 :]
        free = ~(rights | wrongs) if self.num >= self.den else ~rights
        gain = _count(later_right & free[:, :, None])
        spoilt = _count(later_wrong & (rights ^ both)[:, :, None])
        each = remaining * self.den * gain - self.num * spoilt + self._no_child(begin, rights)
        bounds: _Ints = np.minimum(objective + _top(each, remaining) // remaining, self.den * self.questions)
        return bounds

    def _no_child(self, begin: int, rights: _Bits) -> _Ints:
        """Return what keeps members before a child out of its later ones: a sum that no bound survives."""
        lowest: _Ints = self.no_child[begin : begin + rights.shape[1], begin + 1 :]
        return lowest

    def _bounds(self, prefix: _Prefix, rights: _Bits, wrongs: _Bits, begin: int, remaining: int) -> _Ints:
        """Return upper bounds as `_most` does; the lowest value if a child can at best tie with the bar, and loses."""
        bounds = self._most(rights, wrongs, begin, remaining)
        level = np.flatnonzero(bounds == self.bar[0])
        if len(level) and self.least == self.bar[0]:
            later_right = self.right[:, None, begin + 1 :]
            gain = _count(later_right & ~rights[:, level, None])
            unions = _count(rights[:, level]) + _top(gain + self._no_child(begin, rights)[level], remaining)
            for i, most in zip(level.tolist(), unions.tolist(), strict=True):
                after = begin + i + 1
                least = prefix.cost + int(self.costs[after - 1]) + self.cheapest[after][remaining]
                names = [*self.name_of[[*prefix.members, after - 1]].tolist(), *self.first_names[after][:remaining]]
                if not self._wins_tie(most, least, tuple(sorted(names))):
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
        least, most, dearest, _ = self.bar
        # Those that are level with the bar in all figures may pass it by their names.
        best = np.flatnonzero((objective > least) | (union > most) | ((union == most) & (cost <= dearest)))
        names = np.sort(self.name_of[members[best]], axis=1)
        by = np.lexsort((*names.T[::-1], cost[best], -union[best], -objective[best]))[: self.keep]
        best = best[by]
        rows = self._rows(objective[best], union[best], cost[best], members[best], contradiction[best])
        self.kept_rows = sorted(self.kept_rows + rows)[: self.keep]
        if len(best) and len(self.kept_rows) == self.keep:
            last = self.kept_rows[-1]
            self._raise_bar(-last[0], -last[1], last[2], last[3])

    def _rows(self, objective: _Ints, union: _Ints, cost: _Ints, members: _Ints, contradiction: _Ints) -> list[_Row]:
        """Return subsets as rows that sort best first, their members as places by name."""
        names = np.sort(self.name_of[members], axis=1)
        columns = zip(*(x.tolist() for x in (-objective, -union, cost, names, contradiction)), strict=True)
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


def _lowest(values: Sequence[int], size: int) -> list[list[int]]:
    """Return for each member the lowest values among it and those after it, ascending, at most `size`."""
    low: list[int] = []
    lowest = [[*low]]
    for value in reversed(values):
        insort(low, value)
        del low[size:]
        lowest.append([*low])
    return lowest[::-1]


def _lowest_sums(values: Sequence[int], size: int) -> list[list[int]]:
    """Return for each member the least sum of 0, 1, ... values among its own and those after it."""
    return [[0, *accumulate(low)] for low in _lowest(values, size)]


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
