"""Macros of the pages: what holds a number is read from ``docs/_gen``, never typed.

``{{ r("key") }}`` is one fact, ``{{ table("name") }}`` a table, ``{{ figure("name") }}`` a figure,
``{{ download("name") }}`` a link to a table's CSV file, and ``{{ download("name.json") }}`` to a
file that is published beside those. An unknown key fails the build.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from html import escape
from pathlib import Path
from typing import Any

UP = "{up}"
"""In a fragment: the way from the page that shows it up to the site's root."""


class UnknownFact(KeyError):
    """A page asks for something that was not generated."""

    def __str__(self) -> str:
        return str(self.args[0])


def unknown(kind: str, asked: str, known: list[str]) -> UnknownFact:
    """An error that names what was asked and what comes close."""
    near = get_close_matches(asked, known, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return UnknownFact(f"no generated {kind} is called {asked!r}{hint}")


def load(folder: Path) -> dict[str, Any]:
    """The generated facts. FileNotFoundError, with the command to run, if there are none."""
    path = folder / "facts.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; run `python -m benchmarks.site` first")
    return json.loads(path.read_text(encoding="utf-8"))


def fact(facts: dict[str, Any], key: str) -> str:
    """One fact as text, in which no line ends between a number and its %."""
    if key not in facts["facts"]:
        raise unknown("fact", key, sorted(facts["facts"]))
    return facts["facts"][key].replace(" %", "\N{NO-BREAK SPACE}%")


def table_text(folder: Path, name: str, up: str) -> str:
    """One generated table, HTML with Markdown headings between several, its links from ``up``."""
    path = folder / "tables" / f"{name}.md"
    if not path.exists():
        raise unknown("table", name, sorted(p.stem for p in path.parent.glob("*.md")))
    return path.read_text(encoding="utf-8").replace(UP, up)


def figure_html(facts: dict[str, Any], name: str, up: str) -> str:
    """One generated figure, light and dark, with its caption; ``up`` leads to the site's root.

    It has a box of its own that scrolls where a screen is narrow.
    """
    if name not in facts["figures"]:
        raise unknown("figure", name, sorted(facts["figures"]))
    about = facts["figures"][name]
    if not about["drawn"]:
        return f'<p class="absent">{escape(about["gap"])}</p>\n'
    caption, alt = escape(about["caption"]).replace(" %", "&nbsp;%"), escape(about["alt"])
    title = f"Figure: {name.replace('-', ' ')}"
    images = "".join(
        f'<img src="{up}_gen/figures/{name}-{scheme}.svg#only-{scheme}" alt="{alt}">'
        for scheme in ("light", "dark")
    )
    box = f'<div class="figure-box" role="region" tabindex="0" aria-label="{title}">{images}</div>'
    return f"<figure>{box}<figcaption>{caption}</figcaption></figure>\n"


def file_html(folder: Path, name: str, up: str, words: str = "") -> str:
    """A link to the published copy of a file of ``folder``, its name alone if it is not there."""
    text = escape(words or name)
    if not (folder / name).exists():
        return text if words else f"<code>{text}</code> (no rows yet)"
    return f'<a href="{up}_gen/data/{name}" download>{text}</a>'


def define_env(env: Any) -> None:
    """What mkdocs-macros calls: names the macros."""
    folder = Path(env.conf["docs_dir"]) / "_gen"
    facts = load(folder)

    def up() -> str:
        return "../" * env.page.url.removeprefix("./").count("/")

    @env.macro
    def r(key: str) -> str:
        return fact(facts, key)

    @env.macro
    def table(name: str) -> str:
        return table_text(folder, name, up())

    @env.macro
    def figure(name: str) -> str:
        return figure_html(facts, name, up())

    @env.macro
    def download(name: str) -> str:
        return file_html(folder / "data", name if "." in name else f"{name}.csv", up())
