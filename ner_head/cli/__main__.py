"""`python -m ner_head.cli` runs the same command as `ner-head`."""

from __future__ import annotations

from ner_head.cli.main import main

main()
