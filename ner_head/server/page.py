"""The page `/docs`: the OpenAPI description as HTML, without scripts and without other sites."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 55rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h2 { margin: 2rem 0 .3rem; font-size: 1.1rem; } code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: #f4f4f4; padding: .8rem; overflow: auto; } td, th { text-align: left; padding: .1rem 1rem .1rem 0; }
.method { background: #245; color: #fff; padding: .1rem .4rem; border-radius: .2rem; }
"""


def page(openapi: dict[str, Any]) -> str:
    """The HTML page of an OpenAPI description."""
    info = openapi["info"]
    title = f"{info['title']} {info['version']}"
    body = "\n".join(line for path, methods in openapi["paths"].items() for line in _operations(path, methods, openapi))
    example = "curl -H 'Content-Type: application/json' -d '{\"text\": \"Jana Nová bydlí v Brně.\"}' URL/predict"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n<p>{escape(info.get('summary', ''))} "
        f'The description for programs: <a href="openapi.json"><code>openapi.json</code></a>.</p>\n'
        f"<pre>{escape(example)}</pre>\n{body}\n</body></html>\n"
    )


def _operations(path: str, methods: dict[str, Any], openapi: dict[str, Any]) -> Iterator[str]:
    """The operations of a path: summary, fields of the request, fields of the answer."""
    for method, operation in methods.items():
        yield f'<h2><span class="method">{escape(method.upper())}</span> <code>{escape(path)}</code></h2>'
        yield f"<p>{escape(operation.get('summary', ''))}</p>"
        request = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
        for heading, schema in (("Request", request), ("Answer", answer)):
            if rows := list(_fields(schema, openapi)):
                yield f"<p><b>{heading}</b></p><table>{''.join(rows)}</table>"


def _fields(schema: dict[str, Any], openapi: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """Rows of a table: the fields of a schema, and of the schemas inside."""
    for name, field in _resolve(schema, openapi).get("properties", {}).items():
        inner = _resolve(field, openapi)
        kind = " or ".join(_resolve(each, openapi).get("type", "object") for each in inner.get("anyOf", [inner]))
        default = f", default <code>{escape(json.dumps(field['default']))}</code>" if "default" in field else ""
        note = escape(field.get("description", ""))
        indent = "&emsp;" * depth
        yield f"<tr><td>{indent}<code>{escape(name)}</code></td><td>{escape(kind)}{default}</td><td>{note}</td></tr>"
        for each in inner.get("anyOf", [inner]):
            yield from _fields(_resolve(each, openapi).get("items", each), openapi, depth + 1)


def _resolve(schema: dict[str, Any], openapi: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference names."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = openapi["components"]["schemas"][name] if name else schema
    return found
