"""The registry: what was saved comes back, versions, private before shared, and files that may not be believed."""

import io
import json
import os
import threading
import zipfile

import numpy as np
import pyarrow as pa
import pytest

from sightline.errors import EnvironmentTrouble, NotFound, UserError
from sightline.ml import ApplyRequest, Context, FitRequest, Limits, ModelRegistry, apply, fit, split_model_name, summary

TABLE = pa.table({"x": [1.0, 2.0, 3.0, 4.0] * 5, "c": ["a", "b"] * 10, "y": ["no", "yes"] * 10})


def train(registry, name="m", owner="ada", namespace="", table=TABLE, algorithm="RandomForestClassifier", **options):
    defaults = {"n_estimators": "2", "random_state": "1"} if "Forest" in algorithm else {}
    request = FitRequest(algorithm, {**defaults, **options}, "y", ["x", "c"], model_name=name, namespace=namespace)
    return fit(table, request, registry, Context(owner, "search", "index=x | fit ...", 1_700_000_000.0))


def model_file(tmp_path, name="estimator.skops"):
    return next((tmp_path / "models").rglob(name))


def test_metadata_says_how_the_model_came_to_be(registry):
    train(registry)
    told = registry.describe("m", "ada")
    assert told["algorithm"] == "RandomForestClassifier"
    assert told["features"] == ["x", "c"]
    assert told["columns"] == ["x", "c=a", "c=b"]
    assert told["target"] == "y"
    assert told["classes"] == {"kind": "string", "labels": ["no", "yes"]}
    assert told["options"] == {"n_estimators": "2", "random_state": "1"}
    assert told["parameters"]["criterion"] == "gini"
    assert (told["owner"], told["app"], told["sharing"], told["version"]) == ("ada", "search", "user", 1)
    assert (told["rows"], told["trained_at"]) == (20, 1_700_000_000.0)
    assert told["training_search"] == "index=x | fit ..."
    assert told["library_version"].startswith("scikit-learn 1.")
    assert told["statistics"]["x"]["mean"] == 2.5
    assert told["statistics"]["c"]["counts"] == {"a": 10, "b": 10}
    assert told["statistics"]["y"]["counts"] == {"no": 10, "yes": 10}
    assert told["scores"] == []


def test_another_registry_predicts_the_same(registry, tmp_path):
    result = train(registry)
    again = ModelRegistry(tmp_path / "models")
    applied, _ = apply(TABLE, ApplyRequest("m"), again, "ada")
    assert applied.equals(result.table)
    assert again.load("m", "ada").statistics == result.model.statistics


def test_training_again_makes_a_version_and_old_ones_stay(registry):
    train(registry)
    train(registry, n_estimators="3")
    assert [model["version"] for model in registry.versions("m", "ada")] == [1, 2]
    assert len(registry.load("m", "ada").estimator.estimators_) == 3
    assert len(registry.load("m", "ada", version=1).estimator.estimators_) == 2
    assert len(apply(TABLE, ApplyRequest("m", version=1), registry, "ada")[0]) == 20
    with pytest.raises(NotFound, match='model "m" has no version 7, kept are: 1, 2'):
        registry.load("m", "ada", version=7)


def test_the_oldest_versions_beyond_the_bound_are_removed(tmp_path):
    registry = ModelRegistry(tmp_path / "models", keep_versions=2)
    for _ in range(4):
        train(registry)
    assert [model["version"] for model in registry.versions("m", "ada")] == [3, 4]


def test_private_is_found_before_shared_and_nobody_elses(registry):
    train(registry, owner="bob", namespace="app", n_estimators="1")
    train(registry, owner="ada", n_estimators="2")
    assert len(registry.load("m", "ada").estimator.estimators_) == 2
    assert len(registry.load("m", "ada", "app").estimator.estimators_) == 1
    assert len(registry.load("m", "eve").estimator.estimators_) == 1
    with pytest.raises(NotFound, match='model "user:m" does not exist'):
        registry.load("m", "eve", "user")
    with pytest.raises(NotFound):
        registry.load("m", "ada", app="other")
    listed = [(m["name"], m["owner"], m["sharing"]) for m in registry.list("eve")]
    assert listed == [("m", "bob", "app")]
    assert len(registry.list()) == 2


def test_delete_takes_the_private_one_first(registry):
    train(registry, namespace="app")
    train(registry)
    assert registry.delete("m", "ada") == 'deleted model "m"'
    assert registry.describe("m", "ada")["sharing"] == "app"
    registry.delete("m", "ada", "app")
    with pytest.raises(NotFound, match='model "m" does not exist'):
        registry.delete("m", "ada")


def test_names_and_namespaces():
    assert split_model_name("app:churn") == ("app", "churn")
    assert split_model_name("user:churn_2") == ("user", "churn_2")
    assert split_model_name("churn") == ("", "churn")
    with pytest.raises(UserError, match="the namespace must be app or user, got"):
        split_model_name("team:churn")
    for bad in ("", "2x", "a-b", "a/b", "..", "a.b", "ü", "app:user:x", "x\n"):
        with pytest.raises(UserError):
            split_model_name(bad)


@pytest.mark.parametrize("owner", ["../../../etc", "..", ".", "a/b", "ann@example.com", "nül \n"])
def test_an_owners_name_never_leaves_the_directory(registry, tmp_path, owner):
    train(registry, owner=owner)
    assert registry.load("m", owner).owner == owner
    assert [path.name for path in tmp_path.iterdir()] == ["models"]
    assert registry.list(owner)[0]["owner"] == owner


def test_scores_are_kept_with_the_version(registry):
    train(registry)
    registry.record_scores("m", "ada", {"accuracy": 0.9, "f1": 0.8})
    registry.record_scores("m", "ada", {"accuracy": 0.7}, time=5.0)
    train(registry)
    assert registry.describe("m", "ada")["scores"] == []
    assert registry.describe("m", "ada", version=1)["scores"] == [
        {"time": 1_700_000_000.0, "metric": "accuracy", "value": 0.9},
        {"time": 1_700_000_000.0, "metric": "f1", "value": 0.8},
        {"time": 5.0, "metric": "accuracy", "value": 0.7},
    ]


def test_too_large_a_model_is_refused_and_leaves_nothing(tmp_path):
    registry = ModelRegistry(tmp_path / "models", limits=Limits(max_model_bytes=1000))
    with pytest.raises(UserError, match='model "m" takes .* MiB, the limit is'):
        train(registry)
    assert registry.list() == []


def test_a_save_that_fails_midway_leaves_the_old_model(registry, monkeypatch, tmp_path):
    train(registry)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentTrouble, match='model "m" could not be saved: .*No space left'):
        train(registry)
    monkeypatch.undo()
    assert [model["version"] for model in registry.versions("m", "ada")] == [1]
    assert not list((tmp_path / "models").rglob(".new-*"))


def test_a_changed_file_is_not_believed(registry, tmp_path):
    train(registry)
    path = model_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-10] + b"0123456789")
    with pytest.raises(EnvironmentTrouble, match='model "m" is damaged'):
        ModelRegistry(tmp_path / "models").load("m", "ada")


def plant(tmp_path, content):
    """Puts other bytes in the estimator's place, with the digest made to fit."""
    import hashlib

    model_file(tmp_path).write_bytes(content)
    path = model_file(tmp_path, "model.json")
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "sha256": hashlib.sha256(content).hexdigest()}))
    return ModelRegistry(tmp_path / "models")


def test_types_that_are_not_trusted_are_refused_by_name(registry, tmp_path):
    import skops.io

    train(registry)
    planted = plant(tmp_path, skops.io.dumps({"estimator": os.system}))
    with pytest.raises(UserError, match='model "m" holds types that are not trusted: posix.system'):
        planted.load("m", "ada")
    with pytest.raises(UserError, match='model "m" cannot be loaded'):
        plant(tmp_path, b"not an archive").load("m", "ada")


def test_a_tree_that_points_outside_itself_is_refused(registry, tmp_path):
    train(registry)
    source = zipfile.ZipFile(io.BytesIO(model_file(tmp_path).read_bytes()))
    target = io.BytesIO()
    changed = 0
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(content), allow_pickle=False)
                if array.dtype.names and "left_child" in array.dtype.names and len(array) > 1:
                    array = array.copy()
                    array["left_child"][0] = 1_000_000
                    buffer = io.BytesIO()
                    np.save(buffer, array)
                    content, changed = buffer.getvalue(), changed + 1
            archive.writestr(name, content)
    assert changed
    with pytest.raises(UserError, match='model "m" holds a tree whose nodes point outside it'):
        plant(tmp_path, target.getvalue()).load("m", "ada")


def test_damaged_metadata_is_told_and_the_others_are_listed(registry, tmp_path):
    train(registry, "good")
    train(registry, "zbad")
    (tmp_path / "models/search/user-ada/zbad/000001/model.json").write_text("{")
    listed = registry.list("ada")
    assert [model["name"] for model in listed] == ["good", "zbad"]
    assert "cannot be read" in listed[1]["error"]
    with pytest.raises(EnvironmentTrouble, match="cannot be read"):
        registry.load("zbad", "ada")


def test_threads_that_save_at_once_get_versions_of_their_own(registry):
    threads = [threading.Thread(target=train, args=(registry,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [model["version"] for model in registry.versions("m", "ada")] == [1, 2, 3, 4, 5, 6]


def test_summary_of_an_algorithm_without_one_or_with_options(registry):
    train(registry, algorithm="LogisticRegression")
    with pytest.raises(UserError, match='summary of LogisticRegression: unknown option "limit", none is taken'):
        summary(registry, "m", "ada", options={"limit": "3"})
