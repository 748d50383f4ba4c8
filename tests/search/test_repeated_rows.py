"""Relations whose nodes are shared: a statement that would repeat itself holds rows instead, and one too large is refused."""

import dataclasses

import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.errors import SearchError
from sightline.search.engine import SearchEngine
from sightline.search.planner import sql
from sightline.search.planner import values as v
from sightline.search.planner.lookups import Use, joined_lookup
from sightline.search.planner.relation import Filter, Rows, Union, distinct_nodes
from sightline.search.planner.rules import rewrite
from sightline.search.planner.values import Column, Type

LOOKUPS = 14
"""Each doubles what the statement would be: together they would make it sixteen thousand times as long."""


STAGES = [
    f'| eval p{n}=if(n%2=0, "/api/{n}", "{n}.png") | lookup paths path AS p{n} OUTPUT kind AS kind{n}'
    for n in range(LOOKUPS)
]
LOOKED_UP = "| makeresults count=4 | streamstats count AS n " + " ".join(STAGES)


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(tmp_path)
    catalog.lookups.write("paths", pa.table({"path": ["/api/*", "*.png"], "kind": ["machine", "picture"]}))
    catalog.stanzas["transforms"].put("paths", {"filename": "paths.csv", "match_type": "WILDCARD(path)", "max_matches": "1"})
    catalog.lookups.write("exact", pa.table({"path": ["/3", "/5"], "kind": ["third", "fifth"]}))
    yield catalog
    catalog.close()


@pytest.fixture
def engine(catalog, store, tmp_path):
    return SearchEngine(store, CatalogKnowledge(catalog), None, Settings(data=tmp_path))


def test_many_lookups_by_wildcard_in_a_row_are_answered(engine):
    found = engine.run(LOOKED_UP + " | sort n | table n kind*").table.to_pylist()
    assert [row["n"] for row in found] == [1, 2, 3, 4]
    for row in found:
        wanted = "picture" if row["n"] % 2 else "machine"
        assert {row[f"kind{n}"] for n in range(LOOKUPS)} == {wanted}


def test_their_statements_stay_short(engine):
    statements = [stage["text"] for stage in engine.explain(LOOKED_UP) if stage["name"].endswith("sql")]
    assert statements and max(map(len, statements)) < 1_000_000


@pytest.mark.parametrize("only_some", [False, True])
def test_a_field_that_many_configured_lookups_fill_is_written_once_for_each(engine, only_some):
    context = engine.context()
    relation = context.relation_of(pa.table({"path": ["/3", "/4", "/5"], "kind": ["given", None, None]}))
    read_where = v.compare("=", relation.field("path"), v.text("/5")) if only_some else v.TRUE
    for _ in range(LOOKUPS):
        use = Use("exact", [("path", "path")], [("kind", "kind")], only_new=True)
        relation, found = joined_lookup(relation, use, context, read_where=read_where)
        relation = dataclasses.replace(relation, fields=relation.fields | found)
    assert relation.field("kind").size < 100 * LOOKUPS
    assert context.table_of(relation, ["kind"])["kind"].to_pylist() == ["given", None, "fifth"]


def test_a_node_that_is_shared_is_rewritten_once():
    node = Rows("rows", ("a",))
    for _ in range(60):
        node = Union((Filter(node, Column(Type.BOOL, "a")), Filter(node, Column(Type.BOOL, "a"))))
    assert node.written == 4 * 2**60 - 3 and distinct_nodes(node) == 181
    assert distinct_nodes(rewrite(node)) <= 181


def test_a_statement_of_too_many_parts_is_refused():
    node = Rows("rows", ("a",))
    for _ in range(60):
        node = Union((node, node))
    with pytest.raises(SearchError, match="a statement of more than 5,000 parts"):
        sql.Writer().query(node, [("a", Column(Type.INT, "a"))])


def test_the_same_value_has_the_same_fingerprint_and_others_have_others():
    given = [
        v.text("a"), v.text("b"), v.integer(1), v.real(1.0), v.TRUE, v.NULL, Column(Type.TEXT, "a"), Column(Type.INT, "a"),
        v.call("f", v.text("a"), v.text("b"), type=Type.TEXT), v.call("f", v.text("ab"), type=Type.TEXT),
        v.call("f", v.call("f", v.text("a"), type=Type.TEXT), v.text("b"), type=Type.TEXT),
        v.agg("f", v.text("a"), v.text("b"), type=Type.TEXT), v.multi(["a", "b"]), v.multi(["a,b"]),
        v.Lambda(Type.TEXT, ("a",), v.text("b")), v.Over(Type.INT, v.agg("count", type=Type.INT), (v.text("a"),)),
        v.Over(Type.INT, v.agg("count", type=Type.INT), (), ((v.text("a"), True),)),
        v.Over(Type.INT, v.agg("count", type=Type.INT), (), ((v.text("a"), False),)),
    ]  # fmt: skip
    assert len({value.fingerprint for value in given}) == len(given)
    assert v.call("f", v.text("a"), type=Type.TEXT).fingerprint == v.call("f", v.text("a"), type=Type.TEXT).fingerprint
