"""How the threads of OpenMP wait for each other."""

from __future__ import annotations

import os


def wait_passively() -> None:
    """Make OpenMP's threads sleep while they wait, unless the environment sets `OMP_WAIT_POLICY`.

    By default they spin. Beside another busy process, one thread of a matrix product then uses up its time slice
    waiting for another thread that has no core, thousands of times a second, and an epoch takes ten times as long or
    more. OpenMP reads the variable once, when torch is imported: call this at the start of a program, before that.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
