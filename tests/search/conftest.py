"""What tests of functions share: rows held in memory, expressions evaluated over them by the real engine."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

import pyarrow as pa
import pytest

from sightline.config import Settings
from sightline.errors import Span
from sightline.search.context import Context
from sightline.search.engine import SearchEngine
from sightline.search.functions import AggregateInput, find_aggregate
from sightline.search.planner.lower import lower_expression
from sightline.search.syntax.expressions import ExpressionReader
from sightline.search.syntax.tokens import expression_tokens

NOW = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC, a Tuesday."""


class Calculator:
    """Evaluates expressions and aggregates over a table, in the engine, without any command."""

    def __init__(self, engine: SearchEngine) -> None:
        self.engine = engine

    def context(self, zone: tzinfo = UTC, **options: Any) -> Context:
        return self.engine.context(now=NOW, zone=zone, **options)

    def values(self, expression: str, table: pa.Table | None = None, zone: tzinfo = UTC) -> list[Any]:
        """The expression for each row of the table; for one row without fields when there is none."""
        context = self.context(zone)
        relation = context.relation_of(table if table is not None else pa.table({"one": [1]}))
        value = lower_expression(read(expression), relation, context)
        result = context.table_of(relation.with_field("result", value), ["result"])
        if "result" not in result.column_names:
            return [None] * (table.num_rows if table is not None else 1)
        return [None if x == [] else x for x in result["result"].to_pylist()]

    def value(self, expression: str, zone: tzinfo = UTC) -> Any:
        """A constant expression."""
        return self.values(expression, zone=zone)[0]

    def aggregate(self, name: str, table: pa.Table, argument: str | None = "x", by: str = "", **given: Any) -> list[Any]:
        """An aggregate over the table, per value of `by` in its order."""
        context = self.context()
        relation = context.relation_of(table)
        relation, position = relation.position_key()
        entry, parameter = find_aggregate(name)
        value = None if argument is None else lower_expression(read(argument), relation, context)
        asked = AggregateInput(position, relation.field("_time"), parameter=parameter, **given)
        keys = [(by, relation.field(by))] if by else []
        result = context.table_of(relation.aggregated(keys, [("result", entry.lower(value, asked))]))
        return [None if x == [] else x for x in result["result"].to_pylist()]


def read(expression: str) -> Any:
    """The expression's node."""
    return ExpressionReader(expression_tokens(expression, Span(0, len(expression)), {}), len(expression)).expression()


class NoKnowledge:
    """A catalog with one lookup."""

    def lookup(self, name: str) -> pa.Table | None:
        return pa.table({"user": ["ann", "bob"], "team": ["red", "blue"], "floor": [1, 2]}) if name == "people" else None

    def lookups(self) -> list[str]:
        return ["people"]

    def stanzas(self, kind: str) -> dict[str, dict[str, str]]:
        return {}

    def stanzas_version(self) -> int:
        return 0

    def collection(self, name: str) -> None:
        return None

    def index_datatype(self, name: str) -> str | None:
        return "event"

    def macro(self, name: str, argument_count: int) -> None:
        return None


@pytest.fixture(scope="module")
def calculate(store, tmp_path_factory) -> Calculator:
    settings = Settings(data=tmp_path_factory.mktemp("functions"))
    return Calculator(SearchEngine(store, NoKnowledge(), None, settings, lambda: NOW))
