"""The pages for people: a playground, and what there is to know about the model. Each is one file that fetches nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .access import is_public
from .door import Door
from .settings import Serve

if TYPE_CHECKING:
    from .service import Served

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Page:
    """A page and the headers that keep it to itself."""

    html: str
    headers: dict[str, str]


def playground_page(served: Served, door: Door, settings: Serve, explains: bool) -> Page:
    """Return the page on which to try the model."""
    public = is_public(settings.host)
    told = {"key": door.key, "classes": served.classes, "form": list(door.form), "explains": explains}
    told["kind"] = door.answers.kind if door.answers else ""
    return _page(
        "playground.html", served, told, ("/about", "About this model", "关于此模型"), "" if public else "hidden"
    )


def about_page(served: Served) -> Page:
    """Return the page with the card of the model, its limits, and a place for comments and appeals."""
    return _page("about.html", served, {}, ("/", "Try it", "试用"), "")


def _page(name: str, served: Served, data: dict[str, Any], other: tuple[str, str, str], key_hidden: str) -> Page:
    stated = served.recipe.get("release") or {}
    texts = {
        "name": served.name,
        "purpose": stated.get("purpose", ""),
        "limits": stated.get("limits") or "No limits were stated in the recipe.",
        "owner": stated.get("owner") or "–",
        "digest": served.digest[:16],
        "signer": served.signer,
        "other": other[0],
        "other_en": other[1],
        "other_zh": other[2],
    }
    values = {key: html.escape(str(text)) for key, text in texts.items()}
    values |= {"style": _file("page.css"), "key_hidden": key_hidden, "card": card_html(served.card)}
    # In one pass: what one value holds must not be taken for the name of another.
    body = re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _file("head.html") + _file(name))
    told = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")
    script = _file("page.js")
    page = f'{body}<script type="application/json" id="release">{told}</script>\n<script>{script}</script>\n</body>\n</html>\n'
    policy = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": "'unsafe-inline'",
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "content-type": "text/html; charset=utf-8",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    return Page(page, headers)


@cache
def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def card_html(card: str) -> str:
    """Return a model card as HTML: headings, tables, paragraphs; everything in it escaped."""
    found: list[str] = []
    table: list[str] = []
    for line in [*FRONT_MATTER.sub("", card).splitlines(), ""]:
        if line.startswith("|"):
            cells = [_inline(cell.strip()) for cell in line.strip("|").split("|")]
            if set(line) - set("|-: "):
                table.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
            continue
        if table:
            found.append(f'<div class="scroll"><table>{"".join(table)}</table></div>')
            table = []
        heading = re.match(r"(#{1,4}) (.*)", line)
        if heading:
            found.append(f"<h2>{_inline(heading[2])}</h2>")
        elif line.strip():
            found.append(f"<p>{_inline(line)}</p>")
    return "\n".join(found)


def _inline(text: str) -> str:
    return CODE.sub(r"<code>\1</code>", html.escape(text))
