"""An extension of griffe, which reads the docstrings for the documentation site."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Sections(griffe.Extension):
    """Put a blank line before `Returns:` and `Raises:`, without which griffe does not see the section."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"\n(Returns|Raises|Yields):", r"\n\n\1:", obj.docstring.value)
