"""The n best paths of a sentence, by lazy recursive enumeration (Jimenez & Marzal, 1999), as a numba kernel.

Viterbi's scores give every node its best path. The next best path into a node differs from the last one found
either in its last step or in the path into the node before, which is asked for in turn: only what is needed is
computed, about one step a piece and path, where keeping n paths at every node takes n T^2.

Scores are sums in float64 from left to right, as a plain loop would add them: ((start + e0) + t01) + e1 ... + end.
Ties go to the path whose last tag is lower, then whose last but one is, and so on.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba.extending import register_jitable

from ner_head.head.crf_kernels import compiled
from ner_head.head.crf_vector import REVISION, best_sum, first_best, sum_best, swap_best


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
    def trace(length: int, best: Any, steps: Any, end: Any, entry: int, entries: Any, known: Any, out: Any) -> None:
        """The tags of a path: of an entry at the end, or of the best, -1. Where it joins the best, that is `known`."""
        tag = -1
        for level in range(length, 0, -1):
            if entry >= 0:
                tag, entry = entries[entry, 0], entries[entry, 1]
            elif level == length:
                tag = first_best(best, (level - 1) * V, end, 0, V)
            else:
                tag = first_best(best, (level - 1) * V, steps, tag * V, V)
            out[level - 1] = tag
            if entry < 0 and known.size and known[level - 1] == tag:
                for t in range(level - 1):
                    out[t] = known[t]
                return

    return trace


def _opened(V: int) -> Any:
    @register_jitable
    def opened(
        node: int, last: bool, best: Any, emissions: Any, links: Any, link: int,
        slots: Any, nodes: Any, values: Any, origins: Any,
    ) -> int:  # fmt: skip
        """The slot of a node; a new one has its best path taken, and each predecessor's best as a candidate.

        `links[link:]` are the steps into the node. Arrays come one by one: numba counts references to what it takes
        out of a tuple, which costs more than all the rest.
        """
        slot = slots[node]
        if slot < 0:
            slot = nodes[-1, 0]
            nodes[-1, 0] += 1
            slots[node] = slot
            before = (node // V - 1) * V
            taken = sum_best(best, before, links, link, 0.0 if last else emissions[node], values, slot * V, V)
            for i in range(V):
                origins[slot * V + i] = -1
            nodes[slot, 0], nodes[slot, 1], nodes[slot, 2], nodes[slot, 3] = taken, -1, -1, 0
        return slot  # type: ignore[no-any-return]

    return opened


def _descend(V: int, opened: Any) -> Any:
    @register_jitable
    def descend(best: Any, chain: Any, pool: Any) -> Any:
        """Down the last path found, to the first node whose next candidate is known: its level, and the entry."""
        length, emissions, steps, end = chain
        slots, nodes, values, origins, entries, _, trail = pool
        level, tag = length, 0
        while True:
            node = level * V + tag
            if level == length:
                slot = opened(node, True, best, emissions, end, 0, slots, nodes, values, origins)
            else:
                slot = opened(node, False, best, emissions, steps, tag * V, slots, nodes, values, origins)
            trail[level, 0], trail[level, 1] = slot, tag
            tag = nodes[slot, 0]
            if level == 1:
                return level, -1
            under = slots[(level - 1) * V + tag]
            if under >= 0:
                last = origins[slot * V + tag]
                entry = nodes[under, 1] if last < 0 else entries[last, 2]
                if entry >= 0 or nodes[under, 3] == 1:
                    return level, entry
            level -= 1

    return descend


def _ascend(V: int) -> Any:
    @register_jitable
    def ascend(level: int, entry: int, chain: Any, pool: Any) -> int:
        """Back up: replace each node's used candidate, and enter its next best path. -1 at the end: there is none."""
        length, emissions, steps, end = chain
        _, nodes, values, origins, entries, scores, trail = pool
        score = scores[entry] if entry >= 0 else -np.inf
        fresh = nodes[-1, 1]
        for here in range(level, length + 1):
            slot, tag = trail[here, 0], trail[here, 1]
            used = nodes[slot, 0]
            last = here == length
            value = score + end[used] if last else (score + steps[tag * V + used]) + emissions[here * V + tag]
            origins[slot * V + used] = entry
            taken, score = swap_best(values, slot * V, used, value, V)
            if score == -np.inf:
                nodes[slot, 3], entry = 1, -1
                continue
            entry = fresh
            fresh += 1
            entries[entry, 0], entries[entry, 1], entries[entry, 2] = taken, origins[slot * V + taken], -1
            scores[entry] = score
            if nodes[slot, 2] < 0:
                nodes[slot, 1] = entry
            else:
                entries[nodes[slot, 2], 2] = entry
            nodes[slot, 0], nodes[slot, 2] = taken, entry
        nodes[-1, 1] = fresh
        return entry

    return ascend


def _allocate(T: int, V: int) -> Any:
    @register_jitable
    def allocate(n: int, n_pieces: int) -> Any:
        """Room for the search in one sentence.

        slots: (level, tag) -> slot or -1. nodes: (slot, [tag before of the path taken last, first entry, last entry,
        1 if spent]); its last row counts slots and entries. values, origins: (slot, tag before) -> the score of the
        next candidate, and the entry of its prefix or -1 for the best one. entries: [tag before, entry of the prefix
        or -1, next entry of the node or -1], and their scores. trail: level -> slot, tag.
        """
        n_entries = (n - 1) * n_pieces
        n_slots = min(n_entries, n_pieces * T) + 1
        slots, nodes = np.empty((n_pieces + 1) * V, np.int32), np.empty((n_slots + 1, 4), np.int32)
        values, origins = np.empty(n_slots * V), np.empty(n_slots * V, np.int32)
        entries, scores = np.empty((n_entries, 3), np.int32), np.empty(n_entries)
        return slots, nodes, values, origins, entries, scores, np.empty((n_pieces + 1, 2), np.int32)

    return allocate


def _enumerate_paths(V: int, descend: Any, ascend: Any, trace: Any) -> Any:
    @register_jitable
    def enumerate_paths(n: int, best: Any, chain: Any, pool: Any, paths: Any, path_scores: Any) -> int:
        """Write paths 1..n, path 0 being the best; returns how many there are in all."""
        length, _, steps, end = chain
        slots, nodes, _, _, entries, scores, _ = pool
        for i in range((length + 1) * V):
            slots[i] = -1
        nodes[-1, 0], nodes[-1, 1] = 0, 0
        for k in range(1, n):
            level, entry = descend(best, chain, pool)
            entry = ascend(level, entry, chain, pool)
            if entry < 0:
                return k
            path_scores[k] = scores[entry]
            trace(length, best, steps, end, entry, entries, paths[0], paths[k])
        return n

    return enumerate_paths


@cache
def search(T: int, V: int, *, jit: bool) -> Any:
    """The kernel for T tags in V lanes, which numba compiles at the first call or reads from its cache; or as it is."""
    viterbi, trace, allocate = _viterbi(T, V), _trace(V), _allocate(T, V)
    enumerate_paths = _enumerate_paths(V, _descend(V, _opened(V)), _ascend(V), trace)
    revision = REVISION

    def kernel(
        emissions: Any, lengths: Any, tables: Any, n: int, low: int, high: int, paths: Any, scores: Any, found: Any
    ) -> int:
        """Sentences low..high of a batch: (B, P, T) -> paths (B, n, P), scores (B, n), found (B,)."""
        pairs, steps, start, end = tables
        size = emissions.shape[1] * V
        row, best, pool = np.empty(size), np.empty(size), allocate(n, emissions.shape[1])
        for b in range(low, high):
            length = lengths[b]
            for t in range(length):
                for j in range(T):
                    row[t * V + j] = emissions[b, t, j]
                for j in range(T, V):
                    row[t * V + j] = 0.0
            viterbi(length, row, start, pairs, best)
            trace(length, best, steps, end, -1, pool[4], paths[b, 0, :0], paths[b, 0])
            last = paths[b, 0, length - 1]
            scores[b, 0] = best[(length - 1) * V + last] + end[last]
            found[b] = 1
            if scores[b, 0] == -np.inf:
                found[b] = 0
            elif n > 1:
                found[b] = enumerate_paths(n, best, (length, row, steps, end), pool, paths[b], scores[b])
        return revision

    return compiled(kernel, fast=False) if jit else kernel
