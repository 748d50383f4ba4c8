"""Fields become columns the same way at training and ever after."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import UserError
from sightline.ml.preparation import Limits, Preparation, learn, sample_rows

LIMITS = Limits()


def prepare(columns, features=None, **also):
    table = pa.table(columns)
    return table, learn(table, features or table.column_names, limits=LIMITS, **also)


def test_numbers_come_first_then_categories_ascending():
    table, learned = prepare({"colour": ["red", "blue", "red"], "size": [1, 2, 3], "ok": [True, False, True]})
    assert learned.preparation.columns == ("size", "colour=blue", "colour=red", "ok=false", "ok=true")
    matrix = learned.preparation.encode(table).matrix
    assert matrix.tolist() == [[1, 0, 1, 0, 1], [2, 1, 0, 1, 0], [3, 0, 1, 0, 1]]


def test_texts_that_look_numeric_are_numbers():
    table, learned = prepare({"a": ["1", "2.5", None, "-3e2", ""]})
    assert learned.preparation.numbers == ("a",)
    assert learned.usable.tolist() == [True, True, False, True, False]
    assert learned.preparation.encode(table).matrix.ravel().tolist() == [1, 2.5, -300]


def test_a_column_with_one_other_text_is_a_category():
    _, learned = prepare({"a": ["1", "2", "n/a"]})
    assert learned.preparation.categories == {"a": ("1", "2", "n/a")}


def test_multivalue_and_dictionary_fields_are_categories():
    coded = pa.array(["x", "y", "x"]).dictionary_encode()
    table, learned = prepare({"m": pa.array([["a", "b"], ["a"], ["a", "b"]]), "d": coded})
    assert learned.preparation.columns == ("m=a", "m=a\nb", "d=x", "d=y")
    assert learned.preparation.encode(table).matrix[:, 1].tolist() == [1, 0, 1]


def test_fields_without_values_are_left_out_and_named():
    _, learned = prepare({"a": [1, 2], "gone": pa.nulls(2), "empty": ["", ""]})
    assert learned.preparation.columns == ("a",)
    assert learned.messages == ["left out fields without any value: gone, empty"]


def test_too_many_distinct_values_are_left_out_and_named():
    _, learned = prepare({"id": [f"u{i}" for i in range(150)], "n": list(range(150))})
    assert learned.preparation.columns == ("n",)
    assert learned.messages == ["left out non-numeric fields with more than 100 distinct values: id (150)"]


def test_a_hundred_distinct_values_are_kept_and_counted_without_the_rows_left_out():
    values = [f"u{i}" for i in range(101)]
    _, learned = prepare({"id": values, "n": [None, *range(100)]})
    assert len(learned.preparation.categories["id"]) == 100


def test_nothing_usable_left():
    with pytest.raises(UserError, match=r"no usable feature is left.*id \(150\)"):
        prepare({"id": [f"u{i}" for i in range(150)]})
    with pytest.raises(UserError, match="none of the features has a value: a, b"):
        prepare({"a": pa.nulls(2), "b": pa.nulls(2)})
    with pytest.raises(UserError, match="no row has a value in every used field: a, b"):
        prepare({"a": [1, None], "b": [None, 1]})


def test_no_rows_and_missing_fields():
    with pytest.raises(UserError, match="there are no rows to train on"):
        prepare({"a": pa.array([], pa.float64())})
    with pytest.raises(UserError, match='field "colr" is missing from the rows') as error:
        prepare({"colour": ["x"]}, ["colr"])
    assert error.value.hint == 'did you mean "colour"?'


def test_unseen_values_by_default_leave_all_columns_zero():
    _, learned = prepare({"c": ["a", "b"], "n": [1.0, 2.0]})
    rows = pa.table({"c": ["b", "z", None], "n": [5.0, 6.0, 7.0]})
    encoded = learned.preparation.encode(rows)
    assert encoded.matrix.tolist() == [[5, 0, 1], [6, 0, 0]]
    assert encoded.usable.tolist() == [True, True, False]
    assert encoded.unseen == {"c": ("z",)}
    assert learned.preparation.encode(rows, unseen="skip").usable.tolist() == [True, False, False]
    with pytest.raises(UserError, match='field "c" has the value "z", which the training rows did not have'):
        learned.preparation.encode(rows, unseen="stop")


def test_a_text_in_a_number_field_is_null_and_told():
    _, learned = prepare({"n": [1, 2]})
    encoded = learned.preparation.encode(pa.table({"n": ["3", "many", None]}))
    assert encoded.matrix.ravel().tolist() == [3]
    assert encoded.not_numeric == ("n",)
    assert learned.preparation.encode(pa.table({"n": ["3", None]})).not_numeric == ()


def test_numbers_meet_a_category_as_texts():
    _, learned = prepare({"code": ["1", "2", "x"]})
    encoded = learned.preparation.encode(pa.table({"code": [1.0, 2.0, 7.0]}))
    assert encoded.matrix.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_infinite_and_too_large_values_are_not_usable():
    _, learned = prepare({"n": [1.0, 2.0]})
    rows = pa.table({"n": [float("inf"), 1e300, 3.0]})
    assert learned.preparation.encode(rows).usable.tolist() == [False, True, True]
    assert learned.preparation.encode(rows, dtype=np.float32).usable.tolist() == [False, False, True]


def test_a_missing_field_makes_every_row_unusable():
    _, learned = prepare({"c": ["a", "b"], "n": [1.0, 2.0]})
    assert learned.preparation.encode(pa.table({"n": [1.0]})).usable.tolist() == [False]
    assert learned.preparation.encode(pa.table({"c": ["a"]})).usable.tolist() == [False]


def test_sampled_rows_are_distinct_ordered_and_repeatable():
    rows = np.arange(100, 200)
    chosen = sample_rows(rows, 30, seed=1)
    assert len(set(chosen)) == 30
    assert np.all(np.diff(chosen) > 0)
    assert np.isin(chosen, rows).all()
    assert np.array_equal(chosen, sample_rows(rows, 30, seed=1))


values = st.one_of(st.none(), st.text(alphabet="abc=\n ü", min_size=1, max_size=3))
numbers = st.one_of(st.none(), st.floats(-1e6, 1e6))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(values, values, numbers), min_size=1, max_size=40))
def test_encoding_equals_pandas_and_survives_json(rows):
    frame = pd.DataFrame(rows, columns=["p", "q", "n"])
    frame[["p", "q"]] = "v" + frame[["p", "q"]].astype(object)
    frame["n"] = frame["n"].astype(float)
    complete = frame.dropna()
    if complete.empty:
        return
    table = pa.table({name: pa.array(frame[name], from_pandas=True) for name in ("q", "n", "p")})
    learned = learn(table, ["q", "n", "p"], limits=LIMITS)
    expected = pd.get_dummies(complete[["q", "n", "p"]], prefix_sep="=")
    preparation = Preparation.from_json(learned.preparation.to_json())
    assert preparation == learned.preparation
    assert list(preparation.columns) == list(expected.columns)
    encoded = preparation.encode(table)
    assert np.array_equal(encoded.matrix, expected.to_numpy(dtype=float))
    usable = np.ones(len(frame), bool) if encoded.usable is None else encoded.usable
    assert usable.tolist() == frame.notna().all(axis=1).tolist()
