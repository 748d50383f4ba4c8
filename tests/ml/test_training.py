"""What fit refuses, what it leaves out and says so, and what apply does with rows that training never saw."""

import numpy as np
import pyarrow as pa
import pytest

from sightline.errors import NotFound, UserError
from sightline.ml import (
    ApplyRequest,
    FitRequest,
    Limits,
    ScoreRequest,
    apply,
    check_fit,
    fit,
    load_applier,
    prepare_apply,
    score,
)

FOREST = {"n_estimators": "3", "random_state": "0"}


def rows(**more):
    n = 60
    columns = {
        "size": [float(i % 7) for i in range(n)],
        "colour": [("red", "green", "blue")[i % 3] for i in range(n)],
        "user": [("ann", "bob")[i % 3 == 0] for i in range(n)],
        "count": list(range(n)),
    }
    return pa.table({**columns, **more})


def forest(**changes):
    request = {"algorithm": "RandomForestClassifier", "options": FOREST, "target": "user", "features": ["size"]}
    return FitRequest(**{**request, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm": "RandomForrestClassifier"}, 'unknown algorithm "RandomForrestClassifier", wanted one of: '),
        (
            {"options": {"n_estimator": "3"}},
            'RandomForestClassifier: unknown option "n_estimator", wanted one of: class_weight, criterion, ',
        ),
        (
            {"options": {"n_estimators": "many"}},
            'RandomForestClassifier: option "n_estimators" must be an integer from 1 to 10000, got "many"',
        ),
        (
            {"options": {"n_estimators": "0"}},
            'RandomForestClassifier: option "n_estimators" must be an integer from 1 to 10000, got "0"',
        ),
        (
            {"options": {"max_features": "1.5"}},
            'RandomForestClassifier: option "max_features" must be an integer of 1 or more, a number above 0 and at '
            'most 1, or one of: sqrt, log2, auto, none, got "1.5"',
        ),
        (
            {"options": {"criterion": "ginni"}},
            'RandomForestClassifier: option "criterion" must be one of: gini, entropy, log_loss, got "ginni"',
        ),
        ({"options": {"class_weight": "[1]"}}, 'option "class_weight" must be one of: balanced, balanced_subsample'),
        ({"options": {"kfold_cv": "1"}}, 'option "kfold_cv" must be an integer of 2 or more, got "1"'),
        ({"target": None}, "RandomForestClassifier: a target is wanted"),
        ({"features": []}, "RandomForestClassifier: at least one feature is wanted"),
        ({"features": ["user", "size"]}, 'RandomForestClassifier: field "user" is both target and feature'),
        ({"by": ["colour"]}, 'RandomForestClassifier: "by" is not taken'),
        ({"model_name": "9lives"}, 'model name "9lives" must begin with a letter or underscore'),
        ({"model_name": "../x"}, 'model name "../x" must begin with'),
        ({"options": {"partial_fit": "t"}}, 'RandomForestClassifier: option "partial_fit" is not supported'),
        (
            {"options": {"kfold_cv": "3"}, "model_name": "m"},
            'RandomForestClassifier: option "kfold_cv" cannot be used with "into m"',
        ),
        (
            {"algorithm": "DBSCAN", "options": {}, "target": None, "model_name": "m"},
            'DBSCAN: does not support saving, got "into m"',
        ),
        ({"algorithm": "KMeans", "options": {}}, 'KMeans: no target is taken, got "user"'),
        (
            {"algorithm": "KMeans", "options": {"kfold_cv": "3"}, "target": None},
            'KMeans: option "kfold_cv" is for classifiers and regressors',
        ),
    ],
)
def test_bad_requests_are_refused_before_there_are_rows(changes, message):
    with pytest.raises(UserError) as error:
        check_fit(forest(**changes))
    assert message in str(error.value)


def test_near_names_are_hinted():
    with pytest.raises(UserError) as error:
        check_fit(forest(algorithm="RandomForestClasifier"))
    assert error.value.hint == 'did you mean "RandomForestClassifier"?'
    with pytest.raises(UserError) as error:
        check_fit(forest(options={"n_estimator": "3"}))
    assert error.value.hint == 'did you mean "n_estimators"?'


@pytest.mark.parametrize(
    ("changes", "columns", "message"),
    [
        ({"target": "usr"}, {}, 'field "usr" is missing from the rows'),
        ({"features": ["siz"]}, {}, 'field "siz" is missing from the rows'),
        ({"features": ["x*", "y*"]}, {}, "RandomForestClassifier: no field matches x*, y*"),
        ({}, {"user": ["one"] * 60}, 'at least two classes are wanted, but field "user" is always "one"'),
        ({}, {"user": [None] * 60}, 'the target "user" has no value in any row'),
        ({}, {"user": [i / 7 for i in range(60)]}, 'a classifier wants classes, but field "user" holds fractional'),
        ({}, {"user": [str(i / 7) for i in range(60)]}, "holds fractional numbers"),
        (
            {"algorithm": "LinearRegression", "options": {}},
            {"user": ["1", "2", "tall"] * 20},
            'a regressor wants a numeric target, but field "user" has values such as "tall"',
        ),
        (
            {"options": {"class_weight": '{"eve": 2}'}},
            {},
            'option "class_weight" names "eve", which is not a class, wanted: ann, bob',
        ),
        ({"algorithm": "PCA", "options": {"k": "4"}, "target": None}, {}, 'option "k" must be at most 1'),
        (
            {"algorithm": "PCA", "options": {"k": "1", "variance": "0.5"}, "target": None},
            {},
            'PCA: give one of the options "k" and "variance", not both',
        ),
        ({"algorithm": "KMeans", "options": {"k": "61"}, "target": None}, {}, "KMeans: n_samples=60 should be >="),
    ],
)
def test_rows_that_cannot_be_trained_on(registry, changes, columns, message):
    with pytest.raises(UserError) as error:
        fit(rows(**columns), forest(model_name="m", **changes), registry)
    assert message in str(error.value)
    assert registry.list() == []


def test_more_than_a_hundred_classes_are_refused(registry):
    many = pa.table({"size": list(range(200)), "user": [f"u{i % 101}" for i in range(200)]})
    with pytest.raises(UserError, match='at most 100 classes, but field "user" has 101 distinct values'):
        fit(many, forest(), registry)


def test_globs_match_present_fields_but_not_the_target_nor_internal_ones(registry):
    table = rows(_time=list(range(60)), s2=[1.0] * 60)
    result = fit(table, forest(features=["*"]), registry)
    assert result.model.features == ["size", "colour", "count", "s2"]
    assert fit(table, forest(features=["s*", "size"]), registry).model.features == ["size", "s2"]


def test_rows_with_a_null_stay_and_their_prediction_is_null(registry):
    size = [None if i == 4 else float(i % 7) for i in range(60)]
    user = [None if i == 9 else ("ann", "bob")[i % 3 == 0] for i in range(60)]
    table = rows(size=size, user=user)
    result = fit(table, forest(features=["size", "colour"]), registry)
    assert result.table.select(table.column_names).equals(table)
    predicted = result.table.column("predicted(user)").to_pylist()
    assert [i for i, value in enumerate(predicted) if value is None] == [4, 9]
    assert result.model.rows == 58


def test_apply_keeps_order_and_gives_null_for_null_features_only(registry):
    fit(rows(), forest(features=["size", "colour"], model_name="m"), registry)
    table = rows(size=[None if i % 2 else 1.0 for i in range(60)], user=[None] * 60)
    result, messages = apply(table, ApplyRequest("m", "guess"), registry, "admin")
    assert messages == []
    assert result.drop_columns(["guess"]).equals(table)
    assert [value is None for value in result.column("guess").to_pylist()] == [bool(i % 2) for i in range(60)]


def test_apply_replaces_a_field_of_that_name_in_its_place(registry):
    fit(rows(), forest(model_name="m"), registry)
    result, _ = apply(rows(), ApplyRequest("m", "colour"), registry, "admin")
    assert result.column_names == rows().column_names
    assert set(result.column("colour").to_pylist()) <= {"ann", "bob"}


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ([i % 3 for i in range(60)], pa.int64()),
        ([float(i % 3) for i in range(60)], pa.int64()),
        ([str(i % 3) for i in range(60)], pa.int64()),
        ([f"0{i % 3}" for i in range(60)], pa.string()),
        ([bool(i % 2) for i in range(60)], pa.bool_()),
        (["x", "y", "z"] * 20, pa.string()),
    ],
)
def test_predictions_have_the_type_of_the_target(registry, target, kind):
    result = fit(rows(user=target), forest(features=["count"]), registry)
    predicted = result.table.column("predicted(user)")
    assert predicted.type == kind
    given = [int(float(value)) if kind == pa.int64() else value for value in target]
    right = sum(a == b for a, b in zip(predicted.to_pylist(), given, strict=True))
    assert right > 40


def test_unseen_values_and_missing_fields_are_told(registry):
    fit(rows(), forest(features=["size", "colour"], model_name="m"), registry)
    table = pa.table({"size": [1.0, 2.0, 3.0], "colour": ["pink", "red", "grey"]})
    result, messages = apply(table, ApplyRequest("m", "p"), registry, "admin")
    assert result.column("p").null_count == 0
    assert messages == ['field "colour" has values that the training rows did not have: "pink", "grey"']
    result, _ = apply(table, ApplyRequest("m", "p", {"unseen_value": "skip"}), registry, "admin")
    assert [value is None for value in result.column("p").to_pylist()] == [True, False, True]
    with pytest.raises(UserError, match='field "colour" has the value "pink"'):
        apply(table, ApplyRequest("m", "p", {"handle_new_cat": "stop"}), registry, "admin")
    result, messages = apply(pa.table({"size": [1.0]}), ApplyRequest("m", "p"), registry, "admin")
    assert result.column("p").to_pylist() == [None]
    assert messages == ["rows lack fields the model was trained with: colour"]


def test_apply_refuses_unknown_options_and_models(registry):
    fit(rows(), forest(model_name="usermodel"), registry)
    with pytest.raises(UserError, match='apply usermodel: unknown option "probabilities"'):
        apply(rows(), ApplyRequest("usermodel", options={"probabilities": "t"}), registry, "admin")
    with pytest.raises(NotFound, match='model "usermodle" does not exist') as error:
        apply(rows(), ApplyRequest("usermodle"), registry, "admin")
    assert error.value.hint == 'did you mean "usermodel"?'


def test_a_stream_of_batches_equals_one_table(registry):
    table = rows(size=[None if i % 5 == 0 else float(i % 7) for i in range(60)])
    fit(rows(), forest(features=["size", "colour"], model_name="m"), registry)
    whole, _ = apply(table, ApplyRequest("m", "p"), registry, "admin")
    applier = load_applier(ApplyRequest("m", "p"), registry, "admin")
    batches = [applier(batch) for batch in table.to_batches(max_chunksize=7)]
    assert pa.Table.from_batches(batches).equals(whole.combine_chunks())
    assert applier.output_types == {"p": pa.string()}
    assert applier(table.slice(0, 0)).column("p").type == pa.string()


def test_probabilities_can_be_asked_for_at_apply(registry):
    request = FitRequest("LogisticRegression", {}, "user", ["size", "colour"], model_name="m")
    model = fit(rows(), request, registry).model
    plain = prepare_apply(model, "p")(rows())
    assert "probability(user=ann)" not in plain.column_names
    asked = prepare_apply(model, "p", {"probabilities": "yes"})(rows())
    total = np.add(asked.column("probability(user=ann)"), asked.column("probability(user=bob)"))
    assert np.allclose(total, 1)
    assert asked.column("p").equals(plain.column("p"))


def test_more_rows_than_the_limit_are_sampled_and_all_are_predicted(registry):
    limits = Limits(max_inputs=20)
    result = fit(rows(), forest(model_name="m"), registry, limits=limits)
    assert result.messages == ["trained on a sample of 20 of 60 rows"]
    assert result.model.rows == 20
    assert result.table.column("predicted(user)").null_count == 0
    with pytest.raises(UserError, match="takes at most 20 rows, got 60, and sampling is off"):
        fit(rows(), forest(), registry, limits=Limits(max_inputs=20, use_sampling=False))


def test_clusters_of_training_rows_only(registry):
    table = rows(size=[None if i == 3 else float(i % 2) * 100 for i in range(60)])
    result = fit(table, FitRequest("DBSCAN", {"eps": "1"}, None, ["size"], output_name="group"), registry)
    groups = result.table.column("group").to_pylist()
    assert groups[3] is None
    assert {g for g in groups if g is not None} == {0, 1}
    with pytest.raises(UserError, match="DBSCAN only speaks of its training rows"):
        prepare_apply(result.model)


def test_a_fit_that_is_not_shown_leaves_the_rows_alone(registry):
    result = fit(rows(), forest(model_name="m"), registry, predict=False)
    assert result.table.equals(rows())
    assert registry.exists("m", "admin")


def test_partial_fit_wants_the_same_algorithm_and_keeps_parameters(registry):
    first = {"with_mean": "false", "partial_fit": "true"}
    fit(rows(), FitRequest("StandardScaler", first, None, ["size"], model_name="m"), registry)
    again = FitRequest("StandardScaler", {"partial_fit": "true"}, None, ["size"], model_name="m")
    assert fit(rows(), again, registry).model.parameters["with_mean"] is False
    fit(rows(), forest(model_name="forest"), registry)
    with pytest.raises(UserError, match='model "forest" was trained with RandomForestClassifier'):
        fit(
            rows(),
            FitRequest("StandardScaler", {"partial_fit": "true"}, None, ["size"], model_name="forest"),
            registry,
        )


def test_an_interrupted_iteration_is_told(registry):
    rng = np.random.default_rng(1)
    wide = pa.table({f"f{i}": rng.random(200) * 10.0**i for i in range(8)} | {"user": rng.integers(0, 4, 200)})
    result = fit(wide, FitRequest("LogisticRegression", {}, "user", ["f*"]), registry)
    assert result.messages == [
        "LogisticRegression stopped after 100 iterations before it converged; scaled features may help"
    ]


def test_folds_that_cannot_be_made(registry):
    with pytest.raises(UserError, match='"kfold_cv" wants a class with at least 50 rows, the largest has 40'):
        fit(rows(), forest(options={**FOREST, "kfold_cv": "50"}), registry)


def test_no_rows_are_told_before_missing_fields(registry):
    nothing = pa.table({})
    with pytest.raises(UserError, match="RandomForestClassifier: there are no rows to train on"):
        fit(nothing, forest(features=["s*"]), registry)
    with pytest.raises(UserError, match="confusion_matrix: there are no rows to score"):
        score(nothing, ScoreRequest("confusion_matrix", ["a"], ["b"]))
    fit(rows(), forest(model_name="m"), registry)
    result, _ = apply(nothing, ApplyRequest("m", "p"), registry, "admin")
    assert (result.num_rows, result.column_names) == (0, ["p"])
