"""The exact search: the ordered list that looking at every subset gives."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from slmmux.selection import _search
from slmmux.selection._search import ScoredSubset, beam, search


def brute(right, wrong, size, *, names, penalty, keep, costs):
    """Return what looking at every subset gives, as (members, union, contradiction), best first."""
    rows = []
    for members in itertools.combinations(range(len(names)), size):
        some_right = right[list(members)].any(axis=0)
        some_wrong = wrong[list(members)].any(axis=0)
        union, contradiction = int(some_right.sum()), int((some_right & some_wrong).sum())
        objective = union - Fraction(str(penalty)) * contradiction
        cost = sum(costs[i] for i in members) if costs else 0
        rows.append((-objective, -union, cost, sorted(names[i] for i in members), members, union, contradiction))
    return [row[4:] for row in sorted(rows)[:keep]]


def pool(rng, number):
    """Return a random pool; every sixth is of one degenerate kind."""
    n, q = int(rng.integers(1, 9)), int(rng.integers(1, 71))
    right, wrong = rng.random((n, q)) < rng.random(), rng.random((n, q)) < rng.random()
    if rng.random() < 0.5:
        wrong &= ~right
    kind = number % 6
    if kind == 0:  # clones
        right[:], wrong[:] = right[:1], wrong[:1]
    elif kind == 1:  # nobody right
        right[:] = False
    elif kind == 2:  # everybody right
        right[:] = True
    elif kind == 3:  # each right where nobody else is: all tied, or nearly
        right, wrong = np.arange(q) % n == np.arange(n)[:, None], np.zeros((n, q), dtype=bool)
    return right, wrong


def plain(subsets: tuple[ScoredSubset, ...]):
    """Return subsets as `brute` does."""
    return [(f.members, f.union, f.contradiction) for f in subsets]


PENALTIES = [0, 0.5, 1, 1.0, 2, Fraction(1, 3), 0.12345678901234567, 1e-9, 1000]


@pytest.mark.parametrize("block", [1, 7, 20, 60, _search.BLOCK_WORDS])
@pytest.mark.parametrize("pairs", [1, 40, _search.PAIR_WORDS])
def test_it_finds_what_looking_at_every_subset_finds(block, pairs, monkeypatch):
    """Members, counts and order are the same, whatever the table holds and whatever the bounds leave out."""
    monkeypatch.setattr(_search, "BLOCK_WORDS", block)
    monkeypatch.setattr(_search, "PAIR_WORDS", pairs)
    rng = np.random.default_rng(block + pairs)
    for number in range(70):
        right, wrong = pool(rng, number)
        n = len(right)
        every = [None, [3] * n, rng.integers(0, 4, n).tolist(), [int(c) << 62 for c in rng.integers(0, 4, n)]]
        options = {
            "names": [f"model {i}" for i in rng.permutation(n)],
            "penalty": PENALTIES[rng.integers(len(PENALTIES))],
            "keep": int(rng.choice([1, 2, 3, 10, 1000])),
            "costs": every[rng.integers(len(every))],
        }
        size = int(rng.integers(1, min(n, 5) + 1))
        result = search(right, wrong, size, **options)
        assert plain(result.best) == brute(right, wrong, size, **options), options
        assert result.proved
        assert result.subsets == len(list(itertools.combinations(range(n), size)))


@pytest.mark.parametrize("penalty", [0.5, 1.0])
def test_bounds_leave_nothing_out_of_a_larger_pool(penalty, monkeypatch):
    """With enough models for subtrees to be left out, and for bounds in vain, the list is still the same."""
    monkeypatch.setattr(_search, "BLOCK_WORDS", 60)
    monkeypatch.setattr(_search, "PAIR_WORDS", 200)
    rng = np.random.default_rng(7)
    for strength in (0.1, 0.4, 0.9):
        right = rng.random((14, 100)) < strength * rng.random((14, 1))
        wrong = ~right & (rng.random((14, 100)) < 0.3)
        options = {"names": [f"{i:02}" for i in range(14)], "penalty": penalty, "keep": 5, "costs": None}
        assert plain(search(right, wrong, 4, **options).best) == brute(right, wrong, 4, **options)


def test_a_branch_is_left_once_its_siblings_have_raised_the_bar(monkeypatch):
    """Bounds are counted for all branches at once; one that no longer passes is not entered, and the list is the same."""
    monkeypatch.setattr(_search, "BLOCK_WORDS", 20)
    monkeypatch.setattr(_search, "PAIR_WORDS", 1)  # no table of pairs, so that branches are entered one by one
    rng = np.random.default_rng(32)
    right = rng.random((int(rng.integers(8, 13)), 60))
    right = right < rng.random((len(right), 1)) * 0.9
    wrong = ~right & (rng.random(right.shape) < 0.3)
    options = {"names": [f"{i:02}" for i in range(len(right))], "penalty": 1.0, "keep": 5, "costs": None}
    assert plain(search(right, wrong, 5, **options).best) == brute(right, wrong, 5, **options)


def test_many_models_that_tie_are_not_all_looked_at(monkeypatch):
    """Of 75 million equal subsets of 100 clones the first by name are found after few blocks."""
    looks = []
    look = _search._Search._look
    monkeypatch.setattr(_search._Search, "_look", lambda self, *args: looks.append(look(self, *args)))
    right = np.repeat(np.random.default_rng(0).random((1, 500)) < 0.5, 100, axis=0)
    result = search(right, ~right, 5, names=[f"{i:03}" for i in range(100)], keep=2)
    assert [f.members for f in result.best] == [(0, 1, 2, 3, 4), (0, 1, 2, 3, 5)]
    assert result.proved
    assert result.subsets == 75_287_520
    assert len(looks) < 100


@pytest.mark.parametrize("ticks", [0, 1, 2, 5, 20, 100])
def test_out_of_time_it_returns_subsets_that_are_what_they_say(ticks, monkeypatch):
    """The clock decides alone; the counts are right, nothing is twice, and nothing is called proved."""
    monkeypatch.setattr(_search, "BLOCK_WORDS", 40)
    rng = np.random.default_rng(3)
    right = rng.random((16, 90)) < 0.3
    wrong = ~right & (rng.random((16, 90)) < 0.2)
    clock = itertools.count()
    options = {"names": [f"{i:02}" for i in range(16)], "keep": 7}
    result = search(right, wrong, 5, **options, time_limit=ticks + 0.5, clock=lambda: float(next(clock)))
    assert not result.proved
    assert len({f.members for f in result.best}) == 7
    for f in result.best:
        members = list(f.members)
        some_right, some_wrong = right[members].any(axis=0), wrong[members].any(axis=0)
        assert members == sorted(set(members))
        assert (f.union, f.contradiction) == (some_right.sum(), (some_right & some_wrong).sum())


def test_a_beam_takes_the_best_of_a_pool_that_it_holds_whole():
    """With room for all subsets the beam's best are the search's, and it proves nothing; in a smaller pool are none."""
    rng = np.random.default_rng(5)
    right = rng.random((8, 60)) < 0.5
    options = {"names": list("abcdefgh")}
    result = beam(right, ~right, 3, width=200, **options)
    assert result.best[:9] == search(right, ~right, 3, keep=9, **options).best
    assert not result.proved
    assert beam(right, ~right, 9, **options).best == ()


def test_out_of_time_nothing_is_above_the_bound(monkeypatch):
    """Whenever the time runs out, the best subset that there is lies between the best so far and the bound."""
    monkeypatch.setattr(_search, "BLOCK_WORDS", 40)
    monkeypatch.setattr(_search, "PAIR_WORDS", 40)
    rng = np.random.default_rng(11)
    right = rng.random((12, 80)) < np.linspace(0.1, 0.5, 12)[:, None]
    wrong = ~right & (rng.random((12, 80)) < 0.3)
    options = {"names": [f"{i:02}" for i in range(12)], "keep": 2}
    best = search(right, wrong, 5, **options)
    most = best.best[0].union - best.best[0].contradiction
    assert best.bound == most
    loose = []
    for ticks in range(0, 400, 7):
        clock = itertools.count()
        late = search(right, wrong, 5, **options, time_limit=ticks + 0.5, clock=lambda clock=clock: float(next(clock)))
        assert late.best[0].union - late.best[0].contradiction <= most <= late.bound
        loose.append(late.bound)
    assert loose == sorted(loose, reverse=True)
    assert most < loose[0] > loose[-1]


def test_time_enough_is_a_proof():
    """A limit that is not reached changes nothing, and one block is looked at whatever the limit."""
    right = np.eye(6, dtype=bool)
    options = {"names": list("abcdef"), "keep": 3}
    assert search(right, ~right, 3, **options, time_limit=0.0) == search(right, ~right, 3, **options)


def test_a_pool_smaller_than_the_subsets_has_none():
    """There are no subsets, and that is proved."""
    right = np.ones((2, 3), dtype=bool)
    assert search(right, ~right, 3, names=["a", "b"]) == _search.SearchResult((), proved=True, subsets=0, bound=0.0)


def test_bits_are_counted_alike_by_either_way(monkeypatch):
    """The table that stands in for numpy 2's bitwise_count counts every word as Python does, and finds the same."""
    words = np.random.default_rng(0).integers(0, 2**63, (3, 5, 7), dtype=np.uint64) << np.uint64(1)
    words[0, 0, :2] = 0, 2**64 - 1
    expected = [int(w).bit_count() for w in words.ravel()]
    assert _search._bits_by_table(words).ravel().tolist() == expected
    assert _search._bits_by_table(words[:, ::2, 1:]).tolist() == _search._bits(words[:, ::2, 1:]).tolist()
    right = np.random.default_rng(1).random((9, 200)) < 0.4
    result = search(right, ~right, 3, names=list("abcdefghi"))
    monkeypatch.setattr(_search, "_bits", _search._bits_by_table)
    assert search(right, ~right, 3, names=list("abcdefghi")) == result


@pytest.mark.parametrize("penalty", [*PENALTIES, Fraction(7, 5), Fraction(999_999_999, 10**9)])
def test_the_plain_penalty_orders_as_the_penalty(penalty):
    """Every pair of counts compares under the fraction of small terms as it does under the penalty itself."""
    questions, penalty = 12, Fraction(str(penalty))
    num, den = _search._plain(penalty, questions)
    assert max(num, den) <= 2 * questions
    for union in range(-questions, questions + 1):
        for contradiction in range(-questions, questions + 1):
            assert np.sign(den * union - num * contradiction) == np.sign(union - penalty * contradiction)
