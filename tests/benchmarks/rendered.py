"""What tests look for in a rendered page."""

import re


def unbroken(text: str) -> str:
    """HTML without the places where a name may be broken."""
    return text.replace("<wbr>", "")


def plain(text: str) -> str:
    """The words of HTML, with a space between them."""
    return " ".join(re.sub("<[^>]*>", " ", unbroken(text)).split())


def lines(text: str) -> list[str]:
    """The words of each line of a table below its heads."""
    return [plain(one) for one in text.split("<tr>")[2:]]


def row_of(text: str, name: str) -> str:
    """The first row of a table whose header cell begins with the whole word or words ``name``."""
    text = unbroken(text)
    found = re.search(rf'<tr[^>]*><th scope="row"[^>]*>{re.escape(name)}(?=[<: ]).*?</tr>', text)
    assert found, f"no row of {name}"
    return found[0]
