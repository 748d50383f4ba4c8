"""One battery for every algorithm: what each of them must do whatever it computes."""

import dataclasses
import inspect
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sightline.errors import UserError
from sightline.ml import ALGORITHMS, ApplyRequest, FitRequest, ModelRegistry, apply, fit, load_applier, summary
from sightline.ml.algorithms.declaration import CLASSIFIER, REGRESSOR

OTHER_DEFAULTS = {
    # The toolkit's own, as the reference gives them.
    ("SGDClassifier", "n_iter"),
    ("SGDRegressor", "n_iter"),
    ("SGDClassifier", "power_t"),
    ("LocalOutlierFactor", "contamination"),
    # Another way to say what scikit-learn's default says.
    ("MLPClassifier", "batch_size"),
    ("ICA", "whiten"),
}
EACH = pytest.mark.parametrize("name", sorted(ALGORITHMS))
SAVED = pytest.mark.parametrize("name", sorted(name for name, algorithm in ALGORITHMS.items() if algorithm.saves))


def rows(count=120):
    rng = np.random.default_rng(3)
    group = rng.integers(0, 3, count)
    return pa.table(
        {
            "first": rng.normal(group * 3.0, 1.0),
            "second": rng.normal(5.0, 2.0, count) + group,
            "third": rng.random(count),
            "colour": np.array(["red", "green", "blue"])[rng.integers(0, 3, count)],
            "kind": np.array(["ann", "bob", "eve"])[group],
            "remark": np.array(["all went well", "it went down", "well, no idea"])[rng.integers(0, 3, count)],
            "size": group * 2.0 + rng.random(count),
        }
    )


def request(name, **options):
    algorithm = ALGORITHMS[name]
    target = {CLASSIFIER: "kind", REGRESSOR: "size"}.get(algorithm.kind, "size" if algorithm.wants_target else None)
    features = ["first", "second", "third", "colour"]
    if algorithm.raw_features:
        features.insert(0, "remark")
    if algorithm.numeric_features:
        features.remove("colour")
    features = features[: algorithm.most_features]
    options = {"random_state": "4"} | options if has(algorithm, "random_state") else options
    if has(algorithm, "n_estimators"):
        options = {"n_estimators": "5"} | options
    return FitRequest(name, options, target, features, model_name="m" if algorithm.saves else "")


def has(algorithm, parameter):
    return any(p.name == parameter for p in algorithm.parameters)


@EACH
def test_declared_defaults_are_the_estimators(name):
    algorithm = ALGORITHMS[name]
    if algorithm.estimator is None:
        return
    defaults = {key: value.default for key, value in inspect.signature(algorithm.estimator).parameters.items()}
    for parameter in algorithm.parameters:
        if (name, parameter.name) in OTHER_DEFAULTS or parameter.name in algorithm.not_for_estimator:
            continue
        if parameter.estimator_argument in defaults:
            assert parameter.default == defaults[parameter.estimator_argument], parameter.name


@EACH
def test_every_parameter_is_described_and_refuses_nonsense(name):
    told = ALGORITHMS[name].describe()
    assert json.loads(json.dumps(told))["name"] == name
    assert told["summary"].endswith(".")
    for parameter in ALGORITHMS[name].parameters:
        assert parameter.summary.endswith("."), parameter.name
        if parameter.type != "text":
            with pytest.raises(UserError) as error:
                ALGORITHMS[name].read({parameter.name: "nonsense"})
            wanted = f'{name}: option "{parameter.name}" must be {parameter.wanted}, got "nonsense"'
            assert str(error.value) == wanted


@EACH
def test_an_unknown_option_is_refused(name):
    with pytest.raises(UserError, match=f'{name}: unknown option "nonsense"'):
        ALGORITHMS[name].read({"nonsense": "1"})


@EACH
def test_all_rows_stay_in_order_and_nulls_get_null(name, registry):
    table = rows()
    feature = request(name).features[0]
    index = table.schema.get_field_index(feature)
    mask = np.arange(table.num_rows) % 10 == 0
    holed = table.set_column(
        index, feature, pa.array(table.column(feature).to_numpy(), mask=mask, type=table.schema.field(feature).type)
    )
    result = fit(holed, request(name), registry).table
    assert result.select(holed.column_names).equals(holed)
    added = result.column_names[len(holed.column_names) :]
    assert added
    for column in added:
        nulls = result.column(column).is_null().to_numpy()
        if ALGORITHMS[name].keeps_nulls:
            assert not nulls.any()
        else:
            assert np.array_equal(nulls, mask), column


@SAVED
def test_a_saved_model_gives_what_the_fit_gave(name, registry, tmp_path):
    fitted = fit(rows(), request(name), registry)
    again = ModelRegistry(tmp_path / "models")
    applied, messages = apply(rows(), ApplyRequest("m"), again, "admin")
    assert messages == []
    assert applied.equals(fitted.table)
    if ALGORITHMS[name].summarise:
        assert summary(again, "m", "admin").equals(summary(registry, "m", "admin"))
        assert summary(again, "m", "admin").num_rows > 0
    else:
        with pytest.raises(UserError, match=f"{name} has no summary"):
            summary(again, "m", "admin")


@SAVED
def test_batches_equal_the_whole_table(name, registry):
    whole = fit(rows(), request(name), registry).table
    applier = load_applier(ApplyRequest("m"), registry, "admin")
    pieces = [applier(batch) for batch in rows().to_batches(max_chunksize=50)]
    together = pa.Table.from_batches(pieces)
    assert together.column_names == whole.column_names
    assert together.schema.types == whole.schema.types
    for column in applier.output_types:
        left, right = together.column(column).combine_chunks(), whole.column(column).combine_chunks()
        if pa.types.is_floating(left.type):
            assert np.allclose(left.to_numpy(), right.to_numpy(), rtol=1e-9, atol=1e-12)
        else:
            assert left.equals(right)


@SAVED
def test_outputs_are_named_after_as(name, registry):
    fit(rows(), request(name), registry)
    applied, _ = apply(rows(), ApplyRequest("m", "other"), registry, "admin")
    plain, _ = apply(rows(), ApplyRequest("m"), registry, "admin")
    ours = [column for column in applied.column_names if column not in rows().column_names]
    theirs = [column for column in plain.column_names if column not in rows().column_names]
    assert any(column.startswith("other") for column in ours)
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("name", sorted(name for name, algorithm in ALGORITHMS.items() if algorithm.updates))
def test_partial_fit_goes_on(name, registry):
    table = rows(300)
    for piece in (table.slice(0, 150), table.slice(150)):
        wanted = request(name, partial_fit="true")
        result = fit(piece, wanted, registry)
    assert result.model.rows == 300
    assert result.model.version == 2
    first = registry.load("m", "admin", version=1)
    assert first.rows == 150
    applied, _ = apply(table, ApplyRequest("m"), registry, "admin")
    assert applied.num_rows == 300


@pytest.mark.parametrize("name", sorted(n for n, a in ALGORITHMS.items() if a.kind in (CLASSIFIER, REGRESSOR)))
def test_cross_validation(name, registry):
    wanted = request(name, kfold_cv="3")
    folds = fit(rows(), FitRequest(name, wanted.options, wanted.target, wanted.features), registry).table
    assert folds.num_rows == 3
    assert np.isfinite(folds.to_pandas().to_numpy()).all()


def test_a_tree_is_shown_down_to_a_level_as_text_and_json(registry):
    fit(rows(), request("DecisionTreeClassifier"), registry)
    lines = summary(registry, "m", "admin", options={"limit": "2"}).column("Decision Tree Summary").to_pylist()
    assert lines[0].startswith("|--- first <= ")
    assert any("class: " in line for line in lines)
    tree = json.loads(summary(registry, "m", "admin", options={"json": "t"}).column(0)[0].as_py())
    assert tree["rows"] == 120
    assert tree["split"]["feature"] == "first"
    assert {"left", "right"} <= set(tree)


WORDS = sorted(
    (name, parameter.name, word)
    for name, algorithm in ALGORITHMS.items()
    for parameter in algorithm.parameters
    for word in parameter.choices
    if parameter.type in ("choice", "number or word", "weights")
)


@pytest.mark.parametrize(("name", "parameter", "word"), WORDS)
def test_every_word_of_every_parameter_works_and_can_be_saved(name, parameter, word, tmp_path):
    table = rows()
    if (parameter, word) == ("loss", "exponential"):
        table = table.filter(pc.not_equal(table.column("kind"), "eve"))
    more = {"max_iter": "5"} if has(ALGORITHMS[name], "max_iter") else {}
    wanted = request(name, **more, **{parameter: word})
    if (name, parameter, word) == ("FieldSelector", "type", "categorical") or word in ("gini", "entropy", "log_loss"):
        wanted = dataclasses.replace(wanted, target="kind")
    if (name, parameter, word) == ("AutoPrediction", "target_type", "categorical"):
        wanted = dataclasses.replace(wanted, target="kind")
    if parameter == "learning_rate" and name == "MLPClassifier":
        wanted.options["solver"] = "sgd"
    fit(table, wanted, ModelRegistry(tmp_path))
    if ALGORITHMS[name].saves:
        apply(table, ApplyRequest("m"), ModelRegistry(tmp_path), "admin")


def test_a_tree_inside_a_judged_model_is_checked_too(registry):
    from sightline.ml.persistence import _trees

    table = rows()
    model = fit(table, FitRequest("AutoPrediction", {"n_estimators": "3"}, "kind", ["first"]), registry).model
    assert len(_trees(model.estimator)) == 3
