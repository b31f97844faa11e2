"""A simulation of Apple's MPS: tensors that lie in the host's memory and keep the rules of that device.

The rules: there is no float64, and an operation takes tensors of one device only (numbers and indices apart).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten
DEVICE = torch.device("mps:0")
ACROSS = {aten._to_copy, aten.copy_, aten.index, aten.index_put_, aten.index_put, aten._pack_padded_sequence}
"""Operations that take tensors of two devices."""
ON_THE_HOST = {aten._scaled_dot_product_attention_math_for_mps: aten._scaled_dot_product_attention_math}
"""Operations of MPS only, and what the CPU has instead."""


class MpsTensor(torch.Tensor):
    """A tensor that says it is on MPS; `host` has its numbers. Torch itself takes it for one of the device `meta`."""

    host: torch.Tensor

    @staticmethod
    def __new__(cls, host: torch.Tensor) -> MpsTensor:
        if host.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")
        return torch.Tensor._make_wrapper_subclass(
            cls,
            host.size(),
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            device="meta",
        )

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return DEVICE

    def __init__(self, host: torch.Tensor) -> None:
        self.host = host

    def __repr__(self) -> str:
        return f"MpsTensor({self.host})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return call(func, args, kwargs or {})


class Mps(TorchDispatchMode):
    """Sends the factories of tensors to the simulation too."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return call(func, args, kwargs or {})


def call(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation on the host, and put its results on the device where they would be."""
    given = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor)]
    wrappers = {id(each.host): each for each in given if isinstance(each, MpsTensor)}
    device = kwargs.get("device")
    there = torch.device(device).type != "cpu" if device is not None else bool(wrappers)
    packet = func.overloadpacket
    strangers = [each for each in given if not isinstance(each, MpsTensor) and each.dim()]
    if wrappers and strangers and packet not in ACROSS:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, found cpu and mps")
    if device is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    host_args, host_kwargs = tree_map(lambda each: each.host if isinstance(each, MpsTensor) else each, (args, kwargs))
    if packet in ON_THE_HOST:
        func = ON_THE_HOST[packet].default
    result = func(*host_args, **host_kwargs)
    if torch.Tag.inplace_view in func.tags:
        with no_dispatch():
            func(*args, **kwargs)  # the shape that torch knows
    if packet is aten.copy_ or torch.Tag.inplace_view in func.tags:
        return args[0]

    def wrapped(each: Any) -> Any:
        if not isinstance(each, torch.Tensor) or isinstance(each, MpsTensor) or not there:
            return each
        return wrappers[id(each)] if id(each) in wrappers else MpsTensor(each)

    return tree_map(wrapped, result)


@contextmanager
def simulated_mps() -> Iterator[torch.device]:
    """The device; tensors that are moved to it keep its rules, in pools of threads too."""
    real = ThreadPoolExecutor.submit

    def submit(pool: ThreadPoolExecutor, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        def run() -> Any:
            with Mps():  # a mode holds for one thread
                return work(*args, **kwargs)

        return real(pool, run)

    with (
        Mps(),
        patch.object(ThreadPoolExecutor, "submit", submit),
        patch.multiple(torch.inference_mode, __enter__=torch.no_grad.__enter__, __exit__=torch.no_grad.__exit__),
    ):  # torch's inference mode does not know subclasses of tensors
        yield DEVICE
