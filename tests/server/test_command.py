"""The command `serve`: options, errors before the start, the token, the model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import ROOT
from tests.server.served import ENVIRONMENT, SECONDS, post

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def command(*arguments: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ner_head.cli.main", "serve", *arguments],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_serves_the_model_with_a_token_and_tells_where(model: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    options = ["--model", str(model), "--port", "0", "--threads", "1", "--token-file", str(secret), "--max-texts", "3"]
    with command(*options, cwd=tmp_path, NER_HEAD_TOKEN="other") as process:
        try:
            assert process.stderr is not None
            ready = process.stderr.readline()
            assert ready.startswith(f"ner-head: serving {model} on http://127.0.0.1:")
            url = ready.split(" on ")[1].split()[0]
            assert post(url, "Jan").status_code == 401
            answer = post(url, "Jana Nováková přijela do Prahy.", headers={"Authorization": "Bearer s3cret"})
            assert [s["text"] for s in answer.json()["documents"][0]["spans"]] == ["Jana Nováková", "Prahy"]
            info = httpx.get(f"{url}/info", headers={"Authorization": "Bearer s3cret"}).json()
            assert info["limits"]["texts"] == 3
            port = str(urlsplit(url).port)
            with command("--model", str(model), "--port", port, cwd=tmp_path) as second:
                assert second.communicate(timeout=SECONDS)[1] == (
                    f"ner-head: port {port} of 127.0.0.1 is in use by another program; take another one (--port)\n"
                )
                assert second.returncode == 4
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 0
            assert process.stderr.read() == "ner-head: stopped\n"
            assert process.stdout is not None
            assert process.stdout.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        (["--model", "absent"], {}, 3, "absent/manifest.json: No such file or directory; train one with `dvc repro`"),
        (["--host", "256.0.0.1"], {}, 2, "--host 256.0.0.1: "),
        (["--host", "192.0.2.1"], {}, 2, "192.0.2.1, port 8000: Cannot assign requested address; take another"),
        (["--token-file", "absent"], {}, 3, "absent: No such file or directory; it must hold the token"),
        (["--token-file", "empty"], {}, 2, "empty: a token is at least one character of ASCII, without spaces"),
        ([], {"NER_HEAD_TOKEN": "a b"}, 2, "NER_HEAD_TOKEN: a token is at least one character of ASCII"),
        (["--max-texts", "0"], {}, 2, "serve.texts: Input should be greater than or equal to 1"),
        (["--device", "tpu"], {}, 2, "runtime.device"),
    ],
)
def test_wrong_arguments_are_refused_before_torch_is_imported(
    arguments: list[str], environment: dict[str, str], code: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/torch.py").write_text("raise AssertionError('torch was imported')\n")
    (tmp_path / "models/head").mkdir(parents=True)
    (tmp_path / "models/head/manifest.json").write_text("{}")
    (tmp_path / "empty").write_text("\n")
    path = os.pathsep.join([str(tmp_path / "modules"), str(ROOT)])
    with command(*arguments, cwd=tmp_path, **environment, PYTHONPATH=path) as process:
        output, shown = process.communicate(timeout=SECONDS)
    assert shown.startswith(f"ner-head: {message}")
    assert (process.returncode, output, len(shown.splitlines())) == (code, "", 1)


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['fastapi'] = None\n"  # find_spec then says that it is absent
    code = f"{hide}from ner_head.cli import main; sys.argv = ['ner-head', 'serve']; main.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "ner-head: fastapi is not installed; install it with: pip install 'ner-head[serve]'\n"
