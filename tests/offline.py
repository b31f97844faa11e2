"""Run Python programs as an installation without network, home directory or permission to write."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

BLOCKED = 99
"""Exit code of a program that wanted to use the network."""
BLOCK = f"""
import os, socket, sys
def refuse(*arguments, **options):
    print("wanted the network:", *arguments, file=sys.stderr, flush=True)
    os._exit({BLOCKED})
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = socket.getaddrinfo = refuse
"""
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2  # linux/prctl.h, linux/capability.h


def obey_permissions() -> None:
    """Make the permissions of files hold for root too, in this process once it starts a program."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError("root cannot drop its capabilities")


def run(
    command: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, without a home directory or any other variable, under the permissions of files."""
    clean = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", **(environment or {})}
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=obey_permissions,
    )


def run_ner_head(*arguments: str | Path, cwd: Path, root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `ner-head` of a source tree, and end it with `BLOCKED` if it wants the network."""
    program = f"{BLOCK}\nfrom ner_head.cli.main import main\nmain()"
    return run(
        [sys.executable, "-c", program, *arguments], cwd=cwd, environment={"PYTHONPATH": str(root), **environment}
    )
