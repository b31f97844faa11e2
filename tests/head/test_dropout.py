from __future__ import annotations

import pytest
import torch

from ner_head.head.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_the_share_of_zeros_is_the_rate_and_the_mean_stays(rate: float) -> None:
    torch.manual_seed(0)
    found = Dropout(rate)(torch.ones(400, 999))
    assert (found == 0).float().mean().item() == pytest.approx(rate, abs=5e-3)
    assert found.mean().item() == pytest.approx(1, abs=2e-2)
    assert found.unique().tolist() == pytest.approx([0, 1 / (1 - rate)], rel=1e-3)


def test_each_of_the_four_units_of_a_random_number_is_dropped_as_often() -> None:
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(100_000, 4)) == 0).float()
    assert dropped.mean(0).tolist() == pytest.approx([0.5] * 4, abs=1e-2)
    together = torch.corrcoef(dropped.T) - torch.eye(4)
    assert together.abs().max() < 0.02


def test_nothing_changes_in_evaluation_or_at_rate_0() -> None:
    values = torch.randn(3, 5)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values


def test_the_seed_decides() -> None:
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return Dropout(0.5)(torch.ones(7, 9))

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_what_is_dropped_gets_no_gradient() -> None:
    torch.manual_seed(0)
    values = torch.ones(5, 7, requires_grad=True)
    found = Dropout(0.4)(values)
    found.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, found.detach())
