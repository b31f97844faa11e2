"""The n best paths of a sentence as a numba kernel: each further path is the best change of one found before.

The paths behind the best are cut into sets that do not overlap (Lawler, 1972): those that share a found path's tags
behind some piece, and have at this piece a tag that was not taken there yet. The best of a set is read off Viterbi's
scores, one vector operation a piece: the best prefix into each tag, the step into the tag behind, and what the found
path has from there on. The best of all sets is the next path, and its set is cut anew (tree-trellis search, Soong &
Huang, 1991). Where keeping n paths at every node takes n T^2 a piece, this takes n T, in vectors.

Scores are sums in float64 from left to right, as a plain loop would add them: ((start + e0) + t01) + e1 ... + end.
Sets are compared by sums in another order; where these are too close to tell, the sums from left to right decide.
Ties go to the path whose last tag is lower, then whose last but one is, and so on.

`steps`, (T + 1, V) flat, are the scores [to, from]; its last row is the end, as a tag T behind the last piece. A path
is a row of (n, P) tags. What is known of a sentence comes as `chain` (length, emissions, steps), sets as `pool`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba.extending import register_jitable

from ner_head.head.crf_kernels import compiled
from ner_head.head.crf_vector import REVISION, best_other, best_sum, first_best, sum_best, swap_best

ROUNDING = 2.0**-50  # two sums of N terms, in any two orders, differ by less than N x their absolute sum x this


def _viterbi(T: int, V: int) -> Any:
    @register_jitable
    def viterbi(length: int, emissions: Any, start: Any, pairs: Any, best: Any) -> None:
        """best[t, tag]: the score of the best prefix that ends there."""
        for j in range(V):
            best[j] = start[j] + emissions[j]
        for t in range(1, length):
            best_sum(best, (t - 1) * V, pairs, emissions, best, t * V, T, V)

    return viterbi


def _trace(V: int) -> Any:
    @register_jitable
    def trace(piece: int, behind: int, best: Any, steps: Any, known: Any, out: Any) -> None:
        """Write the tags of the best prefix into tag `behind` of a piece; `known` is the best path, if it is there."""
        tag = behind
        for t in range(piece - 1, -1, -1):
            tag = first_best(best, t * V, steps, tag * V, V)
            out[t] = tag
            if known.size and known[t] == tag:  # from here on they are the same
                for u in range(t):
                    out[u] = known[u]
                return

    return trace


@register_jitable
def floor_of(needed: int, pool: Any) -> float:
    """The sum below which no other set matters: that of the last one needed, less what rounding can make of it."""
    values, _, _, _, order, counts, slack = pool
    if counts[0] < needed:
        return -np.inf
    worst = values[order[needed - 1]]
    return float(worst - slack[0] * (abs(worst) + slack[1]))


@register_jitable
def offer(value: float, rest: float, link: Any, needed: int, pool: Any) -> float:
    """Enter a set by the sum of its best path; returns the new floor. `link`: see `_allocate`."""
    values, rests, exact, links, order, counts, _ = pool
    record, place = counts[1], counts[0]
    values[record], rests[record], exact[record] = value, rest, np.nan
    for i in range(4):
        links[record, i] = link[i]
    while place > 0 and values[order[place - 1]] < value:
        order[place] = order[place - 1]
        place -= 1
    order[place] = record
    counts[0] += 1
    counts[1] += 1
    floor = floor_of(needed, pool)
    while values[order[counts[0] - 1]] < floor:
        counts[0] -= 1
    return float(floor)


def _explore(T: int, V: int) -> Any:
    @register_jitable
    def explore(k: int, last: int, rest: float, needed: int, best: Any, chain: Any, pool: Any, path: Any) -> None:
        """Offer the sets of path k that change a piece before `last`, the piece that it changed itself.

        `rest` is the sum of what is behind `last`. Path 0 changed none: there, the last piece is offered too.
        """
        length, emissions, steps = chain
        floor = floor_of(needed, pool)
        behind = T if last + 1 >= length else int(path[last + 1])
        for piece in range(last, -1, -1):
            tag = int(path[piece])
            if piece < last or k == 0:
                other, value = best_other(best, piece * V, steps, behind * V, tag, V)
                value += rest
                if value >= floor and value > -np.inf:  # equal ones too: ties are settled by tags
                    floor = offer(value, rest, (k, piece, other, -1), needed, pool)
            rest += emissions[piece * V + tag] + steps[behind * V + tag]
            behind = tag

    return explore


def _reconsider(T: int, V: int) -> Any:
    @register_jitable
    def reconsider(record: int, needed: int, best: Any, chain: Any, pool: Any, paths: Any, row: Any) -> None:
        """Offer what is left of a set whose best path was taken."""
        length, _, steps = chain
        links, rest = pool[3], pool[1][record]
        base, piece = links[record, 0], links[record, 1]
        behind = T if piece + 1 == length else int(paths[base, piece + 1])
        sum_best(best, piece * V, steps, behind * V, 0.0, row, 0, V)
        before = record
        while before >= 0:
            row[links[before, 2]] = -np.inf
            before = links[before, 3]
        other, value = swap_best(row, 0, int(paths[base, piece]), -np.inf, V)
        value += rest
        if value >= floor_of(needed, pool) and value > -np.inf:
            offer(value, rest, (base, piece, other, record), needed, pool)

    return reconsider


def _measure(T: int, V: int) -> Any:
    @register_jitable
    def measure(chain: Any, path: Any) -> float:
        """The absolute sum of a path."""
        length, emissions, steps = chain
        total, behind = 0.0, T
        for piece in range(length - 1, -1, -1):
            tag = int(path[piece])
            total += abs(emissions[piece * V + tag]) + abs(steps[behind * V + tag])
            behind = tag
        return total

    return measure


def _take(T: int, V: int, trace: Any) -> Any:
    @register_jitable
    def spell(record: int, best: Any, chain: Any, links: Any, paths: Any, out: Any) -> None:
        """The tags of the best path of a set."""
        length, _, steps = chain
        base, piece, tag = links[record, 0], links[record, 1], links[record, 2]
        for t in range(piece + 1, length):
            out[t] = paths[base, t]
        out[piece] = tag
        trace(piece, tag, best, steps, paths[0], out)

    @register_jitable
    def score(record: int, best: Any, chain: Any, links: Any, paths: Any) -> float:
        """The score of the best path of a set, from left to right."""
        length, emissions, steps = chain
        base, piece, tag = links[record, 0], links[record, 1], links[record, 2]
        total = best[piece * V + tag]
        for t in range(piece + 1, length):
            after = int(paths[base, t])
            total = (total + steps[after * V + tag]) + emissions[t * V + after]
            tag = after
        return float(total + steps[T * V + tag])

    @register_jitable
    def take(best: Any, chain: Any, pool: Any, paths: Any, spelled: Any) -> int:
        """Remove the set with the best path."""
        values, _, exact, links, order, counts, slack = pool
        top, chosen = values[order[0]], 0
        near = top - slack[0] * (abs(top) + slack[1])
        for place in range(counts[0]):
            if place > 0 and values[order[place]] < near:
                break
            record, rival = order[place], order[chosen]
            if np.isnan(exact[record]):
                exact[record] = score(record, best, chain, links, paths)
            if place > 0 and exact[record] > exact[rival]:
                chosen = place
            elif place > 0 and exact[record] == exact[rival]:
                spell(record, best, chain, links, paths, spelled[0])
                spell(rival, best, chain, links, paths, spelled[1])
                t = chain[0] - 1
                while spelled[0, t] == spelled[1, t]:  # the sets do not overlap
                    t -= 1
                if spelled[0, t] < spelled[1, t]:
                    chosen = place
        record = order[chosen]
        for place in range(chosen + 1, counts[0]):
            order[place - 1] = order[place]
        counts[0] -= 1
        return int(record)

    return take, spell


@register_jitable
def allocate(n: int, n_pieces: int) -> Any:
    """Room for the sets of one sentence.

    Of each set: values, the sum of its best path; rests, the part of it behind the piece that is changed; exact, the
    same sum from left to right, NaN before it is asked for; links, the found path that it changes, where, to which
    tag, and the set that it was cut from or -1. order: sets by falling value. counts: of those in order, and of all.
    slack: how far two sums in different orders can be from each other, as a share and beside what.
    """
    most = (n - 1) * (n_pieces + 1)
    sums = np.empty(most), np.empty(most), np.empty(most)
    return *sums, np.empty((most, 4), np.int64), np.empty(most, np.int64), np.zeros(2, np.int64), np.zeros(2)


def _enumerate_paths(T: int, V: int, trace: Any) -> Any:
    explore, reconsider, measure, (take, spell) = _explore(T, V), _reconsider(T, V), _measure(T, V), _take(T, V, trace)

    @register_jitable
    def enumerate_paths(n: int, best: Any, chain: Any, pool: Any, paths: Any, path_scores: Any, spelled: Any) -> int:
        """Write paths 1..n, path 0 being the best; returns how many there are in all."""
        _, rests, exact, links, _, counts, slack = pool
        counts[0], counts[1] = 0, 0
        slack[0], slack[1] = (2 * chain[0] + 1) * ROUNDING, measure(chain, paths[0])
        row = np.empty(V)
        explore(0, chain[0] - 1, 0.0, n - 1, best, chain, pool, paths[0])
        for k in range(1, n):
            if counts[0] == 0:
                return k
            record = take(best, chain, pool, paths, spelled)
            spell(record, best, chain, links, paths, paths[k])
            path_scores[k] = exact[record]
            if k + 1 < n:
                slack[1] = max(slack[1], measure(chain, paths[k]))
                reconsider(record, n - 1 - k, best, chain, pool, paths, row)
                explore(k, links[record, 1], rests[record], n - 1 - k, best, chain, pool, paths[k])
        return n

    return enumerate_paths


@cache
def search(T: int, V: int, *, jit: bool) -> Any:
    """The kernel for T tags in V lanes, which numba compiles at the first call or reads from its cache; or as it is."""
    viterbi, trace = _viterbi(T, V), _trace(V)
    enumerate_paths = _enumerate_paths(T, V, trace)
    revision = REVISION

    def kernel(
        emissions: Any, lengths: Any, tables: Any, n: int, low: int, high: int, paths: Any, scores: Any, found: Any
    ) -> int:
        """Sentences low..high of a batch: (B, P, T) -> paths (B, n, P), scores (B, n), found (B,)."""
        pairs, steps, start = tables
        n_pieces = emissions.shape[1]
        row, best, pool, spelled = (
            np.empty(n_pieces * V),
            np.empty(n_pieces * V),
            allocate(n, n_pieces),
            np.empty((2, n_pieces), np.int64),
        )
        for b in range(low, high):
            length = lengths[b]
            for t in range(length):
                for j in range(T):
                    row[t * V + j] = emissions[b, t, j]
                for j in range(T, V):
                    row[t * V + j] = 0.0
            viterbi(length, row, start, pairs, best)
            trace(length, T, best, steps, paths[b, 0, :0], paths[b, 0])
            last = int(paths[b, 0, length - 1])
            scores[b, 0] = best[(length - 1) * V + last] + steps[T * V + last]
            found[b] = 1
            if scores[b, 0] == -np.inf:
                found[b] = 0
            elif n > 1:
                found[b] = enumerate_paths(n, best, (length, row, steps), pool, paths[b], scores[b], spelled)
        return revision

    return compiled(kernel, fast=False) if jit else kernel
