"""The embedded store: tables in, tables out, limits, cancelling, and what it knows of its fields."""

import dataclasses
import resource
import subprocess
import sys
import threading
import time
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
import pytest

from sightline.config import SearchSettings, Settings, load_settings
from sightline.errors import UserError
from sightline.store import EmbeddedStore, EngineError, MemoryLimitExceeded, QueryCancelled, TimeLimitExceeded
from sightline.store.sql_text import JSON_TYPE

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE rand() % 7 = 1"


def test_one_dictionary_holds_more_texts_than_the_engine_would_by_itself(store):
    wide = "SETTINGS min_bytes_for_wide_part = 0"
    store.execute(f"CREATE TABLE sightline.texts (t LowCardinality(String)) ENGINE = MergeTree ORDER BY tuple() {wide}")
    store.execute("INSERT INTO sightline.texts SELECT toString(number % 20000) FROM numbers(40000)")
    places = store.query(
        "SELECT DISTINCT `t.dict.mark` AS place FROM mergeTreeIndex(sightline, texts, with_marks = true)"
        " WHERE `t.dict.mark` IS NOT NULL"
    )
    # Where the only dictionary begins, and where it ends; of five there would be six places.
    assert places.num_rows == 2


def test_a_configuration_in_the_folder_where_the_program_starts_is_not_the_engines(tmp_path):
    shipped = files("sightline.store") / "engine" / "users.xml"
    (tmp_path / "users.xml").write_text(
        shipped.read_text().replace("<default>", "<default><max_block_size>123</max_block_size>", 1)
    )
    (tmp_path / "config.xml").write_text("<clickhouse><users_config>users.xml</users_config></clickhouse>")
    program = (
        "import sys; from pathlib import Path; from sightline.config import load_settings; from sightline.store import EmbeddedStore;"
        "store = EmbeddedStore(Path('data'), load_settings(Path('data')));"
        "print(store.query(\"SELECT changed FROM system.settings WHERE name = 'max_block_size'\")['changed'].to_pylist()); store.close()"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (ended.stdout, ended.returncode) == ("[0]\n", 0), ended.stderr


def test_a_data_directory_with_a_question_mark_in_its_name_is_refused(tmp_path):
    with pytest.raises(UserError, match="has a question mark in its name, wanted a name without one"):
        EmbeddedStore(tmp_path / "what?now", Settings(data=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, 3]),
        pa.array(["a", None, ""]),
        pa.array([True, None, False]),
        pa.array([1.5, None, -2.25]),
        pa.array([1, None, 2**64 - 1], pa.uint64()),
        pa.array([["a", "b"], ["c"], []], pa.list_(pa.string())),
        pa.array([0, None, 3], pa.timestamp("us", "UTC")),
    ],
)
@pytest.mark.parametrize("rows", [0, 3])
def test_arrow_columns_survive_the_engine(store, column, rows):
    given = pa.table({"c": column}).slice(0, rows)
    got = store.query("SELECT c FROM Python(given)", tables={"given": given})
    assert got["c"].to_pylist() == given["c"].to_pylist()


def test_dictionary_and_large_strings_and_null_columns_are_read(store):
    given = pa.table(
        {
            "d": pa.array(["x", None]).dictionary_encode(),
            "l": pa.array(["x", None], pa.large_string()),
            "n": pa.nulls(2),
            "e": pa.array([["a"], None], pa.list_(pa.string())),
        }
    )
    assert store.query("SELECT * FROM Python(given)", tables={"given": given}).to_pylist() == [
        {"d": "x", "l": "x", "n": None, "e": ["a"]},
        {"d": None, "l": None, "n": None, "e": []},
    ]


def test_sliced_and_chunked_tables_keep_their_rows(store):
    given = pa.concat_tables([pa.table({"i": [1, 2, 3], "s": ["a", None, "c"]})] * 3).slice(2, 5)
    got = store.query("SELECT i, s FROM Python(given)", tables={"given": given}, settings={"max_threads": 1})
    assert got.to_pylist() == given.to_pylist()


def test_two_tables_with_names_of_the_callers_variables_do_not_mix(store):
    left = pa.table({"k": [1, 2]})
    got = store.query(
        "SELECT sum(l.k * r.k) AS s FROM Python(a) AS l JOIN Python(b) AS r ON l.k = r.k",
        tables={"a": left, "b": pa.table({"k": [2, 3]})},
    )
    assert got["s"].to_pylist() == [4]


def test_stream_gives_every_row_and_a_schema_without_rows(store):
    batches = list(store.stream("SELECT number AS n FROM numbers(200000)"))
    assert len(batches) > 1
    assert sum(batch.num_rows for batch in batches) == 200000
    (empty,) = store.stream("SELECT number AS n, 'x' AS s FROM numbers(10) WHERE 0")
    assert empty.num_rows == 0
    assert empty.schema.names == ["n", "s"]


def test_stream_closed_early_frees_its_connection(store):
    stream = store.stream("SELECT number FROM numbers(100000000000)", sid="early")
    next(stream)
    stream.close()
    assert store.query("SELECT 1 AS one")["one"].to_pylist() == [1]
    deadline = time.monotonic() + 5
    while store.progress("early") is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_error_in_the_middle_of_a_stream_is_raised(store):
    with pytest.raises(EngineError) as caught:
        list(store.stream("SELECT throwIf(number = 300000) FROM numbers(1000000)"))
    assert caught.value.name == "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"


def test_cancel_stops_a_running_query_and_progress_tells_of_it(store):
    raised = []

    def run():
        try:
            store.query(ENDLESS, sid="s1")
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 10
    while not ((seen := store.progress("s1")) and seen.read_rows):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert store.progress("another") is None
    assert store.query("SELECT 1 AS one")["one"].to_pylist() == [1]
    store.cancel("s1")
    thread.join(10)
    assert isinstance(raised[0], QueryCancelled)
    assert store.progress("s1") is None


def test_a_failed_query_leaves_nothing_in_the_next_result(store):
    for _ in range(3):
        with pytest.raises(EngineError):
            store.query("SELECT throwIf(number = 5000000) FROM numbers(10000000)")
        assert store.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]
        with pytest.raises(EngineError):
            list(store.stream("SELECT throwIf(number = 300000) FROM numbers(1000000)"))
        assert store.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_constant_to_group_by_is_no_number_of_a_column(store):
    got = store.query("SELECT count() AS n, sum(number) AS s FROM numbers(4) GROUP BY 2, 0 ORDER BY 7")
    assert got.to_pylist() == [{"n": 4, "s": 6}]


def test_a_statement_may_nest_deep(store):
    deep = "0"
    for _ in range(600):
        deep = f"plus({deep}, 1)"
    assert store.query(f"SELECT {deep} AS n")["n"].to_pylist() == [600]


def test_limits_have_errors_of_their_own(store):
    with pytest.raises(TimeLimitExceeded):
        store.query(ENDLESS, settings={"max_execution_time": 0.1})
    with pytest.raises(MemoryLimitExceeded):
        store.query("SELECT groupArray(number) FROM numbers(100000000)", settings={"max_memory_usage": 10_000_000})


def test_a_join_that_outgrows_its_memory_goes_to_disk(store):
    allowed = store.query("SELECT getSetting('max_bytes_before_external_join') AS n")["n"][0].as_py()
    assert allowed == Settings(data=Path("unused")).search.max_memory_bytes // 4
    keys = "SELECT concat('user', toString(number)) AS {} {} FROM numbers(2000000)"
    join = (
        "SELECT count() AS n, sum(length(b)) AS size"
        f" FROM ({keys.format('k', '')}) AS l"
        f" INNER JOIN ({keys.format('k2', ', repeat(toString(number), 10) AS b')}) AS r ON k = k2"
    )
    little = {"max_memory_usage": 300_000_000}
    with pytest.raises(MemoryLimitExceeded):
        store.query(
            join, settings={**little, "max_bytes_before_external_join": 0, "max_bytes_ratio_before_external_join": 0}
        )
    row = store.query(join, settings={**little, "max_bytes_before_external_join": 100_000_000}).to_pylist()[0]
    assert row == {"n": 2_000_000, "size": sum(len(str(n)) * 10 for n in range(2_000_000))}


def test_error_texts_lose_the_engines_decoration(store):
    with pytest.raises(EngineError) as caught:
        store.query("SELECT nope")
    assert caught.value.code == 47
    assert caught.value.name == "UNKNOWN_IDENTIFIER"
    assert "Code:" not in str(caught.value)
    assert "DB::Exception" not in str(caught.value)
    assert "`nope`" in str(caught.value)


def test_appended_events_keep_types_and_leave_out_nulls(store):
    table = pa.table(
        {
            "_time": [1763900000.123456, None],
            "host": ["web-1", None],
            "_raw": ["hello", None],
            "n": pa.array([1, None]),
            "x": [1.5, float("nan")],
            "ok": [True, None],
            "tags": pa.array([["a", "b"], None], pa.list_(pa.string())),
            'odd "name`': ["é\n'", None],
            "a.b": ["dotted", ""],
        }
    )
    assert store.append_events("main", table) == 2
    rows = store.query(
        "SELECT toFloat64(_time) AS t, host, _raw, toString(fields) AS f FROM sightline.events ORDER BY _time"
    ).to_pylist()
    assert rows[0]["t"] == pytest.approx(1763900000.123456, abs=1e-6)
    assert rows[0]["host"] == "web-1"
    assert rows[0]["f"] == ('{"a":{"b":"dotted"},"n":1,"odd \\"name`":"é\\n\'","ok":true,"tags":["a","b"],"x":1.5}')
    assert rows[1]["f"] == '{"a":{"b":""}}'
    assert abs(rows[1]["t"] - time.time()) < 60


def test_equal_appends_are_both_kept_unless_they_share_a_token(store):
    table = pa.table({"_time": [1.0], "_raw": ["same"]})
    store.append_events("main", table)
    store.append_events("main", table)
    store.append_events("main", table, token="once")
    store.append_events("main", table, token="once")
    assert store.query("SELECT count() AS n FROM sightline.events")["n"].to_pylist() == [3]


def test_appended_metrics_have_text_dimensions(store):
    table = pa.table({"metric_name": ["acc"], "_time": [5.5], "value": ["0.75"], "fold": [3], "model": ["m"]})
    store.append_metrics("scores", table)
    row = store.query("SELECT metric_name, toFloat64(_time) AS t, value, type, toString(dims) AS d FROM sightline.metrics")
    assert row.to_pylist() == [
        {"metric_name": "acc", "t": 5.5, "value": 0.75, "type": "gauge", "d": '{"fold":"3","model":"m"}'}
    ]
    with pytest.raises(UserError, match='need a column "value"'):
        store.append_metrics("scores", pa.table({"metric_name": ["acc"]}))


def test_what_no_point_has_is_not_written_and_reads_as_absent(store):
    bare = pa.table({"metric_name": ["m", "m"], "value": [1.0, 2.0]})
    store.append_metrics("bare", bare)
    written = store.query(
        "SELECT DISTINCT column FROM system.parts_columns WHERE table = 'metrics' AND active AND startsWith(partition, '(\\'bare')"
    )["column"].to_pylist()
    assert "value" in written and not {"dims", "bounds", "exemplars", "count"} & set(written)
    assert store.json_paths("metrics", ["bare"]) == {}
    store.append_metrics("bare", bare.append_column("zone", pa.array(["a", None])))
    absent = (
        "SELECT count() AS n, countIf(isNull(count) AND empty(bounds) AND exemplars = '' AND unit = '') AS absent,"
        " countIf(dims.zone::String = 'a') AS zones, countIf(toString(dims) = '{}') AS without"
        " FROM sightline.metrics WHERE index = 'bare'"
    )
    for _ in range(2):
        assert set(store.json_paths("metrics", ["bare"])) == {"zone"}
        assert store.query(absent).to_pylist() == [{"n": 4, "absent": 4, "zones": 1, "without": 3}]
        store.execute("OPTIMIZE TABLE sightline.metrics FINAL")


def test_merges_give_way_like_statements(store):
    setting = "SELECT value FROM system.server_settings WHERE name = 'os_threads_nice_value_merge_mutate'"
    assert store.query(setting)["value"].to_pylist() == [str(SearchSettings().niceness)]


def test_what_no_span_has_is_not_written_and_reads_as_absent(store):
    insert = "INSERT INTO sightline.spans (index, _time, trace_id, name, status_message) VALUES ('bare', 1, '{}', 'a', '{}')"
    written = "SELECT DISTINCT column FROM system.parts_columns WHERE table = 'spans' AND active AND startsWith(partition, '(\\'bare')"
    store.execute(insert.format("t1", ""))
    assert "name" in (columns := store.query(written)["column"].to_pylist())
    assert not {"links", "events", "status_message", "fields"} & set(columns)
    store.execute(insert.format("", "failed"))
    rows = (
        "SELECT trace_id, name, status_message, links, events, toString(fields) AS f FROM sightline.spans ORDER BY trace_id"
    )
    bare = {"name": "a", "links": "", "events": "", "f": "{}"}
    for _ in range(2):
        assert store.query(rows).to_pylist() == [
            {"trace_id": "", "status_message": "failed", **bare},
            {"trace_id": "t1", "status_message": "", **bare},
        ]
        found = store.query("SELECT count() AS n FROM sightline.spans WHERE trace_id = 't1'")
        assert found["n"].to_pylist() == [1]
        store.execute("OPTIMIZE TABLE sightline.spans FINAL")


def test_json_paths_follow_inserts_and_merges(store):
    assert store.json_paths("events") == {}
    store.append_events("main", pa.table({"_time": [1.0], "a.b": [1], "tags": pa.array([["x"]])}))
    expected = {"a.b": frozenset({"Int64"}), "tags": frozenset({"Array(Nullable(String))"})}
    assert store.json_paths("events") == expected
    store.append_events("it's", pa.table({"_time": [1.0], "a.b": ["text"], "other": [True]}))
    assert store.json_paths("events", ["main"]) == expected
    assert store.json_paths("events", ["it's"]) == {"a.b": frozenset({"String"}), "other": frozenset({"Bool"})}
    assert store.json_paths("events")["a.b"] == frozenset({"Int64", "String"})
    store.append_events("main", pa.table({"_time": [2.0], "a.b": [2.5]}))
    store.execute("OPTIMIZE TABLE sightline.events FINAL")
    assert store.json_paths("events", ["main"])["a.b"] == frozenset({"Int64", "Float64"})


def test_json_paths_beyond_the_limit_of_the_column_are_found(store):
    wide = pa.table({"_time": [1.0], **{f"f{i:04}": [i] for i in range(1500)}})
    store.append_events("wide", wide)
    assert len(store.json_paths("events", ["wide"])) == 1500


def test_indexes_report_rows_and_bounds_and_can_be_deleted(store):
    store.append_events("main", pa.table({"_time": [10.0, 20.5], "_raw": ["a", "b"]}))
    store.append_metrics("m", pa.table({"metric_name": ["x"], "_time": [7.0], "value": [1.0]}))
    metric, main = store.indexes()
    assert (main.name, main.datatype, main.rows, main.min_time, main.max_time) == ("main", "event", 2, 10.0, 20.5)
    assert main.bytes_on_disk > 0
    assert (metric.name, metric.datatype, metric.rows) == ("m", "metric", 1)
    store.delete_index("main")
    assert [status.name for status in store.indexes()] == ["m"]
    store.delete_index("m")
    assert store.indexes() == []


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        ("hasAllTokens(lowerUTF8(_raw), 'needle')", 1),
        ("hasAllTokens(lowerUTF8(_raw), 'élan')", 1),
        ("hasAllTokens(lowerUTF8(_raw), 'needl')", 0),
        ("hasAllTokens(lowerUTF8(_raw), 'level=info a') AND position(lowerUTF8(_raw), 'level=info a') > 0", 1),
        ("lowerUTF8(_raw) LIKE '%eedl%'", 1),
    ],
)
def test_text_search_is_case_insensitive_and_by_word(store, predicate, found):
    store.append_events("main", pa.table({"_raw": ["a Needle_in ÉLAN", "level=INFO a", "other"]}))
    assert store.query(f"SELECT count() AS n FROM sightline.events WHERE {predicate}")["n"].to_pylist() == [found]


def test_a_rare_word_is_answered_by_the_text_index(store):
    store.execute(
        "INSERT INTO sightline.events (index, _time, _raw) SELECT 'main', now64(6),"
        " concat('row ', toString(number)) FROM numbers(200000)"
    )
    plan = store.query("EXPLAIN indexes = 1 SELECT _raw FROM sightline.events WHERE hasAllTokens(lowerUTF8(_raw), '123456')")
    text = "\n".join(plan.column(0).to_pylist())
    assert "raw_text" in text
    assert "Granules: 1/" in text


def test_reopening_keeps_data_and_a_newer_schema_is_refused(tmp_path):
    settings = Settings(data=tmp_path)
    with EmbeddedStore(tmp_path / "engine", settings) as first:
        first.append_events("main", pa.table({"_raw": ["kept"]}))
    with EmbeddedStore(tmp_path / "engine", settings) as second:
        assert second.query("SELECT _raw FROM sightline.events")["_raw"].to_pylist() == ["kept"]
        second.execute("INSERT INTO sightline.schema_versions SELECT 9999, 'future', now64(3)")
    with pytest.raises(UserError, match="version 9999"):
        EmbeddedStore(tmp_path / "engine", settings)


def test_the_limit_of_paths_in_the_code_is_the_schemas(store):
    for table, column in (("events", "fields"), ("spans", "fields"), ("metrics", "dims")):
        (kind,) = store.query(
            f"SELECT type FROM system.columns WHERE database = 'sightline' AND table = '{table}' AND name = '{column}'"
        )["type"].to_pylist()
        assert kind in (JSON_TYPE, JSON_TYPE.replace(" = ", "="))


def test_opening_raises_the_limit_of_open_files(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        with EmbeddedStore(tmp_path / "engine", Settings(data=tmp_path)):
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, 1 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_fields_are_listed_again_after_every_write_and_only_then(store) -> None:
    store.append_events("kept", pa.table({"_time": [1.0], "first": [1]}))
    assert set(store.json_paths("events", ["kept"])) == {"first"}
    looks = []
    original = store._paths.read
    store._paths.read = lambda *given: looks.append(given) or original(*given)
    try:
        assert set(store.json_paths("events", ["kept"])) == {"first"} and not looks
        store.append_events("kept", pa.table({"_time": [2.0], "second": [1]}))
        assert set(store.json_paths("events", ["kept"])) == {"first", "second"} and len(looks) == 1
        store.delete_index("kept")
        assert set(store.json_paths("events", ["kept"])) == set()
    finally:
        store._paths.read = original


def test_a_search_has_the_threads_and_the_niceness_of_the_settings(store) -> None:
    from dataclasses import replace

    asked = "SELECT name, value FROM system.settings WHERE name IN ('max_threads', 'os_threads_nice_value_query')"
    previous = store._settings
    store._settings = replace(previous, search=replace(previous.search, max_threads=1, niceness=7))
    try:
        found = {row["name"]: row["value"] for row in store.query(asked).to_pylist()}
    finally:
        store._settings = previous
    assert found == {"max_threads": "1", "os_threads_nice_value_query": "7"}


# ---- what is kept decompressed ---------------------------------------------------------------------------------------


def _cache_hits(store, sql: str) -> int:
    """How many blocks a statement finds decompressed, run for the second time."""
    store.query(sql)
    read = "SELECT sum(value) AS n FROM system.events WHERE event = 'UncompressedCacheHits'"
    before = store.query(read)["n"][0].as_py()
    store.query(sql)
    return store.query(read)["n"][0].as_py() - before


@pytest.fixture
def numbers(store):
    store.append_events("main", pa.table({"n": list(range(1000)), "_raw": ["x" * 50] * 1000}))
    return "SELECT {} FROM sightline.events WHERE index = 'main'"


def test_columns_of_fields_that_are_read_again_are_not_decompressed_again(store, numbers):
    assert _cache_hits(store, numbers.format("max(`n:Int64`)")) > 0


def test_texts_of_events_push_nothing_out_of_the_cache(store, numbers):
    assert _cache_hits(store, numbers.format("max(length(`_raw`)), max(`n:Int64`)")) == 0


def test_what_has_no_room_is_read_past_the_cache(tmp_path):
    settings = load_settings(tmp_path)
    small = dataclasses.replace(settings, search=dataclasses.replace(settings.search, cache_bytes=10_000))
    store = EmbeddedStore(tmp_path / "engine", small)
    try:
        store.append_events("main", pa.table({"n": list(range(1000))}))
        assert _cache_hits(store, "SELECT max(`n:Int64`) FROM sightline.events WHERE index = 'main'") == 0
    finally:
        store.close()
