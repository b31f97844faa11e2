"""The CRF against its peers: time of loss + backward and of decoding, memory, growth with length, launches.

    python -m benchmarks.crf [TEXTS --tokenizer FILE] [--threads N ...] [--repeats N]

Contestants take turns on the same batches, so that whatever else the machine does meets all of them. A turn is as
many calls as take TURN seconds; the figure is the median of a contestant's turns. Sentence lengths are those of TEXTS
(files TEXTS/*/LANGUAGE/*.txt, cut into pieces by the tokenizer), or of the quantiles below; the longest of a batch has
exactly P pieces. Needs pytorch-crf. NCRF++ is a port from its published description (Yang & Zhang, 2018: n paths kept
at every node), for this table only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchcrf
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.report import write_results
from ner_head.corpus.tagging import TagSet
from ner_head.head.crf import Forbidden, LinearChainCRF

SHAPES = ((16, 48), (16, 128), (16, 512), (64, 64))
LABELS = ("PER", "LOC", "ORG", "PRO", "EVT")
N_BEST = 11
TURN = 0.02
# pieces a sentence of SlavicNER's brexit and asia_bibi (29,454 sentences, an earlier tokenizer), each 2.5 %
QUANTILES = (2, 7, 10, 11, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 33, 34, 35, 36, 38)
QUANTILES += (39, 41, 42, 44, 45, 47, 49, 52, 55, 58, 62, 67, 78, 234)
BARS = {"loss": (25, 40, 80, 30), "decode": (20, 20, 20, 20), "n_best": (10, 10, 10, 10)}


def corpus_lengths(texts: Path, tokenizer: Path) -> list[int]:
    """Pieces of every sentence, [CLS] included."""
    from tokenizers import Tokenizer

    from ner_head.corpus.segment import segment

    cut, lengths = Tokenizer.from_file(str(tokenizer)), []
    for path in sorted(texts.glob("*/*/*.txt")):
        words = [[word.text for word in s.words] for s in segment(path.read_text(encoding="utf-8"), path.parent.name)]
        pieces = cut.encode_batch(words, is_pretokenized=True, add_special_tokens=False)
        lengths += [len(encoding.ids) + 1 for encoding in pieces]
    return lengths


def iobx_crf() -> LinearChainCRF:
    """Ours, with the paper's tags and their rules."""
    tag_set = TagSet.iobx(LABELS)
    return LinearChainCRF(len(tag_set), Forbidden(*map(torch.from_numpy, tag_set.forbidden())))


class Batch:
    """Emissions, a legal gold path and the mask of B sentences of up to P pieces."""

    def __init__(self, n_sentences: int, n_pieces: int, lengths: list[int] | None, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        size = torch.full((n_sentences,), n_pieces)
        if lengths:
            fitting = torch.tensor([length for length in lengths if length <= n_pieces])
            size = fitting[torch.randint(len(fitting), (n_sentences,), generator=generator)]
            size[0] = n_pieces
        self.emissions = torch.randn(n_sentences, n_pieces, 14, generator=generator) * 2
        self.mask = torch.arange(n_pieces) < size[:, None]
        self.tags = torch.zeros(n_sentences, n_pieces, dtype=torch.long)
        for row, (best,) in zip(self.tags, iobx_crf().decode(self.emissions.roll(1, 0), self.mask), strict=True):
            row[: len(best.tags)] = torch.tensor(best.tags)
        self.emissions.requires_grad_()


def keep_n_everywhere(emissions: Tensor, mask: Tensor, pairs: Tensor, start: Tensor, end: Tensor, n: int) -> Any:
    """NCRF++'s n-best Viterbi: the n best prefixes of every (piece, tag), all tags times n candidates at each step."""
    n_sentences, n_pieces, n_tags = emissions.shape
    scores = torch.full((n_sentences, n, n_tags), -torch.inf)
    scores[:, 0] = start + emissions[:, 0]
    origins = []
    for piece in range(1, n_pieces):
        candidates = scores.unsqueeze(3) + pairs + emissions[:, piece, None, None, :]
        best, origin = candidates.flatten(1, 2).topk(n, dim=1)
        inside = mask[:, piece, None, None]
        scores = torch.where(inside, best, scores)
        origins.append(torch.where(inside, origin, torch.arange(n * n_tags).view(n, n_tags)))
    total, place = (scores + end).flatten(1).topk(n, dim=1)
    paths = [place % n_tags]
    for origin in reversed(origins):
        place = origin.flatten(1).gather(1, place)
        paths.append(place % n_tags)
    tags = torch.stack(paths[::-1], dim=2)
    return tags.tolist(), torch.softmax(total, dim=1).tolist()


def rounds(contestants: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Milliseconds of each, the median of turns taken in rotation."""
    turns: dict[str, list[float]] = {name: [] for name in contestants}
    calls = {}
    for name, function in contestants.items():
        function()
        start = time.perf_counter()
        function()
        calls[name] = max(1, round(TURN / (time.perf_counter() - start)))
    for _ in range(repeats):
        for name, function in contestants.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                function()
            turns[name].append((time.perf_counter() - start) / calls[name])
    return {name: round(statistics.median(seconds) * 1e3, 4) for name, seconds in turns.items()}


def compare(batch: Batch, repeats: int) -> dict[str, float]:
    """One row of the table: milliseconds of each contestant."""
    ours, peer = iobx_crf(), torchcrf.CRF(14, batch_first=True)
    emissions, fixed, tags, mask = batch.emissions, batch.emissions.detach(), batch.tags, batch.mask
    scores = [score.detach() for score in (ours.transitions, ours.start, ours.end)]

    def peer_decode() -> None:
        with torch.no_grad():
            peer.decode(fixed, mask)

    return rounds(
        {
            "loss": lambda: (-ours.log_likelihood(emissions, tags, mask).sum()).backward(),
            "loss, pytorch-crf": lambda: (-peer(emissions, tags, mask)).backward(),
            "decode": lambda: ours.decode(fixed, mask),
            "decode, pytorch-crf": peer_decode,
            "n_best": lambda: ours.decode(fixed, mask, n=N_BEST),
            "n_best, NCRF++": lambda: keep_n_everywhere(fixed, mask, *scores, N_BEST),
        },
        repeats,
    )


def growth(repeats: int) -> dict[int, float]:
    """Nanoseconds a piece of loss + backward, for 4 sentences of P pieces."""
    ours, result = iobx_crf(), {}
    for n_pieces in (64, 256, 1024, 4096):
        batch = Batch(4, n_pieces, None)
        found = rounds(
            {"loss": lambda b=batch: ours.log_likelihood(b.emissions, b.tags, b.mask).sum().backward()}, repeats
        )
        result[n_pieces] = round(found["loss"] * 1e6 / (4 * n_pieces), 1)
    return result


def peak_memory(name: str, n_pieces: int, results: Any) -> None:
    """Put MiB that loss + backward of 16 sentences adds to a process at its peak (Linux)."""
    torch.set_num_threads(1)
    small, large = Batch(16, 16, None), Batch(16, n_pieces, None)
    ours, peer = iobx_crf(), torchcrf.CRF(14, batch_first=True)

    def loss(batch: Batch) -> None:
        if name == "ours":
            ours.log_likelihood(batch.emissions, batch.tags, batch.mask).sum().backward()
        else:
            peer(batch.emissions, batch.tags, batch.mask).backward()

    def status(field: str) -> float:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

    loss(small)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts again from here
    before = status("VmRSS")
    loss(large)
    results.put(status("VmHWM") - before)


def memory() -> dict[str, float]:
    """Peak MiB by contestant and length, each in a process of its own."""
    context, result = multiprocessing.get_context("spawn"), {}
    for n_pieces in (512, 4096):
        for name in ("ours", "pytorch-crf"):
            queue = context.Queue()
            process = context.Process(target=peak_memory, args=(name, n_pieces, queue))
            process.start()
            result[f"{name}, 16 x {n_pieces}"] = round(queue.get(timeout=300), 1)
            process.join()
    return result


class Launches(TorchDispatchMode):
    """Counts operations that a device would launch a kernel for."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not function.is_view
        return function(*args, **(kwargs or {}))


def device_launches() -> dict[int, int]:
    """Launches of loss + backward on the batched path, the one for GPUs, by length."""
    result = {}
    for n_pieces in (64, 128, 512):
        batch, ours = Batch(16, n_pieces, None), iobx_crf()
        with Launches() as counted:
            ours.log_likelihood_on_device(batch.emissions, batch.tags, batch.mask).sum().backward()
        result[n_pieces] = counted.count
    return result


def table(rows: dict[str, dict[str, float]], sentences: dict[str, int]) -> str:
    """Milliseconds, ratios to the peers and sentences a second, as Markdown."""
    lines = [
        "| batch | loss + backward | pytorch-crf | x | 1-best | pytorch-crf | x | 11-best | to 1-best | NCRF++ | x | "
        "sentences/s, loss |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        loss, decode, n_best = row["loss"], row["decode"], row["n_best"]
        peers = row["loss, pytorch-crf"], row["decode, pytorch-crf"], row["n_best, NCRF++"]
        ratios = peers[0] / loss, peers[1] / decode, n_best / decode, peers[2] / n_best
        lines.append(
            f"| {name} | {loss:.3f} ms | {peers[0]:.1f} ms | {ratios[0]:.0f} | {decode:.3f} ms | {peers[1]:.1f} ms "
            f"| {ratios[1]:.0f} | {n_best:.3f} ms | {ratios[2]:.1f} | {peers[2]:.1f} ms | {ratios[3]:.0f} "
            f"| {sentences[name] / loss * 1e3:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the tables and write benchmarks/results/crf.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="?", type=Path)
    parser.add_argument("--tokenizer", type=Path, default=Path("encoders/multilingual-e5-small/tokenizer.json"))
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, torch.get_num_threads()}))
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    lengths = corpus_lengths(arguments.texts, arguments.tokenizer) if arguments.texts else list(QUANTILES)
    figures: dict[str, Any] = {"tags": 14, "n": N_BEST, "bars": BARS, "milliseconds": {}}
    sentences = {f"{b} x {p}": b for b, p in SHAPES}
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for kind, drawn in (("corpus lengths", lengths), ("all of full length", None)):
            rows = {f"{b} x {p}": compare(Batch(b, p, drawn), arguments.repeats) for b, p in SHAPES}
            title = f"{kind}, {threads} thread{'s'[: threads - 1]}"
            figures["milliseconds"][title] = rows
            print(f"\n{title}\n\n{table(rows, sentences)}", flush=True)
    torch.set_num_threads(1)
    figures["ns a piece by length"] = growth(arguments.repeats)
    figures["peak MiB of the loss"] = memory()
    figures["launches of the batched path by length"] = device_launches()
    for name in ("ns a piece by length", "peak MiB of the loss", "launches of the batched path by length"):
        print(f"\n{name}: {figures[name]}")
    print(f"\n{write_results('crf', figures, ('torch', 'numba', 'pytorch-crf', 'numpy'))}")


if __name__ == "__main__":
    main()
