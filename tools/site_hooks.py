"""Hooks of MkDocs: pages of the reference that are written from the code when the site is built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import griffe
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from typer.cli import get_docs_for_click

from ner_head.base.params import SECTIONS
from ner_head.cli.main import app


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for name, content in (("commands", commands()), ("params", params())):
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files


def commands() -> str:
    """The page of all commands, from the same definitions as `--help`."""
    group = typer.main.get_command(app)
    text = get_docs_for_click(obj=group, ctx=typer.Context(group, info_name="ner-head"), name="ner-head")
    text = re.sub(
        r"^Example:\n((?:  .+\n?)+)",
        lambda found: f"**Example**:\n\n```sh\n{outdented(found[1])}```\n",
        text,
        flags=re.M,
    )
    return text.replace("# `ner-head`", "# Commands", 1)


def outdented(lines: str) -> str:
    """Indented lines without their indent, each with its end."""
    return "".join(f"{line.strip()}\n" for line in lines.splitlines())


def params() -> str:
    """The page of `params.yaml`: its values and comments, with the classes that check them."""
    parts = [
        "# Params\n\nAll keys of `params.yaml`. The value is the one in the repository's file, or the default where "
        "the file has none. An unknown key or a value of another type is an error (exit code 2). Edit the file, or "
        "change a value for one run: `dvc exp run -S head.lstm.hidden=256`.\n"
    ]
    comments, text = {}, Path("params.yaml").read_text(encoding="utf-8")
    path: list[str] = []
    for indent, key, comment in re.findall(r"^( *)(?:# )?(\w+):[^#\n]*(?:# *(.*))?$", text, flags=re.M):
        path = [*path[: len(indent) // 2], key]
        comments[".".join(path)] = comment
    set_here = YAML(typ="safe").load(text)
    for section, (module, name) in SECTIONS.items():
        table = rows(section, getattr(import_module(module), name), set_here.get(section), comments)
        parts.append(f"\n## {section}\n\n| param | values | value | |\n|---|---|---|---|\n{table}")
    return "".join(parts)


def rows(prefix: str, model: type[BaseModel], given: Any, comments: dict[str, str]) -> str:
    """One row for each param of a class; a param that is a class has rows of its own.

    Args:
        prefix: path of the class in the file.
        model: the class.
        given: what the file has there, if anything.
        comments: the file's comments by path.
    """
    found = ""
    for name, field in model.model_fields.items():
        value = given.get(name) if isinstance(given, dict) else None
        path = f"{prefix}.{name}"
        inner = next((part for part in parts_of(field.annotation) if is_model(part)), None)
        if inner is not None:
            found += rows(path, inner, value, comments)
            continue
        text = " ".join((docstring(model, name) or comments.get(path) or comments.get(prefix, "")).split())
        shown = default(field) if value is None else f"`{value}`"
        short = path.partition(".")[2]
        found += f"| `{short}` | {escaped(values(field))} | {escaped(shown)} | {escaped(text)} |\n"
    return found


def parts_of(annotation: Any) -> Iterator[Any]:
    """A type and the types inside of it."""
    yield annotation
    for part in get_args(annotation):
        yield from parts_of(part)


def is_model(part: Any) -> bool:
    """Whether a type is a class of params."""
    return isinstance(part, type) and issubclass(part, BaseModel)


def values(field: FieldInfo) -> str:
    """The type and the limits of a param."""
    choices = [str(part) for part in get_args(field.annotation) if isinstance(part, str)]
    shown = (
        ", ".join(f"`{choice}`" for choice in choices) or f"`{getattr(field.annotation, '__name__', field.annotation)}`"
    )
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [
        f"{sign} {getattr(item, key)}" for item in field.metadata for key, sign in signs.items() if hasattr(item, key)
    ]
    return ", ".join([shown, *limits])


def default(field: FieldInfo) -> str:
    """The default of a param."""
    return "required" if field.is_required() else f"`{field.get_default(call_default_factory=True)!r}`"


def docstring(model: type[BaseModel], name: str) -> str:
    """The docstring below a field, in the class or in one that it inherits from."""
    for cls in model.__mro__:
        if name in vars(cls).get("__annotations__", {}):
            found = source_of(cls.__module__)[cls.__qualname__][name].docstring
            return found.value if found else ""
    return ""


@cache
def source_of(module: str) -> griffe.Module:
    """A module, read but not run: pydantic does not keep the docstrings of fields."""
    path = import_module(module).__file__
    assert path is not None
    return griffe.visit(module, Path(path), Path(path).read_text(encoding="utf-8"))


def escaped(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|")
