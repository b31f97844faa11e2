from __future__ import annotations

import pytest
import torch

from ner_head.head.model import Head, build_head
from ner_head.head.params import HeadParams, LstmParams, WordParams
from ner_head.head.words import WordFeatures
from ner_head.training import optimizer as module
from ner_head.training.optimizer import HeadOptimizer, RowAdamW

BETAS = (0.9, 0.98)


def rates(n: int) -> list[float]:
    return [0.01 * min((i + 1) / 5, (n - i) / n) for i in range(n)]


@pytest.mark.parametrize("capacity", [7, 4096])
@pytest.mark.parametrize("betas", [BETAS, (0.8, 0.9)])
def test_rows_move_as_adamw_moves_them(
    monkeypatch: pytest.MonkeyPatch, betas: tuple[float, float], capacity: int
) -> None:
    """Rows with a gradient now and then, often, and never, against torch's AdamW over the whole table."""
    monkeypatch.setattr(module, "CAPACITY", capacity)
    torch.manual_seed(0)
    start = torch.randn(40, 3)
    plain, sparse = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    adam = torch.optim.AdamW([plain], betas=betas, weight_decay=0.5)
    rows = RowAdamW(sparse, betas=betas, decay=0.5)
    for rate in rates(60):
        chosen = torch.unique(torch.randint(0, 30, (4,)) ** 2 // 29)  # low rows often, 30 to 39 never
        plain.grad = torch.zeros_like(plain)
        grad = torch.randn(len(chosen), 3)
        plain.grad[chosen] = grad
        rows.catch_up(torch.tensor([*range(5, 9), *chosen.tolist()]).unique())
        torch.testing.assert_close(sparse[chosen], plain[chosen], rtol=1e-4, atol=1e-5)
        adam.param_groups[0]["lr"] = rate
        adam.step()
        rows.step(chosen, grad, rate)
    rows.settle()
    torch.testing.assert_close(sparse, plain, rtol=1e-4, atol=1e-5)
    assert not torch.equal(plain[35], start[35])  # decay alone
    state = adam.state[plain]
    torch.testing.assert_close(rows.mean, state["exp_avg"], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(rows.square, state["exp_avg_sq"], rtol=1e-4, atol=1e-6)


def test_momentum_that_never_fades_goes_to_torchs_own() -> None:
    table = torch.zeros(2, 2)
    assert RowAdamW.suits(table, BETAS)
    assert RowAdamW.suits(table, (0.8, 0.9))
    assert not RowAdamW.suits(table, (0.9, 0.8))
    assert not RowAdamW.suits(table, (0.0, 0.9))
    assert not RowAdamW.suits(table.to("meta"), BETAS)


def head_with_words(buckets: int = 50) -> Head:
    torch.manual_seed(0)
    params = HeadParams(words=WordParams(width=6, buckets=buckets), lstm=LstmParams(hidden=4), projection=8)
    return build_head(params, n_layers=2, width=4, tag_set=params.tag_set(["LOC"]), languages=["cs", "pl"])


def loss_of(head: Head, words: WordFeatures) -> torch.Tensor:
    assert head.words is not None
    return (head.words(words) * 3).tanh().sum() + (head.projection.weight**2).sum()


def batches(n: int) -> list[WordFeatures]:
    generator = torch.Generator().manual_seed(1)
    ids = [torch.randint(0, 5000, (2, 3, 4), generator=generator) for _ in range(n)]
    return [WordFeatures(some, torch.arange(-1, 3).expand(2, 4)) for some in ids]


@pytest.mark.parametrize("clip", [0.1, 100.0])
def test_a_head_moves_as_torchs_adamw_and_clipping_move_it(clip: float) -> None:
    plain, ours = head_with_words().eval(), head_with_words().eval()
    adam = torch.optim.AdamW(plain.parameters(), betas=BETAS, weight_decay=0.1)
    optimizer = HeadOptimizer(ours, betas=BETAS, decay=0.1, clip=clip)
    assert optimizer.rows is not None
    for words, rate in zip(batches(30), rates(30), strict=True):
        adam.zero_grad()
        loss_of(plain, words).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), clip)
        adam.param_groups[0]["lr"] = rate
        adam.step()
        optimizer.prepare(words)
        loss_of(ours, words).backward()
        optimizer.step(rate)
    optimizer.settle()
    for (name, wanted), found in zip(plain.named_parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5, msg=name)


def test_a_restored_optimizer_goes_on_to_the_same_bits() -> None:
    whole, first = head_with_words().eval(), head_with_words().eval()

    def train(head: Head, optimizer: HeadOptimizer, start: int, end: int) -> None:
        for words in batches(20)[start:end]:
            optimizer.prepare(words)
            loss_of(head, words).backward()
            optimizer.step(0.01)
        optimizer.settle()

    def new(head: Head) -> HeadOptimizer:
        return HeadOptimizer(head, betas=BETAS, decay=0.1, clip=1.0)

    optimizer = new(whole)
    train(whole, optimizer, 0, 10)
    train(whole, optimizer, 10, 20)
    before = new(first)
    train(first, before, 0, 10)
    second = head_with_words(50).eval()
    second.load_state_dict(first.state_dict())
    after = new(second)
    after.restore({name: tensor.clone() for name, tensor in before.state().items()})
    train(second, after, 10, 20)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))
