"""Parts that the pages share: their head, with a policy that forbids everything else, their assets, and escapes."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files
from string import Template

import regex

_UNSEEN = regex.compile(r"[\p{Cc}\p{Cs}--[\t\n\r]]", regex.VERSION1)


def asset(name: str) -> str:
    """The text of a template, style or script."""
    return (files("ner_head.pages") / "assets" / name).read_text(encoding="utf-8")


def head(title: str, style: str, script: str = "") -> str:
    """The beginning of a page, to the start of its body.

    The content security policy forbids all other scripts and styles, all forms, and everything from elsewhere.

    Args:
        title: title of the page.
        style: the only style.
        script: the only script, which the body has.
    """
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src {_policy_hash(style)}"
    policy += f"; script-src {_policy_hash(script)}" if script else ""
    return Template(asset("head.html")).substitute(title=safe(title), style=style, policy=policy)


def safe(text: str) -> str:
    """Escape markup, and replace characters that HTML cannot hold."""
    return escape(_UNSEEN.sub("\ufffd", text))


def _policy_hash(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
