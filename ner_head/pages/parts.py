"""Parts that the pages share: their assets, and the policy that forbids everything else."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files


def asset(name: str) -> str:
    """The text of a template, style or script."""
    return (files("ner_head.pages") / "assets" / name).read_text(encoding="utf-8")


def policy_hash(code: str) -> str:
    """The hash of a script or style in a content security policy, which forbids all other scripts and styles."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
