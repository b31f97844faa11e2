"""The wheel has copies of the stages and of the pipeline's files, for projects outside of the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PLOTS = ".dvc/plots"  # templates


class BuildWithPipeline(build_py):
    """Copies `stages` to `ner_head.stages`, and the files of the pipeline to `ner_head/project`."""

    def run(self) -> None:
        """Build the packages, then add the copies, but for an editable installation."""
        if self.editable_mode:  # `stages` is found from any folder then, as `python -m stages.NAME`
            super().run()
            return
        self.packages = [name for name in self.packages if name != "stages"]
        super().run()
        package = Path(self.build_lib, "ner_head")
        shutil.copytree(
            ROOT / "stages", package / "stages", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )
        (package / "project").mkdir(exist_ok=True)
        for name in ("params.yaml", "dvc.yaml"):
            shutil.copyfile(ROOT / name, package / "project" / name)
        shutil.copytree(ROOT / PLOTS, package / "project" / PLOTS, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithPipeline})
