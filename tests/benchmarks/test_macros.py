"""What mkdocs calls: macros that find their files from pages at any depth."""

import json
from types import SimpleNamespace

import pytest

from benchmarks.site import macros


@pytest.fixture
def env(tmp_path):
    """The macros by name, and a page to be on; one fact, one table with a link, one figure."""
    folder = tmp_path / "_gen"
    (folder / "tables").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "tables" / "main.md").write_text(f'<a href="{macros.UP}results/">all</a>')
    (folder / "data" / "cost.csv").write_text("key\n")
    figure = {"drawn": True, "caption": "5 %", "alt": "marks", "gap": ""}
    facts = {"facts": {"share": "5 %"}, "figures": {"curve": figure}}
    (folder / "facts.json").write_text(json.dumps(facts))
    made = SimpleNamespace(conf={"docs_dir": str(tmp_path)}, page=SimpleNamespace(url=""))
    found = {}
    made.macro = lambda function: found.setdefault(function.__name__, function)
    macros.define_env(made)
    return made.page, found


@pytest.mark.parametrize(
    ("url", "up"),
    [("", ""), ("./", ""), ("measure/", "../"), ("results/accuracy/", "../../")],
)
def test_links_lead_from_the_page_up_to_the_root(env, url, up):
    page, found = env
    page.url = url
    assert found["table"]("main") == f'<a href="{up}results/">all</a>'
    assert found["download"]("cost") == f'<a href="{up}_gen/data/cost.csv" download>cost.csv</a>'
    assert f'src="{up}_gen/figures/curve-light.svg#only-light"' in found["figure"]("curve")


def test_a_fact_keeps_its_number_and_unit_on_one_line(env):
    assert env[1]["r"]("share") == "5\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("macro", "asked"), [("r", "shore"), ("table", "mein"), ("figure", "curv")]
)
def test_what_was_not_generated_fails_the_build(env, macro, asked):
    with pytest.raises(macros.UnknownFact, match=f"'{asked}'; did you mean"):
        env[1][macro](asked)
