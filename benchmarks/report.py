"""Where benchmarks leave their figures: one JSON file each, with the machine they were taken on."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def processor() -> str:
    """The name of the CPU, if the system gives one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def write_results(name: str, figures: dict[str, Any], packages: tuple[str, ...] = ("torch", "numba")) -> Path:
    """Write `benchmarks/results/NAME.json`: the figures, the machine and the packages' versions."""

    def installed(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    record = {
        "machine": {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "packages": {package: installed(package) for package in packages},
        **figures,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
