"""How to cite, to copy: in words and as BibTeX, from CITATION.cff and results/references.bib."""

from __future__ import annotations

from typing import Any

import yaml

from benchmarks.cells import ROOT
from benchmarks.papers.reported import CITES
from benchmarks.site import history
from benchmarks.store import Store


def citation() -> dict[str, Any]:
    """What CITATION.cff says."""
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def in_words(store: Store) -> str:
    """The reference of the suite as a line of text; the same for every store."""
    about = citation()
    names = ", ".join(_name(author) for author in about["authors"])
    year = history.year()
    return f"> {names}{f' ({year})' * bool(year)}. *{about['title']}*. {_commit()}.\n"


def bibtex(store: Store) -> str:
    """The suite, its data set and its backbones as BibTeX; the same for every store."""
    about = citation()
    others = [
        other
        for other in about["references"]
        if "identifiers" in other and not other["notes"].startswith("The module")
    ]
    suite = {**about, "year": history.year(), "commit": _commit()}
    return _block("\n".join(map(_entry, [suite, *others])))


def papers(store: Store) -> str:
    """The papers of the modules as BibTeX, entries of the bibliography that lies beside the tables.

    Each is there once, in the order of the modules.
    """
    wanted = list(dict.fromkeys(key for key in CITES.values() if not key.startswith("code-")))
    text = (ROOT / "results" / "references.bib").read_text(encoding="utf-8")
    found = {entry.split("{", 1)[1].split(",", 1)[0]: entry for entry in _entries(text)}
    return _block("\n".join(found[key] for key in wanted))


def _entries(text: str) -> list[str]:
    """The entries of a bibliography, each from its @ to the brace on a line of its own."""
    parts = [part.partition("\n}")[0] for part in text.split("\n@")[1:]]
    return [f"@{part}\n}}\n" for part in parts]


def _entry(about: dict[str, Any]) -> str:
    """A reference of CITATION.cff as BibTeX. A name that is no person's is kept whole."""
    authors = [
        f"{a['family-names']}, {a['given-names']}" if "family-names" in a else f"{{{a['name']}}}"
        for a in about["authors"]
    ]
    doi = [i["value"] for i in about.get("identifiers", ()) if i["type"] == "doi"]
    fields = {
        "author": " and ".join(authors),
        "title": f"{{{about['title']}}}",
        "year": about.get("year", ""),
        "doi": "".join(doi[:1]),
        "note": about.get("commit", ""),
    }
    first = about["authors"][0].get("family-names", about["title"].partition(":")[0])
    lines = [f"  {name:6} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{first.lower()}{fields['year']},", *lines, "}\n"])


def _name(author: dict[str, str]) -> str:
    return author.get("name") or f"{author['given-names']} {author['family-names']}"


def _commit() -> str:
    return f"Commit {history.head()}"


def _block(text: str) -> str:
    """BibTeX as a block that a reader can copy."""
    return f"```bibtex\n{text}```\n"
