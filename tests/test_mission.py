"""The search the project exists for, byte for byte as it is pasted from a web page, against scikit-learn itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn import datasets, metrics
from sklearn.ensemble import RandomForestClassifier

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine

MISSION = (Path(__file__).parent.parent / "examples" / "mission.spl").read_bytes().decode()
NOW = 1_700_000_000.0
DATA = {
    "wine": (datasets.load_wine, {"color": "color_intensity", "strength": "alcohol"}),
    "breast_cancer": (datasets.load_breast_cancer, {"size": "mean area"}),
    "digits": (datasets.load_digits, {}),
    "iris": (datasets.load_iris, {"petal": "petal length (cm)"}),
}
"""Loader and the features that are turned into text (by thirds), by the name the text feature gets."""


class Shop:
    """A data set as events, newest first in `table`, and an engine to search them with."""

    def __init__(self, store, folder: Path, name: str) -> None:
        loader, text_features = DATA[name]
        data = loader()
        names = [str(n).replace("/", "_") for n in getattr(data, "feature_names", range(data.data.shape[1]))]
        columns: dict[str, np.ndarray] = {n: data.data[:, i] for i, n in enumerate(names)}
        for text_name, source in text_features.items():
            columns[text_name] = thirds(columns.pop(source))
        self.features = list(columns)
        self.categorical = list(text_features)
        rows = len(data.data)
        user = np.array([str(c) for c in data.target_names])[data.target]
        order = np.random.default_rng(3).permutation(rows)
        self.table = {k: x[order] for k, x in columns.items()} | {
            "user": user[order],
            "partition": np.where(np.arange(rows) % 3 == 0, "test", "train"),
            "_time": NOW - 1 - np.arange(rows) * 1.0,
        }
        catalog = Catalog(folder)
        for index, datatype in (("my_latest_data", "event"), ("my_model_metrics", "metric")):
            catalog.indexes.ensure(index, datatype)
        store.delete_index("my_latest_data")
        store.delete_index("my_model_metrics")
        store.append_events("my_latest_data", pa.table(self.table))
        self.engine = SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), Settings(data=folder))

    def rows(self, partition: str) -> dict[str, np.ndarray]:
        chosen = self.table["partition"] == partition
        return {k: x[chosen] for k, x in self.table.items()}

    def matrix(self, rows: dict[str, np.ndarray], encoded: list[str]) -> np.ndarray:
        """Columns in the order the model names them: a number as it is, `field=value` as 0 or 1."""
        columns = []
        for name in encoded:
            if name in rows:
                columns.append(rows[name])
            else:
                field, _, value = name.rpartition("=")
                columns.append((rows[field] == value).astype(float))
        return np.column_stack(columns)

    def run(self, text: str) -> list[dict]:
        return self.engine.run(text, now=NOW).table.to_pylist()


def thirds(values: np.ndarray) -> np.ndarray:
    """Which third of the values each lies in, in words."""
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    return np.where(values < low, "low", np.where(values < high, "middle", "high"))


@pytest.mark.parametrize("name", DATA)
def test_the_mission_equals_scikit_learn(store, tmp_path: Path, name: str) -> None:
    assert "\u00a0" in MISSION, "the text carries the no-break spaces it was pasted with"
    shop = Shop(store, tmp_path, name)
    listed = " ".join(f'"{n}"' for n in shop.features)
    shop.run(
        f'index=my_latest_data partition="train" | fit RandomForestClassifier user from {listed} random_state=11 n_estimators=30 into usermodel'
    )
    encoded = [row["feature"] for row in shop.run("| summary usermodel")]
    assert any("=" in feature for feature in encoded) == bool(shop.categorical)
    train, test = shop.rows("train"), shop.rows("test")
    forest = RandomForestClassifier(n_estimators=30, random_state=11).fit(shop.matrix(train, encoded), train["user"])
    predicted = forest.predict(shop.matrix(test, encoded))

    found = {(r["metric_name"], r["operation"]): r["_value"] for r in shop.run(MISSION)}

    classes = sorted(set(test["user"]) | set(predicted))
    expected: dict[tuple[str, str], float] = {}
    matrix = metrics.confusion_matrix(test["user"], predicted, labels=classes)
    scores = metrics.precision_recall_fscore_support(test["user"], predicted, labels=classes)
    for i, actual in enumerate(classes):
        for j, guess in enumerate(classes):
            expected[f"mlops.username.confusion_matrix.actual({actual})", f"predicted({guess})"] = matrix[i][j]
        for method, values in zip(("precision", "recall", "fbeta_score", "support"), scores, strict=True):
            expected[f"mlops.username.score.{method}", f"scored({actual})"] = values[i]
    for feature, importance in zip(encoded, forest.feature_importances_, strict=True):
        expected["mlops.username.feature_importance", feature.replace("=", "#")] = importance
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-12), key

    # What was written to the metrics index is what was shown.
    stored = shop.run(
        '| mstats latest(_value) AS v WHERE index=my_model_metrics metric_name="mlops.username.*" BY metric_name operation'
    )
    assert {(r["metric_name"], r["operation"]): r["v"] for r in stored} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("search", "message", "position"),
    [
        ("index=my_latest_data | apply nosuchmodel", 'model "nosuchmodel"', (1, 24)),
        ("index=my_latest_data | score confusion_matrx user against partition", "confusion_matrx", (1, 30)),
        ("index=my_latest_data | fit RandomForest user from alcohol", "RandomForest", (1, 28)),
        ("index=my_latest_data | fitt x", '"fitt"', (1, 24)),
    ],
)
def test_mistakes_are_named_where_they_stand(
    store, tmp_path: Path, search: str, message: str, position: tuple[int, int]
) -> None:
    from sightline.errors import SearchError

    shop = Shop(store, tmp_path, "wine")
    with pytest.raises(SearchError) as caught:
        shop.run(search)
    assert message in caught.value.message
    assert caught.value.span is not None
    assert caught.value.span.line_and_column(search) == position
