"""A table in the terminal shows what people can read and names the rest."""

import base64
import zlib

import pandas as pd
import pytest

from benchmarks import listing
from benchmarks.store import Store

BITS = base64.b64encode(zlib.compress(bytes(range(256)))).decode()
LOSSES = "0.8889 0.5018 0.4433 0.3906 0.3476 0.3107 0.2778 0.2511"
REASON = "RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x512 and 256x10)"


@pytest.fixture
def rows():
    columns = {"backbone": ["a", "b"], "top1": [90.0, 91.0], "reason": ["", REASON]}
    columns |= {"losses": [LOSSES, ""], "correct": [BITS, BITS], "commit": ["c" * 40, "c" * 40]}
    columns |= {"machine": ["m1", "m1"]}
    text = ("backbone", "reason", "losses", "correct", "commit", "machine")
    return pd.DataFrame(columns).astype(dict.fromkeys(text, "string"))


@pytest.mark.parametrize("text", [BITS, LOSSES, "0 0 0;0 3 0;2 5 0;1 7 0;" * 3, "word " * 100])
def test_what_nobody_reads_in_a_line_is_encoded(text):
    assert listing.encoded(text)


@pytest.mark.parametrize("text", ["", "se", REASON, "0.5 0.25", "add 25; addcmul 15; mean 23"])
def test_what_people_read_is_not_encoded(text):
    assert not listing.encoded(text)


def test_encoded_columns_are_left_out_and_named(rows):
    text = listing.listed(rows, None)
    assert REASON in text and "90.0" in text
    assert BITS not in text and LOSSES not in text and "c" * 40 not in text
    origin, last = text.splitlines()[-2:]
    assert origin.startswith("not shown, as it says where") and "commit, machine" in origin
    assert "--csv" in origin
    for words in ("not shown", "losses, correct", "--columns losses correct"):
        assert words in last
    assert max(map(len, text.splitlines())) < 200


def test_rows_of_several_machines_name_theirs(rows):
    assert "m1" not in listing.listed(rows, None)
    text = listing.listed(rows.assign(machine=["m1", "m2"]), None)
    assert "m1" in text and "m2" in text


def test_columns_that_are_asked_for_are_shown_as_they_are(rows):
    text = listing.listed(rows, ["correct", "backbone"])
    assert BITS in text and "top1" not in text and "not shown" not in text
    with pytest.raises(ValueError, match="unknown column 'corect'.*Did you mean correct"):
        listing.listed(rows, ["corect"])


@pytest.mark.parametrize("name", ["spiral", "mechanism", "optimisers", "breakdown"])
def test_a_line_of_a_published_table_is_short(name):
    rows = Store().table(name)
    assert len(rows)
    assert max(map(len, listing.listed(rows, None).splitlines())) < 300
