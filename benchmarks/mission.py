"""The search that the project exists for, on 100,000 rows, against the bare scikit-learn calls on the same arrays.

    python -m benchmarks.mission [--rows 100000] [--repeat 3] [--write]

Both predict with the same forest and compute the same confusion matrix, scores and importances; the search also reads the
rows, reshapes the results and writes them as metrics. The goal is a time under 1.5 times that of scikit-learn.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
from sklearn import metrics
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier

from benchmarks.common import Knowledge, report
from sightline.config import load_settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.store import EmbeddedStore

MISSION = Path(__file__).parent.parent / "examples" / "mission.spl"
NOW = 1_700_000_000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="keep the results under benchmarks/results")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sightline-bench-"))
    try:
        rows = run(folder, arguments.rows, arguments.repeat)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report("mission", {"rows": arguments.rows, "repeat": arguments.repeat}, rows, write=arguments.write)


def wine(rows: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The wine data set drawn with replacement and a little noise, so that the forest has to work."""
    data = load_wine()
    generator = np.random.default_rng(7)
    chosen = generator.integers(0, len(data.data), rows)
    noise = generator.normal(0, data.data.std(axis=0) * 0.3, (rows, data.data.shape[1]))
    names = [name.replace("/", "_") for name in data.feature_names]
    return data.data[chosen] + noise, np.array(data.target_names)[data.target[chosen]], names


def run(folder: Path, rows: int, repeat: int) -> list[dict]:
    features, classes, names = wine(rows)
    settings = load_settings(folder)
    store = EmbeddedStore(folder / "engine", settings)
    knowledge = Knowledge({"my_latest_data": "event", "my_model_metrics": "metric"})
    engine = SearchEngine(store, knowledge, ModelRegistry(folder / "models"), settings)
    columns = {name: features[:, i] for i, name in enumerate(names)}
    columns |= {"user": classes, "partition": np.full(rows, "test"), "_time": NOW - np.arange(rows) * 0.001}
    store.append_events("my_latest_data", pa.table(columns))
    train = 5_000
    listed = " ".join(names)
    engine.run(
        f"index=my_latest_data | head {train} | fit RandomForestClassifier random_state=1 user from {listed} into usermodel"
    )
    forest = RandomForestClassifier(random_state=1, max_leaf_nodes=2000).fit(
        features[:train].astype("float32"), classes[:train]
    )
    text = MISSION.read_text()
    ours, theirs = [], []
    for _ in range(repeat):
        began = time.perf_counter()
        result = engine.run(text, now=NOW)
        ours.append(time.perf_counter() - began)
        assert result.table.num_rows > 20, result.table
        began = time.perf_counter()
        with joblib.parallel_config(backend="threading", n_jobs=2):
            predicted = forest.predict(features.astype("float32"))
        metrics.confusion_matrix(classes, predicted)
        metrics.precision_recall_fscore_support(classes, predicted)
        forest.feature_importances_.tolist()
        theirs.append(time.perf_counter() - began)
    store.close()
    mine, peer = statistics.median(ours), statistics.median(theirs)
    return [
        {
            "what": f"mission on {rows:,} rows",
            "ours_s": round(mine, 3),
            "scikit_learn_s": round(peer, 3),
            "ratio": round(mine / peer, 2),
            "within_goal": mine <= peer * 1.5,
        }
    ]


if __name__ == "__main__":
    main()
