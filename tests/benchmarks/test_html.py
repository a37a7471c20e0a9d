"""Tables as HTML: titles, minus signs, escaped text, words for what is not there."""

from benchmarks.site.html import Entry, Head, estimate, table, value


def test_a_table_without_rows_is_a_sentence():
    made = table("a & b", "note", (Head("Module", number=False),), [], "origin")
    assert made == '<p class="absent">a &amp; b: not measured.</p>\n'


def test_text_from_rows_is_escaped():
    heads = (Head("Module", number=False), Head("Value"))
    made = table("a & b", "", heads, [(Entry("<script>"), value(str, 1, "<b>"))], "")
    assert "<script>" not in made and "<b>" not in made and "a &amp; b" in made


def test_a_value_that_is_missing_and_one_that_failed_are_told_apart():
    assert value(str, None) == Entry("not measured")
    assert value(str, None, "failed") == Entry("failed")
    assert estimate(str, 1, None, None, None) == Entry("1", 1)
    assert estimate(str, 1, 0, 2, "higher") == Entry("1", 1, "[0, 2]", "higher")


def test_numbers_and_intervals_have_a_minus_and_no_hyphen():
    rows = [(Entry("resnet-50"), Entry("-4.7e-4 G", -4.7e-4, "[-1, 1e-5]"))]
    text = table("t", "", [Head("Net", number=False), Head("Size")], rows, "")
    assert ">−4.7e−4 G<" in text and ">[−1, 1e−5]<" in text and ">resnet-50<" in text
    assert 'data-sort="-0.00047"' in text


def test_a_table_of_prose_has_its_titles_at_every_entry():
    row = (Entry("a"), Entry("why not"))
    heads = [Head("Claim", number=False), Head("Why", number=False)]
    text = table("t", "", heads, [row], "", prose=True)
    assert '<td data-title="Why">why not</td>' in text and 'class="measured prose"' in text
    assert "data-title" not in table("t", "", heads, [row], "")


def test_a_word_beneath_a_number_is_inside_its_cell():
    lost = Entry("1", 1, word="off the scale; without a value: 1 diverged")
    text = table("t", "", (Head("A", number=False), Head("B")), [(Entry("a"), lost)], "")
    word = f'<span class="word without">{lost.word}</span>'
    assert f'<td class="number" data-sort="1.0">1{word}</td></tr>' in text
