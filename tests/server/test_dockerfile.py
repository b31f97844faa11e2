"""The Dockerfile: what it refers to exists. No image is built here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib

import typer

from ner_head.cli.main import app
from tests.conftest import ROOT
from tests.server.served import ENVIRONMENT, serving

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
LINES = [line.split(maxsplit=1) for line in TEXT.splitlines() if line and not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def values(instruction: str) -> list[str]:
    return [value for name, value in LINES if name == instruction]


def test_the_image_has_a_python_that_the_package_accepts() -> None:
    (image,) = values("FROM")
    version = tuple(map(int, re.findall(r"\d+", image.partition(":")[2])))
    assert version >= tuple(map(int, re.findall(r"\d+", PROJECT["requires-python"])))


def test_only_the_wheel_is_copied_and_installed_with_an_extra_that_exists() -> None:
    assert [value.split()[0] for value in values("COPY") + values("ADD")] == ["dist/*.whl"]
    sent = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert sent == ["*", "!dist/*.whl"]
    (extra,) = re.findall(r"\$1\[(\w+)\]", TEXT)
    assert extra in PROJECT["optional-dependencies"]


def test_the_server_does_not_run_as_root() -> None:
    order = [(name, value) for name, value in LINES]
    (user,) = values("USER")
    assert any(name == "RUN" and "useradd" in value and user in value for name, value in order)
    assert [name for name, _ in order[order.index(("USER", user)) :] if name in ("RUN", "COPY", "ADD")] == []
    assert "--uid 0" not in TEXT


def test_the_command_is_one_that_ner_head_accepts_on_the_port_that_is_exposed() -> None:
    (entry,), (exposed,) = values("ENTRYPOINT"), values("EXPOSE")
    assert values("CMD") == []  # without arguments, the model inside of the wheel
    (mounted,) = re.findall(r"docker run .* ner-head (--model .*)", TEXT)
    program, command, *options = json.loads(entry)
    assert program in PROJECT["scripts"]
    found = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    for arguments, model in (([], None), (mounted.split(), "/model")):
        given = found.make_context(command, [*options, *arguments]).params
        assert (given["host"], str(given["port"]), given["model"]) == ("0.0.0.0", exposed, model)


def test_the_health_check_tells_a_server_that_works_from_one_that_does_not() -> None:
    (check,) = values("HEALTHCHECK")
    options, _, command = check.partition("CMD ")
    assert all(option.startswith("--") for option in shlex.split(options))
    python, flag, code = json.loads(command)
    assert (python, flag) == ("python", "-c")
    (port,) = values("EXPOSE")
    with serving() as (_, url):
        for where, status in ((url, 0), ("http://127.0.0.1:9", 1)):
            there = code.replace(f"http://127.0.0.1:{port}", where)
            assert there != code
            done = subprocess.run([sys.executable, "-c", there], env=ENVIRONMENT, capture_output=True, check=False)
            assert done.returncode == status
