"""Under a table: what measured its rows, at which commit, and links that lead somewhere."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest
import trial
from rendered import unbroken

from benchmarks import provenance
from benchmarks.cells import ROOT, benchmarks
from benchmarks.site import __main__ as site
from benchmarks.site import citing, columns, facts, history, macros
from benchmarks.site.origin import origin
from benchmarks.store import Store, row

DOCS = ROOT / "docs"
HREF = re.compile(r'<a href="([^"]*)"')
UP = "../../"


@pytest.fixture
def rows(tmp_path):
    """Rows of one cell a commit: call it with pairs of a commit and a day."""

    def make(*commits, **fields):
        results = Store(tmp_path)
        for seed, (commit, day) in enumerate(commits):
            cell = replace(trial.ACCURACY, seed=seed)
            made = row(cell, trial.outcome(90.0), "f" * 12, seconds=1.0)
            when = {"commit": commit, "measured_at": f"{day}T00:00:00Z", "dirty": False}
            results.append("accuracy", {**made, **when, **fields})
        results.fold()
        return results, results.table("accuracy")

    return make


@pytest.fixture
def code(monkeypatch):
    """Which commits are of older code: of other commits nothing is known."""
    answers = {}
    monkeypatch.setattr(history, "older", lambda benchmark, module, commit: answers.get(commit))
    return answers


def test_commits_with_most_rows_are_named_and_the_others_are_counted(rows, code):
    old, new = "a" * 40, "b" * 40
    assert "; commit <code>aaaaaaaaaa</code>; 2026-01-01. " in origin(
        *rows((old, "2026-01-01")), "accuracy"
    )
    two = origin(*rows((new, "2026-01-02"), (old, "2026-01-01")), "accuracy")
    both = "commit <code>bbbbbbbbbb</code> (1 row), <code>aaaaaaaaaa</code> (1 row); 2026-01-01"
    assert f"; {both} to 2026-01-02. " in two, "of equally many the newest first"
    days = [(name * 40, "2026-01-02") for name in "eeecccbba"]
    words = origin(*rows(*days, ("d" * 40, "2026-01-01")), "accuracy")
    named = [f"<code>{name * 10}</code> ({n} rows)" for name, n in (("e", 3), ("c", 3), ("b", 2))]
    assert sorted(named) == sorted(re.findall(r"<code>\w+</code> \(\d rows\)", words))
    assert f"{named[2]}, 2 others (2 rows);" in words


def test_rows_with_changes_are_counted_apart_from_those_of_the_commit_itself(rows, code):
    results, table = rows(*[("a" * 40, "2026-01-01")] * 3)
    table.loc[0, "dirty"] = True
    clean, changed = (
        "<code>aaaaaaaaaa</code> (2 rows)",
        "<code>aaaaaaaaaa</code> with changes (1 row)",
    )
    assert f"commit {clean}, {changed};" in origin(results, table, "accuracy")


def test_a_row_of_changed_code_says_so(rows, code):
    code["a" * 40] = False
    words = origin(*rows(("a" * 40, "2026-01-01"), dirty=True), "accuracy")
    assert "<code>aaaaaaaaaa</code> with changes;" in words
    assert ">Of code that cannot be compared</a>: 1 of 1 row." in words


def test_rows_of_older_code_are_counted(rows, code):
    code |= {"a" * 40: True, "b" * 40: False}
    days = [(commit * 40, "2026-01-01") for commit in "aaabc"]
    words = unescape(re.sub(r"</?a[^>]*>", "", origin(*rows(*days), "accuracy")))
    assert "Of older code: 3 of 5 rows. Of code that cannot be compared: 1 of 5 rows." in words
    results, table = rows(*days)
    now = table[table["commit"] == "b" * 40]
    assert "older" not in origin(results, now, "accuracy")
    assert "compared" not in origin(results, now, "accuracy")


def test_older_rows_that_the_present_code_gives_again_are_counted_apart(rows, code):
    code |= {"a" * 40: True, "b" * 40: False, "c" * 40: True}
    results, table = rows(("a" * 40, "2026-01-01"), ("a" * 40, "2026-01-01"))
    kind = {**table.iloc[0].to_dict(), "before": "f" * 12, "after": "e" * 12, "values": 3}
    results.confirm({**kind, "commit": "c" * 40})  # that code has changed since
    words = origin(results, results.table("accuracy"), "accuracy")
    assert ">Of older code</a>: 2 of 2 rows." in words
    results.confirm({**kind, "before": "e" * 12, "after": "d" * 12, "commit": "b" * 40})
    words = origin(results, results.table("accuracy"), "accuracy")
    assert (
        ">Of older code, of which a run that was made again had equal values</a>: 2 of 2 rows."
        in words
    )
    assert "Of older code</a>" not in words


def test_what_older_code_is_has_a_place(rows, code):
    code["a" * 40] = True
    words = origin(*rows(("a" * 40, "2026-01-01")), "accuracy")
    assert f'<a href="{macros.UP}measure/#what-a-row-carries">Of older code</a>' in words
    assert "\n## What a row carries\n" in (DOCS / "measure.md").read_text(encoding="utf-8")


def test_the_records_and_the_file_are_links(rows, code):
    words = origin(*rows(("a" * 40, "2026-01-01")), "accuracy")
    machine = provenance.digest(provenance.machine())
    environment = provenance.digest(provenance.environment())
    data = f"{macros.UP}_gen/data"
    named = f'<a href="{data}/machines/{machine}.json" download>{machine}</a>'
    assert f"(record {named}, 1 row)" in words
    named = f'<a href="{data}/environments/{environment}.json" download>{environment}</a>'
    assert f"; torch {provenance.environment()['torch']} (record {named}); " in words
    assert f'All rows: <a href="{data}/accuracy.csv" download>accuracy.csv</a> ' in words
    assert f'(<a href="{macros.UP}results/columns/#accuracy">its columns</a>).' in words


def test_a_version_is_named_once_with_all_its_records(rows, code, tmp_path):
    results, table = rows(("a" * 40, "2026-01-01"), ("a" * 40, "2026-01-02"))
    (known,) = (tmp_path / "environments").glob("*.json")
    (tmp_path / "environments" / "other.json").write_text(known.read_text(encoding="utf-8"))
    table.loc[0, "environment"] = "other"
    words = origin(results, table, "accuracy")
    assert words.count(f"torch {provenance.environment()['torch']} (record ") == 1
    assert f"environments/{known.name}" in words and "environments/other.json" in words


def test_rows_of_two_tables_name_both_files(rows, code):
    words = origin(*rows(("a" * 40, "2026-01-01")), "accuracy", "ablation")
    assert ">accuracy.csv</a> and <code>ablation.csv</code> (no rows yet)" in words
    assert '/columns/#accuracy">accuracy</a>)' in words  # of a file that is not there are none
    (results, table) = rows(("a" * 40, "2026-01-01"))
    results.write("ablation.csv", results.table_path("accuracy").read_text())
    words = origin(results, table, "accuracy", "ablation")
    assert '/columns/#accuracy">accuracy</a> and ' in words
    assert '/columns/#ablation">ablation</a>)' in words


def leads_somewhere(href: str, written, fragments) -> bool:
    """Whether a link that stands two folders deep names a published file or a place of a page."""
    if href.startswith("#"):
        return f"{{: {href} }}" in fragments["columns"]
    path, _, anchor = href.removeprefix(UP).partition("#")
    if path.startswith("_gen/data/"):
        return (written / path.removeprefix("_gen/")).is_file()
    text = (DOCS / f"{path.rstrip('/')}.md").read_text(encoding="utf-8")
    headings = [re.sub(r"\W+", "-", line.lower()) for line in re.findall(r"(?m)^#+ (.*)$", text)]
    return anchor in headings or f"{{: #{anchor} }}" in fragments.get(path.split("/")[-2], "")


def test_every_link_of_every_fragment_leads_somewhere(tried, fragments, tmp_path):
    site.publish(tried, tmp_path / "data")
    texts = [text.replace(macros.UP, UP) for text in fragments.values()]
    links = {link for text in texts for link in HREF.findall(text) if "://" not in link}
    assert f"{UP}_gen/data/latency.csv" in links and f"{UP}results/columns/#cost" in links
    links -= {f"{UP}results/columns/#reported"}  # a table that this store does not have
    assert [link for link in links if not leads_somewhere(link, tmp_path, fragments)] == []


def test_a_page_shows_a_table_with_links_from_where_it_stands(tmp_path):
    (tmp_path / "tables").mkdir()
    text = f'<a href="{macros.UP}_gen/data/a.csv">a</a> <a href="{macros.UP}measure/#b">b</a>'
    (tmp_path / "tables" / "mine.md").write_text(text, encoding="utf-8")
    shown = macros.table_text(tmp_path, "mine", "../")
    assert shown == '<a href="../_gen/data/a.csv">a</a> <a href="../measure/#b">b</a>'
    assert HREF.findall(macros.table_text(tmp_path, "mine", "")) == [
        "_gen/data/a.csv",
        "measure/#b",
    ]


def test_the_text_beneath_a_table_names_no_file_without_a_link(fragments):
    notes = {
        name: re.findall(r'<p class="source-note">(.*?)</p>', text)
        for name, text in fragments.items()
    }
    assert len([name for name, found in notes.items() if found]) > 20
    for name, found in notes.items():
        for note in found:
            words = re.sub(r"<a .*?</a>|<code>.*?</code>", "", note)
            assert re.findall(r"[a-z]+\.csv", words) == [], name


def test_files_beside_the_tables_are_published(tmp_path):
    results = trial.everything(tmp_path / "results")
    (results.root / "references.bib").write_text("@misc{a,\n}\n", encoding="utf-8")
    made = site.publish(results, tmp_path / "data")
    machine = f"machines/{provenance.digest(provenance.machine())}.json"
    environment = f"environments/{provenance.digest(provenance.environment())}.json"
    names = ("datapackage.json", "references.bib", machine, environment, "cost.csv")
    for name in names:
        assert (tmp_path / "data" / name).read_bytes() == (results.root / name).read_bytes()
    assert {tmp_path / "data" / name for name in names} <= set(made)
    hidden = [p for p in (tmp_path / "data").rglob("*") if p.name.startswith(".")]
    assert hidden == []


def test_what_was_published_is_cleared_away_before_the_next_time(tmp_path):
    names = ["data/machines/a.json", "data/environments/b.json", "data/c.csv", "elsewhere/d.csv"]
    (tmp_path / "facts.json").write_text(json.dumps({"files": names}), encoding="utf-8")
    assert site._written_before(tmp_path) == [tmp_path / name for name in names[:3]]


def test_every_column_of_every_file_is_explained(tried):
    text = unbroken(columns.columns(Store(ROOT / "results")))
    shared, *parts = re.split(r"\n## \S+\.csv \{: #", text)
    package = json.loads((ROOT / "results" / "datapackage.json").read_text(encoding="utf-8"))
    found = {part.split(" ", 1)[0]: part for part in parts}
    assert set(found) == {resource["name"] for resource in package["resources"]}
    for resource in package["resources"]:
        known = shared * (resource["name"] in benchmarks()) + found[resource["name"]]
        for field in resource["schema"]["fields"]:
            (line,) = re.findall(rf'<tr><th scope="row"[^>]*>{field["name"]}</th>.*?</tr>', known)
            said = field["description"].removesuffix(f" [{field.get('unit')}]")
            line = unescape(line)
            assert f">{field['type']}</td>" in line and f">{said}</td>" in line
            assert f">{field.get('unit', '–')}</td>" in line
    own = [column.name for column in benchmarks()["latency"].columns]
    lines = re.findall(r'<tr><th scope="row"[^>]*>(\w+)</th>', found["latency"])
    assert lines == own, "shared columns stand there once"


def test_without_a_description_there_are_no_columns(tmp_path):
    assert "not measured" in columns.columns(Store(tmp_path))


def test_the_tables_of_the_results_page_have_their_files():
    page = (DOCS / "results" / "index.md").read_text(encoding="utf-8")
    lines = re.findall(r'^\| \[.*r\("rows\.(\w+)"\).*$', page, re.M)
    assert len(lines) > 10
    for name in lines:
        assert f'{{{{ r("rows.{name}") }}}} | {{{{ download("{name}.csv") }}}} |' in page
    assert 'download("datapackage.json")' in page and 'r("site.commit")' in page


def test_a_file_is_published_under_its_own_name_or_named(tmp_path):
    (tmp_path / "a.csv").write_text("x\n", encoding="utf-8")
    link = '<a href="../_gen/data/a.csv" download>a.csv</a>'
    assert macros.file_html(tmp_path, "a.csv", "../") == link
    assert macros.file_html(tmp_path, "b.csv", "../") == "<code>b.csv</code> (no rows yet)"
    assert macros.file_html(tmp_path, "machines/b.json", "../", "<b>") == "&lt;b&gt;"


def test_the_site_names_its_commit(tried, monkeypatch):
    monkeypatch.setattr(history, "head", lambda: "0123456789")
    assert facts.facts(tried)["site.commit"] == "0123456789"
    assert "Commit 0123456789.\n" in citing.in_words(tried)
    assert "  note   = {Commit 0123456789},\n" in citing.bibtex(tried)


def test_the_citation_is_that_of_the_citation_file(tried):
    about = citing.citation()
    suite, data, backbones = re.findall(r"@misc\{.*?\n\}\n", citing.bibtex(tried), re.S)
    assert "author = {{The attn-bench authors}}," in suite
    assert f"title  = {{{{{about['title']}}}}}," in suite and "doi" not in suite
    assert "author = {Xiao, Han and Rasul, Kashif and Vollgraf, Roland}," in data
    assert "year   = {2017},\n  doi    = {10.48550/arXiv.1708.07747}," in data
    assert backbones.startswith("@misc{wightman,") and "year" not in backbones
    for entry in (suite, data, backbones):
        assert entry.count("{") == entry.count("}")
    assert about["title"] in citing.in_words(tried)


def test_the_papers_of_all_modules_can_be_copied(tried):
    text = citing.papers(tried)
    bibliography = (ROOT / "results" / "references.bib").read_text(encoding="utf-8")
    entries = re.findall(r"@\w+\{.*?\n\}\n", text, re.S)
    assert all(entry in bibliography for entry in entries)
    for paper in ("se", "cbam", "sk", "danet", "eca", "coord"):
        assert [entry for entry in entries if paper in entry.split(",")[0]], paper
    assert len(entries) == 7 and "code-senet" not in text


def test_the_pages_of_citing_show_what_is_generated():
    page = (DOCS / "cite.md").read_text(encoding="utf-8")
    for name in ("cite", "cite-bibtex", "cite-papers"):
        assert f'{{{{ table("{name}") }}}}' in page
    assert '--8<-- "CITATION.cff"' in page and 'r("site.commit")' in page
