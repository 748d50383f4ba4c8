"""Real data sets as Arrow tables, and as the data frames that scikit-learn is given to compare with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import datasets

from sightline.ml import Context, ModelRegistry

LOADERS = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
CLASSIFIED = ("iris", "wine", "breast_cancer", "digits")


@dataclass
class Dataset:
    """The same rows twice. Two features are turned into text by binning; `mixed` holds them among the others."""

    name: str
    frame: pd.DataFrame
    features: list[str]
    mixed: list[str]
    target: str

    @property
    def table(self) -> pa.Table:
        return pa.Table.from_pandas(self.frame, preserve_index=False)

    def encoded(self, features: list[str]) -> pd.DataFrame:
        """What scikit-learn is given: pandas' own one-hot columns."""
        return pd.get_dummies(self.frame[features], prefix_sep="=")


def load(name: str) -> Dataset:
    bunch = LOADERS[name]()
    features = [str(feature).replace(" ", "_") for feature in bunch.feature_names]
    frame = pd.DataFrame(bunch.data, columns=features)
    binned = features[2:4] if name != "digits" else features[20:22]
    for feature in binned:
        cuts = np.quantile(frame[feature], [0.3, 0.7])
        frame[f"{feature}_level"] = np.array(["low", "mid=dle", "high"])[np.searchsorted(cuts, frame[feature])]
    mixed = [features[0], f"{binned[0]}_level", features[1], f"{binned[1]}_level", *features[4:8]]
    if name in ("iris", "wine", "breast_cancer"):
        frame["outcome"] = np.array(bunch.target_names, dtype=object)[bunch.target]
    else:
        frame["outcome"] = bunch.target
    return Dataset(name, frame, features, [f for f in mixed if f in frame], "outcome")


@pytest.fixture(scope="session")
def data():
    """Gives a data set by name."""
    loaded: dict[str, Dataset] = {}

    def get(name: str) -> Dataset:
        if name not in loaded:
            loaded[name] = load(name)
        return loaded[name]

    return get


@pytest.fixture
def registry(tmp_path):
    return ModelRegistry(tmp_path / "models", clock=lambda: 1_700_000_000.0)


@pytest.fixture
def context():
    return Context(owner="ada", app="search", search="index=x | fit ...", now=1_700_000_000.0)


def pytest_configure(config):
    """Some fits stop early on purpose; what scikit-learn then warns of is told as a message and tested as such."""
    config.addinivalue_line("filterwarnings", "ignore::sklearn.exceptions.ConvergenceWarning")
    config.addinivalue_line("filterwarnings", "ignore::sklearn.exceptions.UndefinedMetricWarning")
    config.addinivalue_line("filterwarnings", "ignore:The test statistic is outside")
