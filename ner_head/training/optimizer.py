"""AdamW for a head: torch's fused one, and for the table of words' features one that touches a batch's rows only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ner_head.head.model import Head
from ner_head.head.words import WordFeatures

EPSILON = 1e-8
FORGOTTEN = 1e-12  # share of a moment that no longer counts
CAPACITY = 4096  # steps between two moves of all rows


class RowAdamW:
    """AdamW (Loshchilov & Hutter, 2019) over the rows of a table, of which a step sees few.

    A row without gradient still moves, by its fading momentum and by its decay. Instead of moving all rows at each
    step (4 million numbers where a batch has 1,500 rows of 64), `catch_up` moves those that a batch is about to
    read, over all the steps since they were read last: with m and v of step s,

        p_t = A_t / A_s p_s - A_t m / sqrt(v) sum_{i = s+1..t} c_i r^(i - s),   r = beta_1 / sqrt(beta_2),
        c_i = rate_i sqrt(1 - beta_2^i) / (1 - beta_1^i) / A_i,   A_t = prod_{i <= t} (1 - rate_i decay),

    which is what AdamW does there, but for its epsilon. `settle` does so for all rows.
    """

    def __init__(self, table: Tensor, *, betas: tuple[float, float], decay: float) -> None:
        self.table, self.betas, self.decay = table, betas, decay
        self.mean, self.square = torch.zeros_like(table), torch.zeros_like(table)
        self.ratio = betas[0] / math.sqrt(betas[1])
        self.window = math.ceil(math.log(FORGOTTEN) / math.log(self.ratio))
        self._restart(0)

    def _restart(self, step: int) -> None:
        """Every row is as of `step`: nothing before it matters any more. What follows counts steps from there."""
        self.first = self.now = step
        self.seen = torch.zeros(len(self.table), dtype=torch.int64)
        self.kept = torch.ones(CAPACITY + 1, dtype=torch.float64)  # A, by step
        self.fading = torch.zeros(CAPACITY + 1, dtype=torch.float64)  # the sum, by the step a row was seen last

    @staticmethod
    def suits(table: Tensor, betas: tuple[float, float]) -> bool:
        """Whether the sum converges soon, and the table is on a CPU: a GPU moves all of it in no time."""
        return table.device.type == "cpu" and 0 < betas[0] / math.sqrt(max(betas[1], 1e-9)) < 0.98

    def catch_up(self, rows: Tensor) -> None:
        """Bring rows to the present."""
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
        """One step of AdamW for rows that have a gradient, (N, E), and were brought to the present."""
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
        """Add this step to the sums of all who were not seen in it."""
        time = self.now - self.first
        self.kept[time] = self.kept[time - 1] * (1 - rate * self.decay)
        lags = torch.arange(min(self.window, time), 0, -1, dtype=torch.float64)
        self.fading[time - len(lags) : time] += rate * correction / self.kept[time] * self.ratio**lags

    def settle(self) -> None:
        """Bring all rows to the present."""
        self.catch_up(torch.arange(len(self.table)))
        self._restart(self.now)

    def restore(self, mean: Tensor, square: Tensor, step: int) -> None:
        """Go on from the moments of all rows after a step."""
        self.mean.copy_(mean)
        self.square.copy_(square)
        self._restart(step)


class HeadOptimizer:
    """AdamW with decoupled decay and clipping by the norm of all gradients, for all that a head learns."""

    def __init__(self, head: Head, *, betas: tuple[float, float], decay: float, clip: float) -> None:
        self.head, self.clip, self.rows = head, clip, None
        parameters = [p for p in head.parameters() if p.requires_grad]
        if head.words is not None:
            table = head.words.table.weight
            head.words.table.sparse = RowAdamW.suits(table, betas)
            if head.words.table.sparse:
                self.rows = RowAdamW(table, betas=betas, decay=decay)
                parameters = [p for p in parameters if p is not table]
        self.parameters, self.steps = parameters, 0
        self.fused = {p.device.type for p in parameters} <= {"cpu", "cuda"}
        self.adam = torch.optim.AdamW(parameters, betas=betas, weight_decay=decay, eps=EPSILON, fused=self.fused)

    def settle(self) -> None:
        """Bring every weight to the present: what is read or saved next is what AdamW would have made of it."""
        if self.rows is not None:
            self.rows.settle()

    def state(self) -> dict[str, Tensor]:
        """Number of steps, and both moments of every weight by its name; of a settled optimizer."""
        moments: dict[str, Tensor] = {"steps": torch.tensor(self.steps)}
        for name, parameter in self.head.named_parameters():
            if self.rows is not None and parameter is self.rows.table:
                moments |= {f"mean.{name}": self.rows.mean, f"square.{name}": self.rows.square}
            elif state := self.adam.state.get(parameter):
                moments |= {f"mean.{name}": state["exp_avg"], f"square.{name}": state["exp_avg_sq"]}
        return moments

    def restore(self, moments: Mapping[str, Tensor]) -> None:
        """Go on from a `state` of the same head."""
        self.steps = int(moments["steps"])
        for name, parameter in self.head.named_parameters():
            if f"mean.{name}" not in moments:
                continue  # it never had a gradient
            mean, square = (moments[f"{kind}.{name}"].to(parameter.device) for kind in ("mean", "square"))
            if self.rows is not None and parameter is self.rows.table:
                self.rows.restore(mean, square, self.steps)
            else:
                steps = torch.tensor(float(self.steps), device=parameter.device if self.fused else "cpu")
                self.adam.state[parameter] = {"step": steps, "exp_avg": mean, "exp_avg_sq": square}

    def prepare(self, words: WordFeatures) -> None:
        """Before the head reads a batch."""
        if self.rows is not None and self.head.words is not None:
            self.rows.catch_up(torch.unique(self.head.words.rows(words.ids)))

    def step(self, rate: float) -> None:
        """Apply the gradients, and clear them."""
        self.steps += 1
        dense = [p.grad for p in self.parameters if p.grad is not None]
        grads: Sequence[Tensor] = dense
        if self.rows is not None:
            assert self.rows.table.grad is not None  # the head read the batch's words
            table = self.rows.table.grad.coalesce()
            grads = [*dense, table.values()]
        norm = nn.utils.get_total_norm(grads)
        nn.utils.clip_grads_with_norm_(self.parameters, self.clip, norm)
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        if self.rows is not None:
            values = table.values() * (self.clip / (norm + 1e-6)).clamp(max=1.0)
            self.rows.step(table.indices()[0], values, rate)
            self.rows.table.grad = None
        self.adam.zero_grad()
