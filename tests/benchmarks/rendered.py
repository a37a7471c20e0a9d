"""What tests look for in a rendered page."""

import re


def row_of(text: str, name: str) -> str:
    """The first row of a table whose header cell begins with the whole word or words ``name``."""
    text = text.replace("<wbr>", "")
    found = re.search(rf'<tr[^>]*><th scope="row"[^>]*>{re.escape(name)}(?=[<: ]).*?</tr>', text)
    assert found, f"no row of {name}"
    return found[0]
