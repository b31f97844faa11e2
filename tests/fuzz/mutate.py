"""Seeded damage to files: bytes, JSON and YAML values, lines, and files that are no files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from ruamel.yaml import YAML

NUMBERS = (0, -1, 1, 2, 10**30, -(10**30), 2**31, 2**63, 2**64, 10**9, 10**400, 1e308, -0.0, 0.5)
STRINGS = (
    *("", " ", "\0", "\n", "\r\n", "\ufeff", "\u202e\u200b", "\ud800", "\x1b[31m", "../../etc/passwd", "/dev/zero"),
    *("<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "O", "B-", "I-PER", "B-PER", "é" * 5000),
    *("nan", "-1", "1" * 5000, "{{7*7}}", "%s%n", "a/b", "null", "auto", "all", "last-0", "9-1", "1-99999999"),
)
VALUES: tuple[object, ...] = (None, True, False, [], {}, [[]], {"": ""}, float("nan"), float("inf"), *NUMBERS, *STRINGS)
BYTES = (
    *(
        b"\0",
        b"\xff",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\r",
        b"\r\n",
        b"\n\n\n",
        b"\t",
        b" ",
        b"\x1b[2J",
    ),
    *("\u202e".encode(), "\u200b".encode(), "\u2028".encode(), b"\x1c", b"#", b'"', b"{", b"]", b",", b"-1", b"1e999"),
    *(b"[" * 3000, b"a" * 100_000, b"<a>" * 2000, b"&x;", b"<script>", b"99999999999999999999", b"../../", b": "),
)
Change = Callable[[bytes, Random], bytes]


def flip(content: bytes, rng: Random) -> bytes:
    """Change a few bits."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flip_head(content: bytes, rng: Random) -> bytes:
    """Change a byte among the first 200, where headers and sizes are."""
    changed = bytearray(content)
    if changed:
        changed[rng.randrange(min(200, len(changed)))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(changed)


def cut(content: bytes, rng: Random) -> bytes:
    """Keep the first part."""
    return content[: rng.randrange(len(content) + 1)]


def insert(content: bytes, rng: Random) -> bytes:
    """Insert an odd sequence of bytes."""
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice(BYTES) + content[place:]


def repeat(content: bytes, rng: Random) -> bytes:
    """Repeat or remove a piece."""
    start = rng.randrange(len(content) + 1)
    end = min(len(content), start + rng.choice((1, 8, 100, 1000)))
    return content[:start] + content[start:end] * rng.choice((0, 2, 3)) + content[end:]


def fields(content: bytes, rng: Random) -> bytes:
    """Change a field of a line of columns: remove, repeat, exchange or replace it, or the line."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    number = rng.randrange(len(lines))
    separator = b"\t" if b"\t" in lines[number] else b" "
    parts = lines[number].rstrip(b"\r\n").split(separator)
    place = rng.randrange(len(parts))
    match rng.randrange(5):
        case 0:
            del parts[place]
        case 1:
            parts.insert(place, parts[place])
        case 2:
            parts[place] = rng.choice(STRINGS).encode("utf-8", "surrogatepass")
        case 3:
            parts[place] = str(rng.choice(NUMBERS[:-4] + NUMBERS[-3:])).encode()
        case _:
            lines[number] += lines[number]
            return b"".join(lines)
    lines[number] = separator.join(parts) + b"\n"
    return b"".join(lines)


def line_ends(content: bytes, rng: Random) -> bytes:
    """Other line ends, or a byte order mark."""
    match rng.randrange(3):
        case 0:
            return content.replace(b"\n", b"\r\n")
        case 1:
            return content.replace(b"\n", b"\r")
    return b"\xef\xbb\xbf" + content


def utf16(content: bytes, rng: Random) -> bytes:
    """Another encoding, or nothing at all."""
    return rng.choice((b"", content.decode("utf-8", "replace").encode("utf-16")))


def in_json(content: bytes, rng: Random) -> bytes:
    """Change a value somewhere in JSON, or in a line of JSON Lines."""
    try:
        return dumped(changed_tree(json.loads(content), rng), rng)
    except (ValueError, RecursionError):
        lines = content.splitlines(keepends=True)
    if not lines:
        return content
    number = rng.randrange(len(lines))
    try:
        lines[number] = dumped(changed_tree(json.loads(lines[number]), rng), rng) + b"\n"
    except (ValueError, RecursionError):
        return flip(content, rng)
    return b"".join(lines)


def in_yaml(content: bytes, rng: Random) -> bytes:
    """Change a value somewhere in YAML."""
    try:
        tree = YAML(typ="safe", pure=True).load(content)
        stream = io.StringIO()
        YAML(typ="safe", pure=True).dump(changed_tree(tree, rng), stream)
        return stream.getvalue().encode("utf-8", "surrogatepass")
    except Exception:  # the content is already damaged, or YAML has no such value
        return insert(content, rng)


def in_header(content: bytes, rng: Random) -> bytes:
    """Change a value in the JSON header of safetensors, whose length is corrected."""
    size = int.from_bytes(content[:8], "little")
    try:
        header = dumped(changed_tree(json.loads(content[8 : 8 + size]), rng), rng)
    except (ValueError, RecursionError):
        return flip_head(content, rng)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def dumped(tree: object, rng: Random) -> bytes:
    """JSON; sometimes with a key twice, nested far too deep, or with numbers of thousands of digits."""
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.5, default=str)
    match rng.randrange(30):
        case 0:
            text = "[" * 5000 + text + "]" * 5000
        case 1:
            text = text.replace('"', '"a": 1, "', 1)
        case 2:
            text = text.replace(": ", ": " + "9" * 5000 + ", ", 1)
    return text.encode("utf-8", "surrogatepass")


def changed_tree(tree: Any, rng: Random) -> Any:
    """A copy of a tree with one place changed."""
    tree = json.loads(json.dumps(tree, default=str))
    places = list(places_of(tree))
    if not places:
        return rng.choice(VALUES)
    parent, key = rng.choice(places)
    match rng.randrange(8):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[rng.choice(STRINGS)] = parent.pop(key)
        case 1 | 2 if isinstance(parent, list):
            parent.insert(key, parent[key])
        case 3:
            parent[key] = [parent[key]]
        case 4:
            parent[key] = rng.choice(NUMBERS)
        case 5:
            parent[key] = rng.choice(STRINGS)
        case 6:
            other, place = rng.choice(places)
            parent[key] = json.loads(json.dumps(other[place]))
        case _:
            parent[key] = rng.choice(VALUES)
    return tree


def places_of(tree: Any, most: int = 2000) -> list[tuple[Any, Any]]:
    """Containers and keys of all values in a tree."""
    found, todo = list[tuple[Any, Any]](), [tree]
    while todo and len(found) < most:
        node = todo.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        found += [(node, key) for key in keys]
        todo += [node[key] for key in keys]
    return found


ANY: tuple[Change, ...] = (flip, flip_head, cut, insert, repeat, fields, line_ends, utf16)
OWN: dict[str, Change] = {
    ".json": in_json,
    ".jsonl": in_json,
    ".yaml": in_yaml,
    ".safetensors": in_header,
    ".gguf": flip_head,
    ".h5": flip_head,
}
"""Changes that fit the structure of a kind of file, by suffix."""
OWN_SHARE = 0.7
NO_FILE_SHARE = 0.03


def damage(file: Path, rng: Random) -> str:
    """Change a file on disk in one to three ways. Returns a line that says how."""
    if rng.random() < NO_FILE_SHARE:
        return no_file(file, rng)
    content, names = file.read_bytes(), list[str]()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        own = OWN.get(file.suffix)
        change = own if own and rng.random() < OWN_SHARE else rng.choice(ANY)
        content = change(content, rng)
        names.append(change.__name__)
    file.unlink()  # it may be a hard link
    file.write_bytes(content)
    return f"{file.name}: {', '.join(names)}"


def no_file(file: Path, rng: Random) -> str:
    """Put a folder, nothing, or a link in the place of a file."""
    file.unlink()
    match rng.randrange(5):
        case 0:
            file.mkdir()
            return f"{file.name}: a folder"
        case 1:
            file.symlink_to(file.name)
            return f"{file.name}: a link to itself"
        case 2:
            file.symlink_to("/etc/hostname")
            return f"{file.name}: a link to another file"
        case 3:
            file.symlink_to("nowhere")
            return f"{file.name}: a link to nothing"
    return f"{file.name}: absent"
