"""FieldSelector, AutoPrediction and TFIDF against scikit-learn."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

from sightline.errors import UserError
from sightline.ml import ApplyRequest, FitRequest, apply, fit, summary


def test_selected_fields(data, registry):
    rows = data("wine")
    options = {"type": "categorical", "mode": "k_best", "param": "3"}
    request = FitRequest("FieldSelector", options, "outcome", rows.features, model_name="m")
    result = fit(rows.table, request, registry)
    direct = SelectKBest(f_classif, k=3).fit(rows.frame[rows.features], rows.frame.outcome)
    names = [f"fs_{feature}" for feature in direct.get_feature_names_out()]
    assert result.table.column_names == [*rows.table.column_names, *names]
    assert result.table.column(names[0]).to_pylist() == rows.frame[names[0].removeprefix("fs_")].tolist()
    table = summary(registry, "m", "admin")
    assert np.allclose(table.column("score").to_numpy(), direct.scores_)
    assert np.allclose(table.column("p-value").to_numpy(), direct.pvalues_)


def test_an_error_rate_must_be_a_share(data, registry):
    rows = data("diabetes")
    request = FitRequest("FieldSelector", {"mode": "fpr", "param": "2"}, "outcome", rows.features)
    with pytest.raises(UserError, match='option "param" must be above 0 and below 1 with mode=fpr, got "2"'):
        fit(rows.table, request, registry)


def test_a_judged_classifier(data, registry):
    rows = data("wine")
    options = {"test_split_ratio": "0.3", "random_state": "2", "n_estimators": "7"}
    fit(rows.table, FitRequest("AutoPrediction", options, "outcome", rows.mixed, model_name="m"), registry)
    encoded, labels = rows.encoded(rows.mixed).to_numpy(dtype="float32"), rows.frame.outcome.to_numpy()
    train, test = train_test_split(np.arange(len(labels)), test_size=0.3, random_state=2)
    direct = RandomForestClassifier(7, random_state=2).fit(encoded[train], labels[train])
    (row,) = summary(registry, "m", "admin").to_pylist()
    assert row["model type"] == "RandomForestClassifier"
    assert (row["num train data points"], row["num test data points"]) == (len(train), len(test))
    assert row["accuracy"] == accuracy_score(labels[test], direct.predict(encoded[test]))
    applied, _ = apply(rows.table, ApplyRequest("m"), registry, "admin")
    assert applied.column("predicted(outcome)").to_pylist() == direct.predict(encoded).tolist()


def test_a_judged_regressor(data, registry):
    rows = data("diabetes")
    fit(rows.table, FitRequest("AutoPrediction", {"random_state": "2"}, "outcome", ["bmi"], model_name="m"), registry)
    (row,) = summary(registry, "m", "admin").to_pylist()
    assert row["model type"] == "RandomForestRegressor"
    applied, _ = apply(rows.table, ApplyRequest("m"), registry, "admin")
    guess = applied.column("predicted(outcome)").to_numpy()
    assert row["RMSE"] == pytest.approx(root_mean_squared_error(rows.frame.outcome, guess))


def test_weights_of_words(registry):
    lines = ["disk full on web", "disk slow", "all fine on web", None, "new words only"]
    options = {"max_features": "4", "ngram_range": "1-2", "norm": "none"}
    table = pa.table({"line": lines})
    result = fit(table, FitRequest("TFIDF", options, None, ["line"], model_name="m"), registry)
    direct = TfidfVectorizer(max_features=4, ngram_range=(1, 2), norm=None)
    expected = direct.fit_transform([line for line in lines if line]).toarray()
    names = [f"line_tfidf_{index}_{word}" for index, word in enumerate(direct.get_feature_names_out())]
    assert result.table.column_names == ["line", *names]
    weights = result.table.select(names).take(pa.array([0, 1, 2, 4])).to_pandas().to_numpy()
    assert np.allclose(weights, expected)
    assert result.table.column(names[0])[3].as_py() is None


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
def test_gaps_are_filled(registry, strategy):
    values = np.array([1.0, np.nan, 3.0, 3.0, 8.0, -1.0])
    table = pa.table({"x": pa.array(values, from_pandas=True), "y": [1.0] * 6})
    options = {"strategy": strategy, "missing_values": "-1"}
    result = fit(table, FitRequest("Imputer", options, None, ["x", "y"], model_name="m"), registry)
    direct = SimpleImputer(strategy=strategy).fit_transform(np.where(values == -1, np.nan, values)[:, None])
    assert result.table.column("Imputed_x").to_pylist() == direct[:, 0].tolist()
    assert result.table.column("x").null_count == 1
    told = summary(registry, "m", "admin").to_pylist()[0]
    assert (told["imputable_field"], told["imputed_value"]) == ("x", direct[1, 0])
    with pytest.raises(UserError, match="there is nothing to fill it with"):
        fit(pa.table({"x": [-1.0, -1.0]}), FitRequest("Imputer", options, None, ["x"]), registry)


def test_rows_that_are_unlikely_in_all_features_together(registry):
    rng = np.random.default_rng(0)
    common = rng.normal(size=1000)
    table = pa.table({"a": [*common, 9.0], "b": [*(common + rng.normal(size=1000) / 10), 9.0]})
    request = FitRequest("MultivariateOutlierDetection", {"dist": "norm"}, None, ["a", "b"], model_name="m")
    result = fit(table, request, registry).table
    assert result.column_names[2:] == ["PC_1", "IsOutlier(PC_1)", "BoundaryRanges(PC_1)"]
    assert result.column("IsOutlier(PC_1)")[1000].as_py() == 1
    assert sum(result.column("IsOutlier(PC_1)").to_pylist()) < 25
    assert summary(registry, "m", "admin").column("type").to_pylist() == ["Normal"]


def test_ridge_with_features_of_one_length(data, registry):
    rows = data("diabetes")
    frame = rows.frame[["bmi", "bp", "age"]] * [1, 50, 1000]
    table = pa.Table.from_pandas(frame.assign(y=rows.frame.outcome), preserve_index=False)
    request = FitRequest("Ridge", {"normalize": "t", "alpha": "0.3"}, "y", list(frame), model_name="m")
    predicted = fit(table, request, registry).table.column("predicted(y)").to_numpy()
    lengths = np.sqrt(((frame - frame.mean()) ** 2).sum())
    direct = Ridge(alpha=0.3).fit(frame / lengths, rows.frame.outcome)
    assert np.allclose(predicted, direct.predict(frame / lengths))
    coefficients = summary(registry, "m", "admin").column("coefficient").to_pylist()
    assert np.allclose(coefficients, [*(direct.coef_ / lengths), direct.intercept_])
