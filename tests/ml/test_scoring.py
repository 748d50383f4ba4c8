"""Scores equal scikit-learn's, and what cannot be scored is refused by name."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from sightline.errors import UserError
from sightline.ml import ScoreRequest, check_score, score


def run(columns, method, actual=("a",), predicted=("p",), **options):
    return score(pa.table(columns), ScoreRequest(method, list(actual), list(predicted), options))


def labels(seed, count=300, classes="abc"):
    return [classes[i] for i in np.random.default_rng(seed).integers(0, len(classes), count)]


def test_the_classes_are_the_union_of_both_sides():
    table, messages = run({"a": ["x", "y", "x"], "p": ["y", "y", "z"]}, "confusion_matrix")
    assert table.to_pydict() == {
        "Label": ["actual(x)", "actual(y)", "actual(z)"],
        "predicted(x)": [0, 0, 0],
        "predicted(y)": [1, 1, 0],
        "predicted(z)": [1, 0, 0],
    }
    assert messages == ['the two fields have different classes; only in "a": x; only in "p": z']


def test_whole_numbers_ascend_as_numbers_and_meet_texts():
    table, _ = run({"a": [10, 9, 2], "p": ["10", "2", "2"]}, "confusion_matrix")
    assert table.column("Label").to_pylist() == ["actual(2)", "actual(9)", "actual(10)"]
    assert table.column("predicted(2)").to_pylist() == [1, 1, 0]
    table, _ = run({"a": ["10", "9", "x"], "p": ["10", "9", "x"]}, "confusion_matrix")
    assert table.column("Label").to_pylist() == ["actual(10)", "actual(9)", "actual(x)"]


def test_rows_with_a_null_are_left_out_and_counted():
    table, messages = run({"a": ["x", None, "y", "x"], "p": ["x", "x", None, "y"]}, "confusion_matrix")
    assert table.column("predicted(y)").to_pylist() == [1, 0]
    assert messages[0] == "left out 2 of 4 rows (50.0%) with a null in a scored field"


def test_class_text_may_hold_anything():
    names = ["a b", "x=y", "(1)", "ü%_"]
    table, _ = run({"a": names, "p": names}, "confusion_matrix")
    assert table.column_names[1:] == [f"predicted({name})" for name in sorted(names)]


def test_per_class_scores_and_their_warnings():
    table, messages = run({"a": ["x", "y", "x"], "p": ["y", "y", "z"]}, "precision_recall_fscore_support")
    assert table.column_names == ["Metric", "scored(x)", "scored(y)", "scored(z)"]
    assert table.column("scored(y)").to_pylist() == [0.5, 1.0, pytest.approx(2 / 3), 1.0]
    assert messages[1:] == [
        "precision is set to 0 for classes without predicted rows: x",
        "recall is set to 0 for classes without actual rows: z",
    ]


@pytest.mark.parametrize("mean", ["micro", "MACRO", "weighted"])
def test_averaged_scores(mean):
    a, p, q = labels(1), labels(2), labels(3)
    method = "precision_recall_fscore_support"
    table, messages = run({"a": a, "p": p, "q": q}, method, ["a"], ["p", "q"], average=mean, beta="2")
    assert table.column_names == ["Actual field", "Predicted field", "fbeta_score", "precision", "recall", "support"]
    assert table.column("Predicted field").to_pylist() == ["p", "q"]
    for row, guess in zip(table.to_pylist(), (p, q), strict=True):
        expected = metrics.precision_recall_fscore_support(a, guess, average=mean.lower(), beta=2)
        assert (row["precision"], row["recall"], row["fbeta_score"]) == pytest.approx(expected[:3])
        assert row["support"] is None
    assert messages == ["support is not defined for an average"]


def test_binary_scores_want_two_classes_and_the_positive_one():
    a, p = labels(1, classes="nY"), labels(2, classes="nY")
    table, _ = run({"a": a, "p": p}, "precision_recall_fscore_support", average="binary", pos_label="Y")
    expected = metrics.precision_recall_fscore_support(a, p, average="binary", pos_label="Y")
    assert table.column("precision").to_pylist() == pytest.approx([expected[0]])
    with pytest.raises(UserError, match='option "pos_label" must be one of the classes Y, n, got "1"'):
        run({"a": a, "p": p}, "f1_score")
    with pytest.raises(UserError, match='average=binary wants at most two classes, "a" and "p" have 3'):
        run({"a": labels(1), "p": labels(2)}, "precision_score", pos_label="a")
    _, messages = run({"a": a, "p": p}, "recall_score", average="macro", pos_label="Y")
    assert messages == ['option "pos_label" has no effect with average=macro']


@pytest.mark.parametrize("method", ["precision_score", "recall_score", "f1_score"])
def test_single_scores(method):
    function = getattr(metrics, method)
    a, p = labels(4), labels(5)
    table, _ = run({"a": a, "p": p}, method, average="weighted")
    assert table.column(method).to_pylist() == pytest.approx([function(a, p, average="weighted")])
    table, _ = run({"a": a, "p": p}, method, average="none")
    assert table.column_names == ["Actual field", "Predicted field", "a", "b", "c"]
    assert list(table.to_pylist()[0].values())[2:] == pytest.approx(list(function(a, p, average=None)))
    table, _ = run({"a": [0, 1, 1], "p": [1, 1, 0]}, method)
    assert table.column(method).to_pylist() == pytest.approx([function([0, 1, 1], [1, 1, 0])])


def test_accuracy_of_pairs():
    a, p, b, q = labels(1), labels(2), labels(3), labels(4)
    table, _ = run({"a1": a, "p1": p, "a2": b, "p2": q}, "accuracy_score", ["a*"], ["p1", "p2"])
    assert table.to_pydict() == {
        "Actual field": ["a1", "a2"],
        "Predicted field": ["p1", "p2"],
        "accuracy_score": [metrics.accuracy_score(a, p), metrics.accuracy_score(b, q)],
    }
    table, _ = run({"a": a, "p": p}, "accuracy_score", normalize="false")
    assert table.column("accuracy_score").to_pylist() == [metrics.accuracy_score(a, p, normalize=False)]


def test_roc():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    chance = np.clip(truth * 0.3 + rng.random(200), 0, 1).round(2)
    table, _ = run({"a": truth, "p": chance}, "roc_auc_score")
    assert table.column("roc_auc_score").to_pylist() == [pytest.approx(metrics.roc_auc_score(truth, chance))]
    table, _ = run({"a": truth, "p": chance}, "roc_curve")
    expected = metrics.roc_curve(truth, chance)
    assert table.column_names == ["fpr", "tpr", "thresholds"]
    for name, values in zip(table.column_names, expected, strict=True):
        assert table.column(name).to_pylist() == values.tolist()
    table, messages = run({"a": ["x", "y", "z", "x"], "p": [0.9, 0.2, None, 0.8]}, "roc_auc_score", pos_label="x")
    assert table.column("roc_auc_score").to_pylist() == [1.0]
    assert messages == ["left out 1 of 4 rows (25.0%) with a null in a scored field"]
    _, messages = run({"a": ["x", "y", "z", "x"], "p": [0.9, 0.2, 0.1, 0.8]}, "roc_auc_score", pos_label="x")
    assert messages == ['field "a" has 3 classes; "x" is taken against all others']
    with pytest.raises(UserError, match='field "p" must be numeric'):
        run({"a": [0, 1], "p": ["u", "v"]}, "roc_auc_score")


REGRESSION = ["r2_score", "explained_variance_score", "mean_absolute_error", "mean_squared_error"]


@pytest.mark.parametrize("method", REGRESSION)
def test_regression_scores(method):
    rng = np.random.default_rng(0)
    a, b, p, q = rng.random((4, 50))
    function = getattr(metrics, method)
    table, _ = run({"a": a, "b": b, "p": p, "q": q}, method, ["a", "b"], ["p", "q"])
    assert table.column_names == ["Actual field", "Predicted field", method]
    assert table.column(method).to_pylist() == pytest.approx([function(a, p), function(b, q)])
    table, _ = run({"a": a, "b": b, "p": p, "q": q}, method, ["a", "b"], ["p", "q"], multioutput="uniform_average")
    expected = function(np.column_stack([a, b]), np.column_stack([p, q]))
    assert table.to_pydict() == {method: [pytest.approx(expected)]}


@pytest.mark.parametrize(
    ("columns", "method", "actual", "predicted", "options", "message"),
    [
        ({"a": [1], "p": [1]}, "acuracy_score", ["a"], ["p"], {}, 'unknown scoring method "acuracy_score", wanted'),
        ({"a": [1], "p": [1]}, "accuracy_score", ["a"], ["p"], {"norm": "t"}, 'unknown option "norm"'),
        ({"a": [1], "p": [1]}, "accuracy_score", ["a"], ["p"], {"normalize": "maybe"}, "must be true or false"),
        ({"a": [1], "p": [1]}, "confusion_matrix", ["a"], [], {}, 'fields after "against" are wanted'),
        ({"a": [1], "p": [1]}, "confusion_matrix", ["a", "p"], ["p"], {}, "got 2 against 1"),
        ({"a": [1], "p": [1]}, "confusion_matrix", ["a"], ["q"], {}, 'field "q" is missing from the rows'),
        ({"a": [1], "p": [1]}, "accuracy_score", ["a"], ["q*"], {}, 'no field matches "q*"'),
        ({"a": [0.5], "p": [1]}, "confusion_matrix", ["a"], ["p"], {}, 'field "a" holds fractional numbers'),
        ({"a": list(range(101)), "p": [1] * 101}, "accuracy_score", ["a"], ["p"], {}, 'field "a" has 101 distinct'),
        ({"a": [None], "p": [1]}, "accuracy_score", ["a"], ["p"], {}, "no row has a value in every scored field"),
        ({"a": [], "p": []}, "accuracy_score", ["a"], ["p"], {}, "there are no rows to score"),
        ({"a": ["x"], "p": [1]}, "r2_score", ["a"], ["p"], {}, 'field "a" must be numeric'),
        (
            {"a": [1], "b": [1], "c": [1], "p": [1], "q": [1]},
            "accuracy_score",
            ["a", "b", "c"],
            ["p", "q"],
            {},
            "got 3 against 2",
        ),
    ],
)
def test_what_cannot_be_scored(columns, method, actual, predicted, options, message):
    with pytest.raises(UserError) as error:
        run(columns, method, actual, predicted, **options)
    assert message in str(error.value)


def test_a_near_method_is_hinted():
    with pytest.raises(UserError) as error:
        check_score(ScoreRequest("acuracy_score", ["a"], ["p"]))
    assert error.value.hint == 'did you mean "accuracy_score"?'
