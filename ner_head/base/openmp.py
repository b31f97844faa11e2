"""How the threads of a matrix product wait for each other. Entry points call this before anything imports torch."""

from __future__ import annotations

import os


def wait_asleep() -> None:
    """Have OpenMP's threads sleep while they wait, unless the environment says otherwise.

    By default they spin. Beside another busy process one thread of a product then burns its time waiting for one that
    has no core, thousands of times a second: an epoch takes ten times as long and more. OpenMP reads the policy once,
    when torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
