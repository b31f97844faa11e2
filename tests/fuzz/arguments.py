"""Command lines with values of all kinds."""

from __future__ import annotations

from random import Random

import typer

from ner_head.cli.main import app
from tests.fuzz.mutate import NUMBERS, STRINGS

LEFT_OUT = {"serve", "fetch", "curve", "folds", "export"}
"""They listen, download, or work for long on sound input."""
COMMON = (
    "jsonl",
    "conll",
    "text",
    "PER",
    "LOC=0.5",
    "cs",
    "0.5",
    "1",
    "0",
    "cpu",
    "entropy",
    "bsnlp2019",
    "hewitt",
    "out",
)


def known_commands() -> dict[str, typer.core.TyperCommand]:
    """All commands and their definitions, by their words."""
    found, todo = {}, [("", typer.main.get_command(app))]
    while todo:
        name, command = todo.pop()
        inner = getattr(command, "commands", {})
        todo += [(f"{name} {word}".strip(), each) for word, each in inner.items() if word not in LEFT_OUT]
        if not inner:
            found[name] = command
    return found


COMMANDS = known_commands()


def odd_arguments(rng: Random, places: list[str]) -> list[str]:
    """A command with some of its options, and values of which some fit."""
    name = rng.choice(list(COMMANDS))
    words = name.split()
    for parameter in COMMANDS[name].params:
        option = parameter.opts[0]
        if not option.startswith("-"):
            words += [value(rng, places) for _ in range(rng.choice((0, 1, 1, 1, 2)))]
        elif option not in ("--help", "--scheduler", "--workers") and rng.random() < 0.25:
            words.append(rng.choice([*parameter.opts, *parameter.secondary_opts]))
            if not getattr(parameter, "is_flag", False):
                words.append(value(rng, places))
    if "-" in words:  # standard input is empty
        words.remove("-")
    return words


def value(rng: Random, places: list[str]) -> str:
    """A value: a file of the project, a number, or an odd string."""
    match rng.randrange(4):
        case 0 | 1:
            return rng.choice(places)
        case 2:
            return str(rng.choice((*COMMON, *NUMBERS[:10])))
    found = rng.choice(STRINGS)
    if found == "/dev/zero":  # `predict` reads it for ever, as it was told to
        return "/dev/null"
    return found.translate({0: "0", 0xD800: "\udcff"})
