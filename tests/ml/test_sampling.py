"""sample: one mode, repeatable, in the order of the rows."""

from collections import Counter

import pyarrow as pa
import pytest

from sightline.errors import UserError
from sightline.ml import SampleRequest, sample
from sightline.ml.sampling import bare_option

ROWS = pa.table({"n": list(range(1000)), "g": ["a"] * 900 + ["b"] * 97 + [None] * 3, "w": [0.0] * 500 + [1.0] * 500})


def run(by="", **options):
    table, messages = sample(ROWS, SampleRequest({name: str(value) for name, value in options.items()}, by))
    return table, messages


def test_count_and_its_order_and_seed():
    table, _ = run(count=50, seed=1)
    numbers = table.column("n").to_pylist()
    assert len(numbers) == 50
    assert numbers == sorted(numbers)
    assert run(count=50, seed=1)[0].equals(table)
    assert not run(count=50, seed=2)[0].equals(table)
    assert run(count=5000)[0].equals(ROWS)


def test_count_by_field_leaves_out_rows_without_it():
    table, _ = run(by="g", count=98, seed=0)
    assert Counter(table.column("g").to_pylist()) == {"a": 98, "b": 97}


def test_ratio():
    assert 60 < run(ratio="0.1", seed=0)[0].num_rows < 140
    assert run(ratio="1")[0].equals(ROWS)
    assert run(ratio="0")[0].num_rows == 0


def test_proportional_and_its_inverse():
    assert run(proportional="w")[0].equals(ROWS.slice(500))
    assert run(proportional="w", inverse="true")[0].equals(ROWS.slice(0, 500))
    table, messages = run(proportional="n")
    assert table.column("n").to_pylist() == [1]
    assert messages == ['left out 998 of 1000 rows whose "n" is not a number from 0 to 1']


def test_partitions_keep_all_rows():
    table, _ = run(partitions=3, seed=0)
    assert table.drop_columns(["partition_number"]).equals(ROWS)
    counts = Counter(table.column("partition_number").to_pylist())
    assert set(counts) == {0, 1, 2}
    assert min(counts.values()) > 250
    assert "deal" in run(partitions=3, fieldname="deal")[0].column_names


@pytest.mark.parametrize(
    ("options", "by", "message"),
    [
        ({}, "", "exactly one of ratio, count, proportional, partitions is wanted, got none"),
        ({"ratio": "0.1", "count": "5"}, "", "got ratio, count"),
        ({"ratio": "1.1"}, "", 'option "ratio" must be a number from 0 to 1, got "1.1"'),
        ({"count": "0"}, "", 'option "count" must be an integer of 1 or more, got "0"'),
        ({"partitions": "1"}, "", 'option "partitions" must be an integer of 2 or more'),
        ({"partitions": "2", "fieldname": "n"}, "", 'field "n" exists already'),
        ({"ratio": "0.1"}, "g", '"by" goes with count only, got ratio'),
        ({"count": "1"}, "gg", 'field "gg" is missing from the rows'),
        ({"count": "1", "inverse": "t"}, "", 'option "inverse" goes with proportional only'),
        ({"count": "1", "fieldname": "x"}, "", 'option "fieldname" goes with partitions only'),
        ({"count": "1", "seed": "-1"}, "", 'option "seed" must be an integer of 0 or more'),
        ({"size": "1"}, "", 'sample: unknown option "size"'),
    ],
)
def test_bad_requests(options, by, message):
    with pytest.raises(UserError) as error:
        sample(ROWS, SampleRequest(options, by))
    assert message in str(error.value)


def test_a_bare_number_is_a_ratio_or_a_count():
    assert bare_option("0.01") == ("ratio", "0.01")
    assert bare_option("100") == ("count", "100")
