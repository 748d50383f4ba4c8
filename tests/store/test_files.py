"""Loading files: every kind, times in every notation, all or nothing."""

import gzip
import json
import time

import pyarrow as pa
import pyarrow.parquet
import pytest

from sightline.errors import EnvironmentTrouble, UserError


def rows(store, columns="toFloat64(_time) AS t, _raw, toString(fields) AS f"):
    return store.query(f"SELECT {columns} FROM sightline.events ORDER BY _time, _raw").to_pylist()


def test_csv_numbers_stay_numbers_and_empty_cells_are_absent(store, tmp_path):
    path = tmp_path / "iris.csv"
    path.write_text('x,y,name,"odd ""name",zip\n1,1001.0,a,"p,q",07001\n2.5,,b,,90210\n1e3,-0.5,7,"li\nne",x1\n')
    assert store.load_file(path, index="main") == 3
    got = sorted((json.loads(row["f"]) for row in rows(store)), key=lambda row: row["x"])
    assert got == [
        {"x": 1, "y": 1001.0, "name": "a", 'odd "name': "p,q", "zip": "07001"},
        {"x": 2.5, "name": "b", "zip": "90210"},
        {"x": 1000, "y": -0.5, "name": "7", 'odd "name': "li\nne", "zip": "x1"},
    ]
    assert store.json_paths("events")["y"] == frozenset({"Float64"})
    (meta,) = store.query("SELECT DISTINCT index, source, sourcetype FROM sightline.events").to_pylist()
    assert meta == {"index": "main", "source": "iris.csv", "sourcetype": "csv"}
    assert all(abs(row["t"] - time.time()) < 60 for row in rows(store))


def test_a_cell_that_breaks_the_columns_type_does_not_break_the_file(store, tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("v\n" + "1\n" * 40_000 + "surprise\n")
    assert store.load_file(path, index="main") == 40_001
    assert store.json_paths("events")["v"] == frozenset({"column:Int64", "String"})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1763900000", 1763900000.0),
        ("1763900000.25", 1763900000.25),
        ("1763900000250", 1763900000.25),
        ("1763900000250000000", 1763900000.25),
        ("2025-11-23T12:13:20Z", 1763900000.0),
        ("2025-11-23 12:13:20.25", 1763900000.25),
        ("2025-11-23T13:13:20+01:00", 1763900000.0),
    ],
)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_times_in_every_notation(store, tmp_path, text, seconds, form):
    path = tmp_path / f"t.{form}"
    if form == "csv":
        path.write_text(f"when,v\n{text},1\n")
    else:
        number = text.replace(".", "").isdigit()
        path.write_text(json.dumps({"when": float(text) if number and "." in text else int(text) if number else text}))
    store.load_file(path, index="main", time_field="when")
    assert rows(store)[0]["t"] == pytest.approx(seconds, abs=1e-5)


def test_json_lines_keep_their_text_and_their_own_metadata(store, tmp_path):
    path = tmp_path / "app.jsonl.gz"
    lines = [
        {"_time": 1763900000, "a": {"b": [1, 2]}, "host": "h1", "n": 1.0},
        {"timestamp": "2025-11-23T12:13:21Z", "a": {"c": None}, "sourcetype": "own"},
    ]
    path.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in lines).encode()))
    assert store.load_file(path, index="main", sourcetype="given", host="default") == 2
    first, second = rows(store, "toFloat64(_time) AS t, _raw, host, sourcetype, toString(fields) AS f")
    assert json.loads(first["_raw"]) == lines[0]
    assert (first["t"], first["host"], first["sourcetype"]) == (1763900000.0, "h1", "given")
    assert (second["t"], second["host"], second["sourcetype"]) == (1763900001.0, "default", "own")
    assert json.loads(first["f"])["a"] == {"b": [1, 2]}


def test_parquet_keeps_types(store, tmp_path):
    table = pa.table(
        {
            "ts": pa.array([1763900000250], pa.timestamp("ms", "UTC")),
            "i": pa.array([7], pa.int32()),
            "f": [1.5],
            "s": ["text"],
            "l": pa.array([["a", None, "b"]]),
            "none": pa.array([None], pa.string()),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    assert store.load_file(tmp_path / "t.parquet", index="main", time_field="ts") == 1
    (row,) = rows(store)
    assert row["t"] == 1763900000.25
    fields = json.loads(row["f"])
    fields.pop("ts")
    assert fields == {"i": 7, "f": 1.5, "s": "text", "l": ["a", "b"]}


def test_text_has_an_event_a_line_with_its_fields(store, tmp_path):
    path = tmp_path / "app.log"
    path.write_text('level=warn took=1.5 msg="two words"\n\n{"json": true}\nplain\n')
    assert store.load_file(path, index="main", source="s") == 3
    assert {row["_raw"]: json.loads(row["f"]) for row in rows(store)} == {
        'level=warn took=1.5 msg="two words"': {"level": "warn", "took": 1.5, "msg": "two words"},
        '{"json": true}': {"json": True},
        "plain": {},
    }


def test_a_file_that_breaks_half_way_leaves_nothing(store, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"a":1}\n' * 1000 + "[1]\n")
    with pytest.raises(UserError, match=r'"bad.jsonl" cannot be read as json'):
        store.load_file(path, index="main")
    assert rows(store) == []
    tables = store.query("SELECT name FROM system.tables WHERE database = 'sightline'")["name"].to_pylist()
    assert [name for name in tables if name.startswith("loading_")] == []


def test_wrong_names_say_what_there_is(store, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("whence,v\n1,2\n")
    with pytest.raises(UserError, match='no time field "when", it has: whence, v') as caught:
        store.load_file(path, index="main", time_field="when")
    assert caught.value.hint == 'did you mean "whence"?'
    with pytest.raises(EnvironmentTrouble, match="does not exist"):
        store.load_file(tmp_path / "none.csv", index="main")
    (tmp_path / "empty.csv").touch()
    assert store.load_file(tmp_path / "empty.csv", index="main") == 0


def test_progress_ends_at_the_whole(store, tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("v\n" + "".join(f"{i}\n" for i in range(300_000)))
    told = []
    assert store.load_file(path, index="main", on_progress=lambda *numbers: told.append(numbers)) == 300_000
    assert told[-1] == (300_000, path.stat().st_size, path.stat().st_size)
