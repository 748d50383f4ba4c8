"""The search script's own rules: what it reads, what it refuses, and that it can fail."""

from __future__ import annotations

import pytest
from script import Answer, Cell, Expectation, ScriptError, Search, compare, parse, rewrite, write_value


def search(text: str) -> Search:
    found = parse(text)[-1]
    assert isinstance(found, Search)
    return found


def test_cells_are_numbers_texts_nulls_and_lists() -> None:
    (load,) = parse('load t\n  a   b    c     d       e     f\n  1   "1"  null  [x, 2]  true  a b\n')
    assert [cell.python() for cell in load.table.rows[0]] == [1, "1", None, ["x", "2"], True, "a b"]


def test_a_list_of_numbers_stays_one() -> None:
    (load,) = parse("load t\n  a\n  [1, 2]\n")
    assert load.table.rows[0][0].python() == [1, 2]


def test_a_search_spans_the_lines_that_begin_with_a_pipe() -> None:
    assert search("search index=t\n| head 1\nexpect nothing\n").text == "index=t\n| head 1"


def test_settings_keep_their_lines_and_inner_indentation() -> None:
    (conf,) = parse("conf props\n  [a]\n  EVAL-x = 1 \\\n    + 2\n")
    assert (conf.kind, conf.text) == ("props", "[a]\nEVAL-x = 1 \\\n  + 2")


def test_an_error_may_have_a_position() -> None:
    expectation = search("search x\nexpect error at 2:7: top: limit\n").expectation
    assert (expectation.error, expectation.position) == ("top: limit", (2, 7))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("search index=t\n", "without an expectation"),
        ("search index=t\nexpect ordered\n", "expect ordered needs rows"),
        ("search index=t\nexpect nothing\n  a\n  1\n", "expected to give none"),
        ("search index=t\n  a  b\n  1\n", "wanted 2 cells, got 1"),
        ("search index=t\n  a  a\n  1  2\n", "a column is written twice"),
        ("search index=t\n  a\n", "a header without rows"),
        ("search index=t\nexpect something\n", "wanted expect"),
        ("load\n  a\n  1\n", "wanted a comment"),
        ("load t\n", "wanted rows below load"),
        ('load t\n  a\n  "open\n', "a quote that is not closed"),
        ("load t\n  a\n  [1, 2\n", "a bracket that is not closed"),
        ("load t\n  a\n  ~x\n", "wanted digits after ~"),
        ("seach index=t\n", "wanted a comment"),
        ("conf colors\n  [a]\n", "wanted conf and one of props"),
        ("conf props\nsearch x\n", "wanted indented settings"),
    ],
)
def test_a_wrong_script_is_refused(text: str, said: str) -> None:
    with pytest.raises(ScriptError, match=said):
        parse(text, "x.test")


def table(text: str) -> Expectation:
    return search("search x\n" + text).expectation


def test_rows_are_a_bag_unless_ordered() -> None:
    answer = Answer(["a"], [[2], [1]])
    assert compare(table("  a\n  1\n  2\n"), answer) == ""
    assert "in order" in compare(table("expect ordered\n  a\n  1\n  2\n"), answer)


@pytest.mark.parametrize(
    ("rows", "equal"),
    [
        ([[1]], True),
        ([[1.0]], True),
        ([["1"]], True),
        ([[["1"]]], True),
        ([["1.0"]], False),
        ([[2]], False),
        ([[None]], False),
        ([[1], [1]], False),
        ([], False),
    ],
)
def test_a_number_is_equal_to_its_value(rows: list[list[object]], equal: bool) -> None:
    assert (compare(table("  a\n  1\n"), Answer(["a"], rows)) == "") is equal


def test_null_an_empty_list_and_the_word_null() -> None:
    assert compare(table("  a\n  null\n"), Answer(["a"], [[None]])) == ""
    assert compare(table("  a\n  null\n"), Answer(["a"], [[[]]])) == ""
    assert compare(table("  a\n  null\n"), Answer(["a"], [["null"]])) != ""
    assert compare(table('  a\n  "null"\n'), Answer(["a"], [["null"]])) == ""


def test_near_means_the_digits_written() -> None:
    cell = Cell("near", "66.667")
    assert cell.matches(66.6666667) and cell.matches("66.6666667")
    assert not cell.matches(66.66) and not cell.matches("x") and not cell.matches(None)


def test_columns_are_compared_in_order_and_internal_ones_where_named() -> None:
    answer = Answer(["a", "_time", "b"], [[1, 5.0, 2]])
    assert compare(table("  a  b\n  1  2\n"), answer) == ""
    assert "columns" in compare(table("  b  a\n  2  1\n"), answer)
    assert compare(table("  a  _time  b\n  1  5  2\n"), answer) == ""


def test_every_warning_must_be_expected() -> None:
    rows = "  a\n  1\n"
    assert compare(table("expect warning odd\n" + rows), Answer(["a"], [[1]], warnings=["an odd value"])) == ""
    assert "unexpected warning" in compare(table(rows), Answer(["a"], [[1]], warnings=["an odd value"]))
    assert "wanted a warning" in compare(table("expect warning odd\n" + rows), Answer(["a"], [[1]]))


def test_errors_are_matched_by_text_and_place() -> None:
    wanted = table("expect error at 1:3: limit\n")
    assert compare(wanted, Answer(error="top: limit must be 0 or more", error_position=(1, 3))) == ""
    assert compare(wanted, Answer(error="top: limit must be 0 or more", error_position=(1, 4))) != ""
    assert compare(wanted, Answer(error="something else", error_position=(1, 3))) != ""
    assert compare(wanted, Answer(["a"], [[1]])) != ""
    assert "unexpected error" in compare(table("expect nothing\n"), Answer(error="limit"))


def test_a_bug_is_never_expected() -> None:
    assert compare(table("expect error limit\n"), Answer(bug="KeyError: limit")) != ""
    assert compare(table("expect nothing\n"), Answer(bug="KeyError: limit")) != ""


def test_rewrite_writes_the_answer_and_keeps_near_numbers() -> None:
    text = "# rule\nsearch x\n  a  b\n  1  ~0.33\n\nsearch y\nexpect nothing\n"
    first, second = parse(text)
    changes = [
        (first, Answer(["a", "b"], [[2, 0.3333], ["2", ["p", "q"]]])),
        (second, Answer(error="wrong", error_position=(1, 2))),
    ]
    assert rewrite(text, changes) == (
        "# rule\nsearch x\n  a  b\n  2  ~0.33\n  2  [p, q]\n\nsearch y\nexpect error at 1:2: wrong\n"
    )


@pytest.mark.parametrize(
    "value", [None, 5, 1.5, "a", "", "null", " x", "a  b", "[", "~1", 'say "hi"', "a\nb", ["a", "b, c"]]
)
def test_a_written_value_reads_back(value: object) -> None:
    (load,) = parse(f"load t\n  a\n  {write_value(value)}\n")
    assert load.table.rows[0][0].matches(value)
