"""The search for the n best paths of a sentence, as a numba kernel.

The best path comes from the Viterbi algorithm. Each further path is the best change of a path found before. All other
paths are divided into disjoint sets (Lawler, 1972). A set has the paths that equal a found path after some piece and
have, at this piece, one tag that the found path and earlier sets do not have. The score of the best path of a set
follows from the Viterbi scores: the best prefix into its tag, the transition to the next tag, and the rest of the
found path. The set with the best path gives the next path, and is divided again (tree-trellis search, Soong & Huang,
1991). To keep the n best paths at every tag takes O(n T^2) per piece; this search takes O(n T), in vectors over tags.

A score is a float64 sum from left to right, ((start + e0) + t01) + e1 ... + end, as in a plain loop. Sets are compared
by sums in another order. Where rounding could change the order of two sets, the sums from left to right are compared.
Among paths of equal score, the one with the lower last tag comes first, then with the lower last but one, and so on.

Arrays (numba counts references to arrays of a tuple, so they are single arguments):

    emissions   (P, V) flat, of one sentence
    steps       (T + 1, V) flat, transitions [to, from]. The last row has the end scores: the end is tag T after the
                last piece
    best        (P, V) flat, Viterbi scores
    paths       (n, P), tags
    sums        one row per set. VALUE: score of its best path. REST: the part of it after the changed piece. EXACT:
                the score summed from left to right, NaN until it is needed. The last row bounds the rounding error of
                a sum: SHARE times (its absolute value + SIZE)
    links       one row per set. BASE: number of the path that is changed. PIECE and TAG: the change. BEFORE: the set
                that was divided into this one, or -1. PLACE is a separate column: the sets by falling VALUE. The last
                row has the length of PLACE (IN_PLACE) and the number of sets (IN_ALL)
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba.extending import register_jitable

from ner_head.head.crf import vector
from ner_head.head.crf.kernels import compiled
from ner_head.head.crf.vector import REVISION, add_rows, best_other, first_best, greatest, named

VALUE, REST, EXACT = range(3)
BASE, PIECE, TAG, BEFORE, PLACE = range(5)
SHARE, SIZE = 0, 1
IN_PLACE, IN_ALL = 0, 1
inlined = register_jitable(forceinline=True)  # a call with ten arrays takes longer than its body
ROUNDING = 2.0**-50  # sums of N terms in two orders differ by less than N * (sum of absolute values) * ROUNDING


def _viterbi(T: int, V: int) -> Any:
    best_sum = vector.best_sum(T, V)

    @inlined
    def viterbi(length: int, emissions: Any, start: Any, pairs: Any, best: Any) -> None:
        """Write best[t, tag], the score of the best prefix that ends with this tag at piece t."""
        for j in range(V):
            best[j] = start[j] + emissions[j]
        for t in range(1, length):
            best_sum(best, (t - 1) * V, pairs, emissions, best, t * V, V)

    return viterbi


def _trace(V: int) -> Any:
    @inlined
    def trace(piece: int, behind: int, best: Any, steps: Any, known: Any, out: Any) -> None:
        """Write the tags of the best prefix before tag `behind` of a piece.

        `known` is the best path, or empty. Where the prefix meets it, the rest is copied.
        """
        tag = behind
        for t in range(piece - 1, -1, -1):
            tag = first_best(best, t * V, steps, tag * V, V)
            out[t] = tag
            if known.size and known[t] == tag:  # the best prefix into a tag of the best path is the best path
                for u in range(t):
                    out[u] = known[u]
                return

    return trace


@inlined
def floor_of(needed: int, sums: Any, links: Any) -> float:
    """The score below which sets are not needed: that of the last needed set, minus the rounding error."""
    if links[-1, IN_PLACE] < needed:
        return -np.inf
    worst = sums[links[needed - 1, PLACE], VALUE]
    return float(worst - sums[-1, SHARE] * (abs(worst) + sums[-1, SIZE]))


@inlined
def offer(
    value: float, rest: float, base: int, piece: int, tag: int, before: int, needed: int, sums: Any, links: Any
) -> float:
    """Add a set; returns the new floor."""
    record, place = links[-1, IN_ALL], links[-1, IN_PLACE]
    sums[record, VALUE], sums[record, REST], sums[record, EXACT] = value, rest, np.nan
    links[record, BASE], links[record, PIECE], links[record, TAG], links[record, BEFORE] = base, piece, tag, before
    while place > 0 and sums[links[place - 1, PLACE], VALUE] < value:
        links[place, PLACE] = links[place - 1, PLACE]
        place -= 1
    links[place, PLACE] = record
    links[-1, IN_PLACE] += 1
    links[-1, IN_ALL] += 1
    floor = floor_of(needed, sums, links)
    while sums[links[links[-1, IN_PLACE] - 1, PLACE], VALUE] < floor:
        links[-1, IN_PLACE] -= 1
    return float(floor)


def _explore(T: int, V: int) -> Any:
    @inlined
    def explore(
        k: int, record: int, needed: int, length: int, emissions: Any, steps: Any, best: Any, sums: Any, links: Any,
        paths: Any,
    ) -> None:  # fmt: skip
        """Add the sets that change path k at one of the pieces before its own change.

        `record` is the set that path k comes from, -1 for path 0.
        """
        rest, behind, piece = 0.0, T, length
        if record >= 0:
            piece, behind, rest = links[record, PIECE], links[record, TAG], sums[record, REST]
            after = T if piece + 1 == length else int(paths[k, piece + 1])
            rest += emissions[piece * V + behind] + steps[after * V + behind]
        size, tag = 0.0, behind
        for t in range(piece - 1, -1, -1):
            size += abs(emissions[t * V + int(paths[k, t])]) + abs(steps[tag * V + int(paths[k, t])])
            tag = int(paths[k, t])
        sums[-1, SIZE] += size
        floor = floor_of(needed, sums, links)
        for t in range(piece - 1, -1, -1):
            tag = int(paths[k, t])
            other, value = best_other(best, t * V, steps, behind * V, tag, V)
            value += rest
            if value >= floor and value > -np.inf:  # equal scores too: their order follows from the tags
                floor = offer(value, rest, k, t, other, -1, needed, sums, links)
            rest += emissions[t * V + tag] + steps[behind * V + tag]
            behind = tag

    return explore


def _reconsider(T: int, V: int) -> Any:
    @inlined
    def reconsider(
        record: int, needed: int, length: int, steps: Any, best: Any, sums: Any, links: Any, paths: Any, row: Any
    ) -> None:
        """Add the rest of a set whose best path was taken; `row` is a buffer of V numbers."""
        base, piece = links[record, BASE], links[record, PIECE]
        behind = T if piece + 1 == length else int(paths[base, piece + 1])
        add_rows(best, piece * V, steps, behind * V, row, V)
        row[int(paths[base, piece])] = -np.inf
        before = record
        while before >= 0:
            row[links[before, TAG]] = -np.inf
            before = links[before, BEFORE]
        other, value = greatest(row, V)
        value += sums[record, REST]
        if value >= floor_of(needed, sums, links) and value > -np.inf:
            offer(value, sums[record, REST], base, piece, other, record, needed, sums, links)

    return reconsider


def _spell(trace: Any) -> Any:
    @inlined
    def spell(record: int, length: int, steps: Any, best: Any, links: Any, paths: Any, out: Any) -> None:
        """Write the tags of the best path of a set."""
        base, piece, tag = links[record, BASE], links[record, PIECE], links[record, TAG]
        for t in range(piece + 1, length):
            out[t] = paths[base, t]
        out[piece] = tag
        trace(piece, tag, best, steps, paths[0], out)

    return spell


def _score(T: int, V: int) -> Any:
    @inlined
    def score(record: int, length: int, emissions: Any, steps: Any, best: Any, links: Any, paths: Any) -> float:
        """The score of the best path of a set, from left to right."""
        base, piece, tag = links[record, BASE], links[record, PIECE], links[record, TAG]
        total = best[piece * V + tag]
        for t in range(piece + 1, length):
            after = int(paths[base, t])
            total = (total + steps[after * V + tag]) + emissions[t * V + after]
            tag = after
        return float(total + steps[T * V + tag])

    return score


def _take(score: Any, spell: Any) -> Any:
    @inlined
    def take(
        length: int, emissions: Any, steps: Any, best: Any, sums: Any, links: Any, paths: Any, spelled: Any
    ) -> int:
        """Remove the set with the best path and return it; `spelled` is a buffer of two paths."""
        top, chosen = sums[links[0, PLACE], VALUE], 0
        near = top - sums[-1, SHARE] * (abs(top) + sums[-1, SIZE])
        for place in range(links[-1, IN_PLACE]):
            record, rival = links[place, PLACE], links[chosen, PLACE]
            if sums[record, VALUE] < near:
                break
            if np.isnan(sums[record, EXACT]):
                sums[record, EXACT] = score(record, length, emissions, steps, best, links, paths)
            if place > 0 and sums[record, EXACT] > sums[rival, EXACT]:
                chosen = place
            elif place > 0 and sums[record, EXACT] == sums[rival, EXACT]:
                spell(record, length, steps, best, links, paths, spelled[0])
                spell(rival, length, steps, best, links, paths, spelled[1])
                t = length - 1
                while spelled[0, t] == spelled[1, t]:  # disjoint sets have different paths
                    t -= 1
                if spelled[0, t] < spelled[1, t]:
                    chosen = place
        record = links[chosen, PLACE]
        links[-1, IN_PLACE] -= 1
        for place in range(chosen, links[-1, IN_PLACE]):
            links[place, PLACE] = links[place + 1, PLACE]
        return int(record)

    return take


def _enumerate_paths(T: int, V: int, trace: Any) -> Any:
    explore, reconsider, spell = _explore(T, V), _reconsider(T, V), _spell(trace)
    take = _take(_score(T, V), spell)

    @inlined
    def enumerate_paths(
        n: int, length: int, emissions: Any, steps: Any, best: Any, sums: Any, links: Any, paths: Any, scores: Any,
        spelled: Any, row: Any,
    ) -> int:  # fmt: skip
        """Write paths 1 to n - 1, given path 0; returns the number of paths found."""
        links[-1, IN_PLACE], links[-1, IN_ALL] = 0, 0
        sums[-1, SHARE], sums[-1, SIZE] = (2 * length + 1) * ROUNDING, 0.0
        explore(0, -1, n - 1, length, emissions, steps, best, sums, links, paths)
        for k in range(1, n):
            if links[-1, IN_PLACE] == 0:
                return k
            record = take(length, emissions, steps, best, sums, links, paths, spelled)
            spell(record, length, steps, best, links, paths, paths[k])
            scores[k] = sums[record, EXACT]
            if k + 1 < n:
                reconsider(record, n - 1 - k, length, steps, best, sums, links, paths, row)
                explore(k, record, n - 1 - k, length, emissions, steps, best, sums, links, paths)
        return n

    return enumerate_paths


@cache
def search(T: int, V: int, *, jit: bool) -> Any:
    """The kernel for T tags in V lanes, compiled or read from the cache at the first call; without `jit` as Python."""
    viterbi, trace = _viterbi(T, V), _trace(V)
    enumerate_paths = _enumerate_paths(T, V, trace)
    revision = REVISION

    def kernel(
        emissions: Any, lengths: Any, tables: Any, n: int, low: int, high: int, paths: Any, scores: Any, found: Any
    ) -> int:
        """Search sentences low to high - 1 of a batch: (B, P, T) -> paths (B, n, P), scores (B, n), found (B,)."""
        pairs, steps, start = tables
        n_pieces = emissions.shape[1]
        most = (n - 1) * (n_pieces + 1) + 1
        values, best, row = np.empty(n_pieces * V), np.empty(n_pieces * V), np.empty(V)
        sums, links, spelled = np.empty((most, 3)), np.empty((most, 5), np.int64), np.empty((2, n_pieces), np.int64)
        for b in range(low, high):
            length = lengths[b]
            for t in range(length):
                for j in range(T):
                    values[t * V + j] = emissions[b, t, j]
                for j in range(T, V):
                    values[t * V + j] = 0.0
            viterbi(length, values, start, pairs, best)
            trace(length, T, best, steps, paths[b, 0, :0], paths[b, 0])
            last = int(paths[b, 0, length - 1])
            scores[b, 0] = best[(length - 1) * V + last] + steps[T * V + last]
            found[b] = 1
            if scores[b, 0] == -np.inf:
                found[b] = 0
            elif n > 1:
                found[b] = enumerate_paths(
                    n, length, values, steps, best, sums, links, paths[b], scores[b], spelled, row
                )
        return revision

    return compiled(named(kernel, T, V), fast=False) if jit else kernel
