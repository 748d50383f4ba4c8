"""`trendline` against pandas and its written definition, `timewrap` over a change of the clock, plans without rows."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine

NOW = 1_700_000_000.0
ROWS = 400
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def engine(store, tmp_path_factory) -> SearchEngine:
    folder = tmp_path_factory.mktemp("series")
    catalog = Catalog(folder)
    catalog.indexes.ensure("web", "event")
    random = np.random.default_rng(4)
    values = np.where(random.random(ROWS) < 0.1, np.nan, random.normal(50, 20, ROWS))
    store.append_events(
        "web",
        pa.table(
            {
                "_time": NOW - 1 - np.arange(ROWS),
                "n": np.arange(ROWS),
                "x": pa.array(values, from_pandas=True),
                "user": pa.array([f"u{n % 7}" for n in range(ROWS)]),
            }
        ),
    )
    return SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), Settings(data=folder))


def column(engine: SearchEngine, text: str, name: str, **options) -> np.ndarray:
    table = engine.run(text, now=NOW, **options).table
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)


@pytest.mark.parametrize("period", [2, 5, 20, 150])
def test_moving_averages_are_those_of_pandas(engine: SearchEngine, period: int) -> None:
    text = f"index=web | sort n | trendline sma{period}(x) AS s wma{period}(x) AS w | table n x s w"
    x = pd.Series(column(engine, text, "x"))
    numbers = x.dropna()
    plain = numbers.rolling(period).mean().reindex(x.index)
    weights = np.arange(1, period + 1) / np.arange(1, period + 1).sum()
    weighted = numbers.rolling(period).apply(lambda window: (window * weights).sum(), raw=True).reindex(x.index)
    np.testing.assert_allclose(column(engine, text, "s"), plain, rtol=1e-9)
    np.testing.assert_allclose(column(engine, text, "w"), weighted, rtol=1e-7)


@pytest.mark.parametrize("period", [2, 5, 20])
def test_the_exponential_average_is_its_recurrence(engine: SearchEngine, period: int) -> None:
    text = f"index=web | sort n | trendline ema{period}(x) AS e | table n x e"
    x, found = column(engine, text, "x"), column(engine, text, "e")
    kept, average, seen = 2 / (period + 1), 0.0, 0
    for number, result in zip(x, found, strict=True):
        if np.isnan(number):
            assert np.isnan(result)
            continue
        seen += 1
        average = number if seen == 1 else kept * average + (1 - kept) * number
        assert np.isnan(result) if seen < period else result == pytest.approx(average, rel=1e-9)


def test_days_are_folded_by_the_clock_on_the_wall(engine: SearchEngine) -> None:
    # Clocks in Berlin went back at 1698541200 (2023-10-29 03:00), so that this day has 25 hours.
    text = (
        '| makeresults count=3 | streamstats count AS i | eval _time=strptime(mvindex(split("2023-10-28 12:00,'
        '2023-10-29 12:00,2023-10-30 12:00", ","), i-1), "%Y-%m-%d %H:%M"), n=i, _span=86400 | table _time n _span'
        " | timewrap 1d series=short"
    )
    table = engine.run(text, now=NOW, zone=BERLIN).table
    assert table.num_rows == 1
    assert [table[name].to_pylist() for name in ("s2", "s1", "s0")] == [[1], [2], [3]]


PLANNED = [
    "trendline sma5(n) ema3(n) wma2(n)", "predict n", "x11 add7(n)", "timewrap 1d", "makecontinuous n span=2",
    "fieldsummary", "outlier n", "anomalousvalue n", "anomalydetection n user", "anomalies field=user", "cluster field=user",
    "kmeans k=2 n", "contingency user n", "associate user n", "arules user n", "correlate", "cofilter user n",
    "analyzefields classfield=user", "findtypes", "typelearner", "findkeywords labelfield=user", "bucketdir pathfield=user sizefield=n", "folderize attr=user", "relevancy",
    "chart count over n by user", "chart count over n span=5", "timechart span=1h count by n",
]  # fmt: skip


@pytest.mark.parametrize("command", PLANNED)
def test_a_plan_reads_no_rows(engine: SearchEngine, command: str) -> None:
    stages = engine.explain(f"index=web | {command}", now=NOW)
    assert stages[-1]["name"] == "fields"


IN_ONE_STATEMENT = [
    "trendline sma5(n) ema3(n) wma2(n)",
    "fieldsummary",
    "outlier n",
    "cofilter user n",
    "associate supcnt=1 user",
    "relevancy",
]


@pytest.mark.parametrize("command", IN_ONE_STATEMENT)
def test_these_run_in_the_engine_as_one_statement(engine: SearchEngine, command: str) -> None:
    result = engine.run(f"index=web | {command}", now=NOW)
    assert [step.kind for step in result.steps] == ["sql"]
