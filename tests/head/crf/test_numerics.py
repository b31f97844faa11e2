"""Extremes, precision, padding, threads and devices: what must not change a result, or must not break it."""

from __future__ import annotations

import copy
import math
import sys
import threading
import tracemalloc
import warnings

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ner_head.corpus.tagging import TagSet
from ner_head.head.crf import Forbidden, LinearChainCRF, kernels, layer, numba_engine
from tests.head.crf.oracle import ENGINES, engine

LABELS = ("PER",)  # six tags: kernels are compiled once for all tests


@pytest.fixture
def model() -> LinearChainCRF:
    """Tags over pieces and their rules."""
    torch.manual_seed(0)
    return LinearChainCRF(6, Forbidden(*map(torch.from_numpy, TagSet.iobx(LABELS).forbidden())))


def full(n_sentences: int, n_pieces: int) -> Tensor:
    return torch.ones(n_sentences, n_pieces, dtype=torch.bool)


def ragged(*lengths: int) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def step(model: LinearChainCRF, emissions: Tensor, tags: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """All that a training step and an evaluation compute."""
    leaf = emissions.clone().requires_grad_()
    model.zero_grad()
    likelihood = model.log_likelihood(leaf, tags, mask)
    likelihood.sum().backward()
    return {
        "likelihood": likelihood.detach(),
        "emissions": leaf.grad,
        "transitions": model.transitions.grad.clone(),
        "start": model.start.grad.clone(),
        "end": model.end.grad.clone(),
        "marginals": model.marginals(emissions, mask),
        "entropy": model.entropy(emissions, mask),
    }


def best(model: LinearChainCRF, emissions: Tensor, mask: Tensor) -> Tensor:
    """The best path as gold, (B, P)."""
    tags = torch.zeros(mask.shape, dtype=torch.long)
    for row, (found,) in zip(tags, model.decode(emissions, mask), strict=True):
        row[: len(found.tags)] = torch.tensor(found.tags)
    return tags


EXTREMES = [(name, size, length) for name in ("compiled", "torch") for size in (1, 1e2, 1e4) for length in (1, 512)]
EXTREMES += [("compiled", 1, 4096), ("compiled", 1e2, 4096), ("compiled", 1e4, 4096), ("torch", 1e4, 4096)]


@pytest.mark.parametrize(("name", "size", "length"), EXTREMES)
def test_no_length_and_no_score_gives_nan(model: LinearChainCRF, name: str, size: float, length: int) -> None:
    n_sentences, golds = (1, 1) if length == 4096 else (2, 2)
    emissions, mask = (torch.rand(n_sentences, length, 6) * 2 - 1) * size, full(n_sentences, length)
    tags, wrong = best(model, emissions, mask), best(model, -emissions, mask)
    with engine(name):
        for gold in (tags, wrong)[:golds]:
            found = step(model, emissions, gold, mask)
            assert all(bool(value.isfinite().all()) for value in found.values())
            assert bool((found["likelihood"] <= 1e-3).all())
            torch.testing.assert_close(found["marginals"].sum(dim=2), mask.float(), atol=1e-5, rtol=0)
    (hypothesis,) = model.decode(emissions, mask)[0]
    likelihood = model.log_likelihood(emissions, tags, mask)[0].detach()
    assert math.isclose(hypothesis.probability, float(likelihood.exp()), rel_tol=1e-3, abs_tol=1e-6)


@pytest.mark.parametrize("size", [1, 20, 60, 200, 1e4])
def test_each_range_of_scores_gives_what_torch_gives_in_float64(model: LinearChainCRF, size: float) -> None:
    emissions = torch.randn(5, 40, 6) * size
    mask = ragged(40, 33, 7, 2, 1)
    tags = best(model, emissions, mask)
    found = step(model, emissions, tags, mask)
    with engine("torch"):
        wanted = step(copy.deepcopy(model).double(), emissions.double(), tags, mask)
    for key, value in found.items():
        torch.testing.assert_close(value.double(), wanted[key], atol=2e-5 * max(1, size / 100), rtol=1e-5, msg=key)


def test_the_three_ranges_are_float32_float64_and_logs(model: LinearChainCRF, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    run, logs = numba_engine._run, numba_engine._in_log_space
    monkeypatch.setattr(numba_engine, "_run", lambda i, *rest: (calls.append(str(i.emissions.dtype)), run(i, *rest))[1])
    monkeypatch.setattr(numba_engine, "_in_log_space", lambda *args: (calls.append("logs"), logs(*args))[1])
    for size, wanted in ((1, ["float32"]), (60, ["float32", "float64"]), (1e4, ["float32", "float64", "logs"])):
        calls.clear()
        model.log_partition(torch.randn(4, 30, 6) * size, full(4, 30))
        assert calls == wanted


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("pad", [0.0, 1e30, float("nan")])
def test_a_padded_sentence_scores_the_same_alone(model: LinearChainCRF, name: str, pad: float) -> None:
    lengths = (9, 1, 12, 2)
    emissions, mask = torch.randn(4, 14, 6), torch.arange(14) < torch.tensor(lengths)[:, None]
    tags = best(model, torch.where(mask.unsqueeze(2), emissions, 0.0), mask)
    emissions[~mask] = pad
    with engine(name):
        together, paths = step(model, emissions, tags, mask), model.decode(emissions, mask, n=5)
        for row, length in enumerate(lengths):
            window = emissions[row : row + 1, :length]
            alone = step(model, window, tags[row : row + 1, :length], full(1, length))
            for key in ("likelihood", "emissions", "marginals", "entropy"):
                value = together[key][row : row + 1]
                value = value[:, :length] if value.dim() > 1 else value
                torch.testing.assert_close(alone[key], value, atol=1e-5, rtol=0)
            (found,) = model.decode(window, full(1, length), n=5)
            assert [h.tags for h in found] == [h.tags for h in paths[row]]
            assert all(abs(a.probability - b.probability) < 1e-5 for a, b in zip(found, paths[row], strict=True))
        assert bool((together["marginals"][~mask] == 0).all())
        assert bool((together["emissions"][~mask] == 0).all())


def test_threads_change_no_bit(model: LinearChainCRF, monkeypatch: pytest.MonkeyPatch) -> None:
    emissions, mask = torch.randn(9, 60, 6), ragged(60, 1, 30, 59, 2, 2, 44, 10, 17)
    tags = best(model, emissions, mask)
    monkeypatch.setattr(numba_engine, "PIECES_PER_THREAD", 10)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            results.append((step(model, emissions, tags, mask), model.decode(emissions, mask, n=7)))
    finally:
        torch.set_num_threads(before)
    for found, paths in results[1:]:
        assert paths == results[0][1]
        assert all(torch.equal(found[key], value) for key, value in results[0][0].items())


def test_several_python_threads_can_train_at_once(model: LinearChainCRF) -> None:
    emissions, mask = torch.randn(9, 60, 6), full(9, 60)
    wanted, found = model.log_partition(emissions, mask), []
    workers = [threading.Thread(target=lambda: found.append(model.log_partition(emissions, mask))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 4
    assert all(torch.equal(one, wanted) for one in found)


@pytest.mark.parametrize("name", ["compiled", "torch"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_compute_in_float32(model: LinearChainCRF, name: str, dtype: torch.dtype) -> None:
    emissions, mask = torch.randn(3, 20, 6).to(dtype), full(3, 20)
    tags = best(model, emissions, mask)
    with engine(name):
        wanted = step(model, emissions.float(), tags, mask)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = step(model, emissions, tags, mask)
    assert found["likelihood"].dtype == torch.float32
    assert found["emissions"].dtype == dtype
    torch.testing.assert_close(found["likelihood"], wanted["likelihood"], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found["transitions"], wanted["transitions"], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found["emissions"].float(), wanted["emissions"], atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("name", ["compiled", "torch"])
def test_minus_infinity_in_emissions_rules_a_tag_out(model: LinearChainCRF, name: str) -> None:
    emissions, mask = torch.randn(1, 6, 6), full(1, 6)
    emissions[0, 3] = -torch.inf
    emissions[0, 3, [3, 4]] = 0.5
    with engine(name):
        marginals = model.marginals(emissions, mask)[0, 3]
        tags = {hypothesis.tags[3] for hypothesis in model.decode(emissions, mask, n=40)[0]}
    assert abs(float(marginals[[3, 4]].sum()) - 1) < 1e-5
    assert tags <= {3, 4}


@pytest.mark.parametrize("name", ["compiled", "torch"])
def test_nan_in_emissions_is_not_hidden(model: LinearChainCRF, name: str) -> None:
    emissions = torch.randn(2, 6, 6)
    emissions[1, 2, 0] = torch.nan
    with engine(name):
        log_z = model.log_partition(emissions, full(2, 6))
    assert log_z.isnan().tolist() == [False, True]


def test_without_a_folder_for_compiled_code_one_warning_and_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("cannot cache function 'measure': no locator available")

    layer._numba_engine.cache_clear()
    monkeypatch.setattr(kernels, "njit", refuse)
    monkeypatch.delitem(sys.modules, "ner_head.head.crf.numba_engine")
    monkeypatch.delattr("ner_head.head.crf.numba_engine")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model, mask = LinearChainCRF(6), full(1, 3)
            torch.testing.assert_close(
                model.log_partition(torch.zeros(1, 3, 6), mask), torch.tensor([5.37]), atol=0.5, rtol=0
            )
            assert len(model.decode(torch.zeros(1, 3, 6), mask, n=2)[0]) == 2
        ours = [str(w.message) for w in caught if "CRF" in str(w.message)]
        assert len(ours) == 1
        assert "set NUMBA_CACHE_DIR to a writable folder" in ours[0]
    finally:
        layer._numba_engine.cache_clear()


def test_memory_of_the_loss_does_not_grow_with_tags_squared(model: LinearChainCRF) -> None:
    def peak(length: int) -> int:
        emissions, mask = torch.randn(4, length, 6, requires_grad=True), full(4, length)
        tags, found = best(model, emissions.detach(), mask), []
        for _ in range(25):  # the least: what other threads allocate meanwhile is traced too
            tracemalloc.start()
            model.log_likelihood(emissions, tags, mask).sum().backward()
            found.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        return min(found)

    small, large = peak(512), peak(2048)
    assert large < 4.5 * small
    assert large < 4 * 2048 * 6 * 6 * 4  # less than one number for each pair of tags


class Launches(TorchDispatchMode):
    """Counts torch operations, and those that wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count, self.waits = 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.count += name not in {"view", "expand", "unsqueeze", "select", "slice", "t", "detach", "squeeze", "alias"}
        self.waits += name in {"_local_scalar_dense", "item", "nonzero"}
        return function(*args, **(kwargs or {}))


def launches(model: LinearChainCRF, length: int) -> Launches:
    emissions, tags = torch.randn(4, length, 6, requires_grad=True), torch.full((4, length), 3)
    tags[:, 0] = 1
    with engine("torch"), Launches() as counted:
        model.log_likelihood(emissions, tags, full(4, length)).sum().backward()
    return counted


def test_the_torch_path_never_waits_for_the_device_between_pieces(model: LinearChainCRF) -> None:
    short, long = launches(model, 50), launches(model, 100)
    assert short.waits == long.waits == 0
    assert (long.count - short.count) / 50 < 25
