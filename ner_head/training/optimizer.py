"""AdamW for a head: torch's fused implementation, and a sparse one for the rows of the word embedding table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ner_head.head.model import Head
from ner_head.head.words import WordFeatures

TABLE = "words.table.weight"  # name of the word embedding table in a head
ENCODER_LAYER = re.compile(r"encoder_layers\.layers\.(\d+)\.")
EPSILON = 1e-8
FORGOTTEN = 1e-12  # decay factor of a moment from which it is neglected
CAPACITY = 4096  # number of steps after which all rows are updated


class RowAdamW:
    """AdamW (Loshchilov & Hutter, 2019) for the rows of a table, when each step has gradients for few rows only.

    AdamW also updates rows without a gradient: by their decaying momentum and by weight decay. Updating all rows at
    each step is slow (4 million numbers, of which a batch uses 1,500 rows of 64). Instead, `catch_up` applies the
    missing updates to the rows of the next batch. The updates between the last step s of a row and step t have a
    closed form. With the moments m and v of step s,

        p_t = A_t / A_s p_s - A_t m / sqrt(v) sum_{i = s+1..t} c_i r^(i - s),   r = beta_1 / sqrt(beta_2),
        c_i = rate_i sqrt(1 - beta_2^i) / (1 - beta_1^i) / A_i,   A_t = prod_{i <= t} (1 - rate_i decay),

    which equals AdamW except for its epsilon. `settle` applies the missing updates to all rows.

    Args:
        table: Table of N rows, (N, E).
        betas: Decay rates of the moments.
        decay: Decoupled weight decay.
    """

    def __init__(self, table: Tensor, *, betas: tuple[float, float], decay: float) -> None:
        self.table, self.betas, self.decay = table, betas, decay
        self.mean, self.square = torch.zeros_like(table), torch.zeros_like(table)
        self.ratio = betas[0] / math.sqrt(betas[1])
        self.window = math.ceil(math.log(FORGOTTEN) / math.log(self.ratio))
        self._restart(0)

    def _restart(self, step: int) -> None:
        """Declare all rows up to date at `step`. Later steps are counted from there."""
        self.first = self.now = step
        self.seen = torch.zeros(len(self.table), dtype=torch.int64)  # last step of each row
        self.kept = torch.ones(CAPACITY + 1, dtype=torch.float64)  # A by step
        self.fading = torch.zeros(CAPACITY + 1, dtype=torch.float64)  # the sum, by last step of a row

    @staticmethod
    def suits(table: Tensor, betas: tuple[float, float]) -> bool:
        """Whether to use this class: the table is on a CPU and the sum converges. A GPU updates all rows quickly."""
        return table.device.type == "cpu" and 0 < betas[0] / math.sqrt(max(betas[1], 1e-9)) < 0.98

    def catch_up(self, rows: Tensor) -> None:
        """Apply the missing updates to rows. `rows` are distinct indices, (n,)."""
        time, seen = self.now - self.first, self.seen[rows]
        idle = (time - seen).unsqueeze(1).double()
        shrunk = (self.kept[time] / self.kept[seen]).unsqueeze(1).float()
        factor = (self.kept[time] * self.fading[seen]).unsqueeze(1).float()
        table, mean, square = self._read(rows)
        table.mul_(shrunk).addcmul_(mean / square.sqrt().add_(EPSILON), factor, value=-1)
        self._write(
            rows, table, mean.mul_((self.betas[0] ** idle).float()), square.mul_((self.betas[1] ** idle).float())
        )

    def _read(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        table, mean, square = (all_.index_select(0, rows) for all_ in (self.table.data, self.mean, self.square))
        return table, mean, square

    def _write(self, rows: Tensor, *parts: Tensor) -> None:
        for all_, part in zip((self.table.data, self.mean, self.square), parts, strict=True):
            all_.index_copy_(0, rows, part)
        self.seen[rows] = self.now - self.first

    def step(self, rows: Tensor, grad: Tensor, rate: float) -> None:
        """Perform one step for rows with a gradient, which must be up to date.

        Args:
            rows: Distinct indices, (n,).
            grad: Gradients, (n, E).
            rate: Learning rate.
        """
        if self.now - self.first == CAPACITY:
            self.settle()
        self.now += 1
        bias = 1 - self.betas[0] ** self.now, 1 - self.betas[1] ** self.now
        table, mean, square = self._read(rows)
        mean.lerp_(grad, 1 - self.betas[0])
        square.mul_(self.betas[1]).addcmul_(grad, grad, value=1 - self.betas[1])
        size = (square / bias[1]).sqrt_().add_(EPSILON)
        table.mul_(1 - rate * self.decay).addcdiv_(mean, size, value=-rate / bias[0])
        self._write(rows, table, mean, square)
        self._remember(rate, math.sqrt(bias[1]) / bias[0])

    def _remember(self, rate: float, correction: float) -> None:
        """Add this step to the sums of the rows that have no gradient in it."""
        time = self.now - self.first
        self.kept[time] = self.kept[time - 1] * (1 - rate * self.decay)
        lags = torch.arange(min(self.window, time), 0, -1, dtype=torch.float64)
        self.fading[time - len(lags) : time] += rate * correction / self.kept[time] * self.ratio**lags

    def settle(self) -> None:
        """Apply the missing updates to all rows."""
        self.catch_up(torch.arange(len(self.table)))
        self._restart(self.now)

    def restore(self, mean: Tensor, square: Tensor, step: int) -> None:
        """Restore the moments of all rows after a step."""
        self.mean.copy_(mean)
        self.square.copy_(square)
        self._restart(step)


class HeadOptimizer:
    """AdamW for all trainable parameters of a head, with gradients clipped by their total norm.

    Args:
        head: Head to train.
        betas: Decay rates of the moments.
        decay: Decoupled weight decay. Biases and layer norms of the encoder's layers have none.
        clip: Maximum norm of the gradient.
        layer_factors: Learning rate of each of the head's encoder layers, as a multiple of that of the other weights.
    """

    def __init__(
        self,
        head: Head,
        *,
        betas: tuple[float, float],
        decay: float,
        clip: float,
        layer_factors: Sequence[float] = (),
    ) -> None:
        self.head, self.clip, self.steps = head, clip, 0
        self.dense = {name: p for name, p in head.named_parameters() if p.requires_grad}
        self.rows: RowAdamW | None = None
        if head.words is not None:
            head.words.table.sparse = RowAdamW.suits(head.words.table.weight, betas)
            if head.words.table.sparse:
                self.rows = RowAdamW(self.dense.pop(TABLE), betas=betas, decay=decay)
        self.fused = {p.device.type for p in self.dense.values()} <= {"cpu", "cuda"}
        self.adam = torch.optim.AdamW(
            _groups(self.dense, layer_factors), betas=betas, weight_decay=decay, eps=EPSILON, fused=self.fused
        )

    def settle(self) -> None:
        """Apply all missing updates, so that the weights are those of AdamW. Required before they are read or saved."""
        if self.rows is not None:
            self.rows.settle()

    def state(self) -> dict[str, Tensor]:
        """The number of steps, and both moments of each parameter by its name. `settle` must have been called."""
        moments: dict[str, Tensor] = {"steps": torch.tensor(self.steps)}
        if self.rows is not None:
            moments |= {f"mean.{TABLE}": self.rows.mean, f"square.{TABLE}": self.rows.square}
        for name, parameter in self.dense.items():
            if state := self.adam.state.get(parameter):
                moments |= {f"mean.{name}": state["exp_avg"], f"square.{name}": state["exp_avg_sq"]}
        return moments

    def restore(self, moments: Mapping[str, Tensor]) -> None:
        """Restore a `state` of an optimizer of the same head."""
        self.steps = int(moments["steps"])
        if self.rows is not None:
            self.rows.restore(moments[f"mean.{TABLE}"], moments[f"square.{TABLE}"], self.steps)
        for name, parameter in self.dense.items():
            if f"mean.{name}" not in moments:
                continue  # the parameter never had a gradient
            mean, square = (moments[f"{kind}.{name}"].to(parameter.device) for kind in ("mean", "square"))
            steps = torch.tensor(float(self.steps), device=parameter.device if self.fused else "cpu")
            self.adam.state[parameter] = {"step": steps, "exp_avg": mean, "exp_avg_sq": square}

    def prepare(self, words: WordFeatures) -> None:
        """Update the rows of a batch. Must be called before the head's forward pass."""
        if self.rows is not None and self.head.words is not None:
            self.rows.catch_up(torch.unique(self.head.words.rows(words.ids)))

    def step(self, rate: float) -> None:
        """Apply the gradients with a learning rate, and clear them."""
        self.steps += 1
        dense = [p.grad for p in self.dense.values() if p.grad is not None]
        grads: Sequence[Tensor] = dense
        if self.rows is not None:
            assert self.rows.table.grad is not None  # the head has read the words of the batch
            table = self.rows.table.grad.coalesce()
            grads = [*dense, table.values()]
        norm = nn.utils.get_total_norm(grads)
        nn.utils.clip_grads_with_norm_(self.dense.values(), self.clip, norm)
        for group in self.adam.param_groups:
            group["lr"] = rate * group["factor"]
        self.adam.step()
        if self.rows is not None:
            values = table.values() * (self.clip / (norm + 1e-6)).clamp(max=1.0)
            self.rows.step(table.indices()[0], values, rate)
            self.rows.table.grad = None
        self.adam.zero_grad()


def _groups(dense: Mapping[str, nn.Parameter], layer_factors: Sequence[float]) -> list[dict[str, Any]]:
    """The parameter groups of AdamW: the head's own weights, then two for each encoder layer, with and without decay.

    Without layers, this is one group of all parameters in their order.
    """
    groups: list[dict[str, Any]] = [{"params": [], "factor": 1.0}]
    for factor in layer_factors:
        groups += [{"params": [], "factor": factor}, {"params": [], "factor": factor, "weight_decay": 0.0}]
    for name, parameter in dense.items():
        number = 0
        if match := ENCODER_LAYER.match(name):
            number = 1 + 2 * int(match[1]) + (parameter.ndim < 2)
        groups[number]["params"].append(parameter)
    return [group for group in groups if group["params"]]
