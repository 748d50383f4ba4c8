"""Everything that leaves a model equals what scikit-learn computes directly from the same rows."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.preprocessing import StandardScaler

from sightline.ml import ApplyRequest, FitRequest, Limits, ModelRegistry, ScoreRequest, apply, fit, score, summary

FEATURE_KINDS = ("features", "mixed")
CLASSIFIED = ("iris", "wine", "breast_cancer", "digits")


@pytest.mark.parametrize("kind", FEATURE_KINDS)
@pytest.mark.parametrize("name", CLASSIFIED)
def test_the_missions_numbers(data, registry, context, tmp_path, name, kind):
    rows = data(name)
    features = getattr(rows, kind)
    train, test = rows.frame.iloc[::2], rows.frame.iloc[1::2]
    fit(
        pa.Table.from_pandas(train, preserve_index=False),
        FitRequest(
            "RandomForestClassifier",
            {"random_state": "7", "n_estimators": "15"},
            "outcome",
            features,
            model_name="usermodel",
        ),
        registry,
        context,
    )
    direct = RandomForestClassifier(n_estimators=15, random_state=7)
    direct.fit(rows.encoded(features).iloc[::2], train.outcome)
    expected = direct.predict(rows.encoded(features).iloc[1::2])

    again = ModelRegistry(tmp_path / "models")
    table = pa.Table.from_pandas(test, preserve_index=False)
    applied, messages = apply(table, ApplyRequest("usermodel", "predicted_user"), again, "ada")
    assert messages == []
    assert applied.column("predicted_user").to_pylist() == expected.tolist()
    assert applied.drop_columns(["predicted_user"]).equals(table)

    scores, _ = score(applied, ScoreRequest("confusion_matrix", ["outcome"], ["predicted_user"]))
    labels = sorted(set(test.outcome) | set(expected))
    assert scores.column_names == ["Label", *(f"predicted({label})" for label in labels)]
    assert scores.column("Label").to_pylist() == [f"actual({label})" for label in labels]
    cells = np.column_stack([scores.column(f"predicted({label})").to_numpy() for label in labels])
    assert np.array_equal(cells, metrics.confusion_matrix(test.outcome, expected, labels=labels))
    assert scores.schema.field(1).type == pa.int64()

    scores, _ = score(applied, ScoreRequest("precision_recall_fscore_support", ["outcome"], ["predicted_user"]))
    assert scores.column("Metric").to_pylist() == ["precision", "recall", "fbeta_score", "support"]
    expected_scores = metrics.precision_recall_fscore_support(test.outcome, expected, labels=labels, zero_division=0)
    for index, label in enumerate(labels):
        assert scores.column(f"scored({label})").to_pylist() == [float(values[index]) for values in expected_scores]

    importance = summary(again, "usermodel", "ada")
    assert importance.column_names == ["feature", "importance"]
    assert importance.column("feature").to_pylist() == rows.encoded(features).columns.tolist()
    assert importance.column("importance").to_pylist() == direct.feature_importances_.tolist()


@pytest.mark.parametrize("kind", FEATURE_KINDS)
@pytest.mark.parametrize("name", ("iris", "breast_cancer"))
def test_logistic_regression(data, registry, context, name, kind):
    rows = data(name)
    features = getattr(rows, kind)[:4]
    request = FitRequest(
        "LogisticRegression", {"probabilities": "true"}, "outcome", features, model_name="m", output_name="guess"
    )
    fitted = fit(rows.table, request, registry, context)
    direct = LogisticRegression().fit(rows.encoded(features).astype(float), rows.frame.outcome)
    encoded = rows.encoded(features).astype(float)
    assert fitted.table.column("guess").to_pylist() == direct.predict(encoded).tolist()
    for index, label in enumerate(direct.classes_):
        column = fitted.table.column(f"probability(outcome={label})").to_numpy()
        assert np.allclose(column, direct.predict_proba(encoded)[:, index], rtol=1e-6, atol=1e-9)
    table = summary(registry, "m", "ada")
    assert table.column_names == ["feature", "coefficient", "class"]
    block = [*encoded.columns, "_intercept"]
    shown = direct.classes_ if len(direct.classes_) > 2 else direct.classes_[1:]
    assert table.column("feature").to_pylist() == block * len(shown)
    assert table.column("class").to_pylist() == [label for label in shown for _ in block]
    expected = np.column_stack([direct.coef_, direct.intercept_]).ravel()
    assert np.allclose(table.column("coefficient").to_numpy(), expected, rtol=1e-5, atol=1e-7)


def test_without_intercept_there_is_no_intercept_row(data, registry, context):
    rows = data("diabetes")
    request = FitRequest("LinearRegression", {"fit_intercept": "f"}, "outcome", ["bmi", "bp"], model_name="m")
    fit(rows.table, request, registry, context)
    assert summary(registry, "m", "ada").column("feature").to_pylist() == ["bmi", "bp"]


@pytest.mark.parametrize("kind", FEATURE_KINDS)
def test_linear_regression(data, registry, context, kind):
    rows = data("diabetes")
    features = getattr(rows, kind)
    fitted = fit(rows.table, FitRequest("LinearRegression", {}, "outcome", features, model_name="m"), registry, context)
    encoded = rows.encoded(features).astype(float)
    direct = LinearRegression().fit(encoded, rows.frame.outcome)
    assert np.allclose(fitted.table.column("predicted(outcome)").to_numpy(), direct.predict(encoded))
    table = summary(registry, "m", "ada")
    assert table.column("feature").to_pylist() == [*encoded.columns, "_intercept"]
    if kind == "features":  # With one-hot columns and an intercept the coefficients have more than one solution.
        assert np.allclose(table.column("coefficient").to_numpy(), [*direct.coef_, direct.intercept_])


def test_forest_regressor(data, registry, context):
    rows = data("diabetes")
    options = {"n_estimators": "8", "random_state": "1", "max_depth": "6", "criterion": "mse"}
    fitted = fit(rows.table, FitRequest("RandomForestRegressor", options, "outcome", rows.mixed), registry, context)
    encoded = rows.encoded(rows.mixed).astype(float)
    direct = RandomForestRegressor(8, random_state=1, max_depth=6).fit(encoded, rows.frame.outcome)
    assert np.allclose(fitted.table.column("predicted(outcome)").to_numpy(), direct.predict(encoded))


@pytest.mark.parametrize("kind", FEATURE_KINDS)
def test_k_means(data, registry, context, kind):
    rows = data("wine")
    features = getattr(rows, kind)[:5]
    request = FitRequest("KMeans", {"k": "4", "random_state": "3"}, None, features, model_name="m")
    fitted = fit(rows.table, request, registry, context)
    encoded = rows.encoded(features).astype(float).to_numpy()
    direct = KMeans(4, random_state=3).fit(encoded)
    assert fitted.table.column("cluster").to_pylist() == direct.predict(encoded).tolist()
    assert np.allclose(fitted.table.column("cluster_distance").to_numpy(), direct.transform(encoded).min(axis=1))
    table = summary(registry, "m", "ada")
    assert table.column_names == [*rows.encoded(features).columns, "cluster", "inertia"]
    assert np.allclose(table.to_pandas().iloc[:, :-2].to_numpy(), direct.cluster_centers_)
    assert np.allclose(table.column("inertia").to_numpy(), direct.inertia_)


@pytest.mark.parametrize("kind", FEATURE_KINDS)
def test_standard_scaler(data, registry, context, kind):
    rows = data("breast_cancer")
    features = getattr(rows, kind)[:6]
    fitted = fit(rows.table, FitRequest("StandardScaler", {}, None, features, model_name="m"), registry, context)
    encoded = rows.encoded(features).astype(float)
    direct = StandardScaler().fit(encoded)
    names = [f"SS_{column}" for column in encoded.columns]
    assert fitted.table.column_names[-len(names) :] == names
    assert np.allclose(fitted.table.select(names).to_pandas().to_numpy(), direct.transform(encoded))
    table = summary(registry, "m", "ada")
    assert table.column_names == ["fields", "mean", "var", "scale"]
    assert np.allclose(table.column("var").to_numpy(), direct.var_)


def test_standard_scaler_without_a_step(data, registry, context):
    rows = data("iris")
    options = {"with_mean": "false", "with_std": "0"}
    request = FitRequest("StandardScaler", options, None, rows.features[:2], output_name="as_is", model_name="m")
    fitted = fit(rows.table, request, registry, context)
    for feature in rows.features[:2]:
        assert fitted.table.column(f"as_is_{feature}").to_pylist() == rows.frame[feature].tolist()
    assert summary(registry, "m", "ada").column("scale").null_count == 2


def test_partial_fit_of_a_scaler_equals_one_fit_of_all_rows(data, registry, context):
    rows = data("wine")
    for piece in (rows.table.slice(0, 60), rows.table.slice(60)):
        request = FitRequest("StandardScaler", {"partial_fit": "true"}, None, rows.features, model_name="m")
        fit(piece, request, registry, context)
    direct = StandardScaler().fit(rows.frame[rows.features])
    table = summary(registry, "m", "ada")
    assert np.allclose(table.column("mean").to_numpy(), direct.mean_)
    assert np.allclose(table.column("var").to_numpy(), direct.var_)
    assert [model["rows"] for model in registry.versions("m", "ada")] == [60, rows.table.num_rows]


@pytest.mark.parametrize(
    ("options", "arguments"), [({"k": "3"}, {"n_components": 3}), ({"variance": "0.9"}, {"n_components": 0.9}), ({}, {})]
)
def test_pca(data, registry, context, options, arguments):
    rows = data("breast_cancer")
    features = rows.features[:8]
    fitted = fit(rows.table, FitRequest("PCA", options, None, features, model_name="m"), registry, context)
    direct = PCA(**arguments).fit(rows.frame[features])
    names = [f"PC_{i + 1}" for i in range(direct.n_components_)]
    assert fitted.table.column_names[-len(names) :] == names
    assert np.allclose(fitted.table.select(names).to_pandas().to_numpy(), direct.transform(rows.frame[features]))
    table = summary(registry, "m", "ada")
    assert table.column("components").to_pylist() == names
    assert np.allclose(table.select(features).to_pandas().to_numpy(), direct.components_)
    assert np.allclose(table.column("explained_variance_ratio").to_numpy(), direct.explained_variance_ratio_)
    assert np.allclose(table.column("singular_values").to_numpy(), direct.singular_values_)


def test_cross_validation_of_a_classifier(data, registry, context):
    rows = data("wine")
    options = {"kfold_cv": "4", "random_state": "5", "n_estimators": "6"}
    result = fit(rows.table, FitRequest("RandomForestClassifier", options, "outcome", rows.mixed), registry, context)
    names = ["accuracy", "f1_weighted", "precision_weighted", "recall_weighted"]
    direct = cross_validate(
        RandomForestClassifier(6, random_state=5),
        rows.encoded(rows.mixed),
        rows.frame.outcome,
        cv=StratifiedKFold(4, shuffle=True, random_state=5),
        scoring=names,
    )
    assert result.model is None
    assert result.table.column_names == names
    for name in names:
        assert result.table.column(name).to_pylist() == direct[f"test_{name}"].tolist()


def test_cross_validation_of_a_regressor(data, registry, context):
    rows = data("diabetes")
    options = {"kfold_cv": "3", "random_state": "5", "n_estimators": "4"}
    result = fit(rows.table, FitRequest("RandomForestRegressor", options, "outcome", rows.features), registry, context)
    names = ["neg_mean_squared_error", "r2"]
    direct = cross_validate(
        RandomForestRegressor(4, random_state=5),
        rows.frame[rows.features],
        rows.frame.outcome,
        cv=KFold(3, shuffle=True, random_state=5),
        scoring=names,
    )
    assert result.table.column_names == names
    for name in names:
        assert np.allclose(result.table.column(name).to_numpy(), direct[f"test_{name}"])


def test_class_weights_speak_of_labels(data, registry, context):
    rows = data("breast_cancer")
    options = {"class_weight": '{"malignant": 10, "benign": 1}', "n_estimators": "5", "random_state": "0"}
    fitted = fit(rows.table, FitRequest("RandomForestClassifier", options, "outcome", rows.mixed), registry, context)
    direct = RandomForestClassifier(5, random_state=0, class_weight={"malignant": 10, "benign": 1})
    encoded = rows.encoded(rows.mixed)
    expected = direct.fit(encoded, rows.frame.outcome).predict(encoded)
    assert fitted.table.column("predicted(outcome)").to_pylist() == expected.tolist()


def test_the_leaf_limit_binds_on_many_rows(registry, context):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.random(6000), "b": rng.random(6000), "y": rng.integers(0, 2, 6000)})
    table = pa.Table.from_pandas(frame, preserve_index=False)
    options = {"n_estimators": "2", "random_state": "0"}
    fitted = fit(table, FitRequest("RandomForestClassifier", options, "y", ["a", "b"]), registry, context)
    direct = RandomForestClassifier(2, random_state=0, max_leaf_nodes=2000).fit(frame[["a", "b"]], frame.y)
    assert fitted.table.column("predicted(y)").to_pylist() == direct.predict(frame[["a", "b"]]).tolist()
    deep = fit(
        table, FitRequest("RandomForestClassifier", {**options, "max_depth": "50"}, "y", ["a", "b"]), registry, context
    )
    assert max(tree.get_n_leaves() for tree in deep.model.estimator.estimators_) > 1000


def test_a_seed_that_was_drawn_is_kept_and_repeats_the_training(data, registry, context):
    rows = data("wine")
    request = FitRequest("RandomForestClassifier", {"n_estimators": "3"}, "outcome", rows.features, model_name="m")
    first = fit(rows.table, request, registry, context)
    seed = registry.describe("m", "ada")["parameters"]["random_state"]
    options = {"n_estimators": "3", "random_state": str(seed)}
    again = fit(rows.table, FitRequest("RandomForestClassifier", options, "outcome", rows.features), registry, context)
    assert again.table.equals(first.table)


@pytest.mark.parametrize("threads", [1, 2])
def test_many_rows_in_many_pieces_and_threads(registry, context, threads):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((20_000, 3)), columns=["a", "b", "c"])
    frame["y"] = ((frame.a + frame.b + rng.random(20_000)) * 2).astype(int)
    frame["z"] = frame.a * 3 + rng.random(20_000)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    limits = Limits(threads=threads)
    for name, target, forest in (
        ("RandomForestClassifier", "y", RandomForestClassifier(5, random_state=0, max_depth=7)),
        ("RandomForestRegressor", "z", RandomForestRegressor(5, random_state=0, max_depth=7)),
    ):
        options = {"n_estimators": "5", "random_state": "0", "max_depth": "7"}
        result = fit(table, FitRequest(name, options, target, ["a", "b", "c"]), registry, context, limits)
        expected = forest.fit(frame[["a", "b", "c"]], frame[target]).predict(frame[["a", "b", "c"]])
        assert result.table.column(f"predicted({target})").to_pylist() == expected.tolist()
