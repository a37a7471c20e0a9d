"""The code that a module's page shows is the module, and its picture is drawn for everyone."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

import attn
from benchmarks.cells import ROOT

PAGES = ROOT / "docs" / "modules"
DRAWINGS = sorted((ROOT / "docs" / "assets" / "modules").glob("*.svg"))
SHOWN = {
    "se": "se",
    "cbam": "cbam",
    "sk": "sk",
    "pam": "danet",
    "cam": "danet",
    "eca": "eca",
    "coord": "coord",
}
"""The functions on the pages, by the name of their module, and the page that shows them."""


def shown(name):
    """The function that the page of a module shows."""
    text = (PAGES / f"{SHOWN[name]}.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"^```python\n(.*?^def {name}\(.*?)^```", text, re.S | re.M)
    names: dict[str, Any] = {"torch": torch}
    exec(code, names)
    return names[name]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", SHOWN)
def test_the_code_on_the_page_is_the_module(name, training):
    """Unequal sizes, and no parameter at a value that switches something off."""
    torch.manual_seed(0)
    module = attn.build(name, 24, dtype=torch.float64).train(training)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(3, 24, 5, 7, dtype=torch.float64)
    expected = module(x)
    assert not torch.allclose(expected, x)
    torch.testing.assert_close(shown(name)(module, x), expected)


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_has_words_for_everyone_and_the_colours_of_the_page(path):
    """At 420 px a page leaves the drawing its own width, so 12 units are 12 px."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    named = {child.get("id"): child.text for child in root}
    assert root.get("role") == "img" and float(root.get("viewBox", "").split()[2]) <= 388
    assert all((named[key] or "").strip() for key in root.get("aria-labelledby", "").split())
    sizes = [float(size) for e in root.iter() if (size := e.get("font-size"))]
    assert sizes and min(sizes) >= 12
    colours = {e.get(name) for e in root.iter() for name in ("fill", "stroke")} - {None, "none"}
    assert colours <= {"currentColor", "var(--md-typeset-a-color, currentColor)"}


def test_every_page_of_a_module_has_its_drawing():
    assert {path.stem for path in DRAWINGS} == set(SHOWN.values())
    for path in DRAWINGS:
        page = (PAGES / f"{path.stem}.md").read_text(encoding="utf-8")
        assert f'--8<-- "docs/assets/modules/{path.name}"' in page
