"""Data models over the API: kept, read, refused with the place of the mistake, and searched."""

import pyarrow as pa
import pytest

API = "/api/v1/data-models"


def model(name="Web", **more):
    return {
        "modelName": name,
        "displayName": "Web traffic",
        "objects": [
            {
                "objectName": "Requests",
                "parentName": "BaseEvent",
                "constraints": [{"search": "index=modelled"}],
                "fields": [{"fieldName": "status", "type": "number"}],
                "calculations": [
                    {
                        "calculationType": "Eval",
                        "expression": 'if(status>=400, "bad", "good")',
                        "outputFields": [{"fieldName": "verdict"}],
                    }
                ],
            },
            {"objectName": "Failed", "parentName": "Requests", "constraints": [{"search": "verdict=bad"}]},
        ],
    } | more


@pytest.fixture(scope="module", autouse=True)
def data(parts):
    parts.catalog.indexes.ensure("modelled", "event")
    parts.store.append_events("modelled", pa.table({"_time": [1.76e9, 1.76e9, 1.76e9], "status": [200, 404, 500]}))


def test_a_model_is_kept_listed_read_and_removed(ada):
    made = ada.post(API, json=model())
    assert made.status_code == 201, made.text
    assert made.json()["datasets"] == [
        {"name": "Requests", "title": "Requests", "path": "Requests"},
        {"name": "Failed", "title": "Failed", "path": "Requests.Failed"},
    ]
    assert [one["name"] for one in ada.get(API).json()] == ["Web"]
    read = ada.get(f"{API}/Web").json()
    assert read["definition"] == model()
    failed = read["datasets"][1]
    assert failed["kind"] == "BaseEvent"
    assert failed["search"] == (
        'search (index=modelled) | eval "verdict"=if(status>=400, "bad", "good") | search (verdict=bad)'
    )
    assert [(f["name"], f["owner"]) for f in failed["fields"]] == [("status", "Requests"), ("verdict", "Requests")]
    assert ada.delete(f"{API}/Web").status_code == 200
    assert ada.get(f"{API}/Web").status_code == 404


def test_a_model_is_searched(ada, parts):
    ada.post(API, json=model("Searched"))
    rows = parts.engine.run("| tstats count from datamodel=Searched.Failed by Requests.status").table.to_pylist()
    assert rows == [{"Requests.status": 404, "count": 1}, {"Requests.status": 500, "count": 1}]


def test_a_models_name_may_have_dashes(ada, parts):
    assert ada.post(API, json=model("our-web")).status_code == 201
    for text in ("| tstats count from datamodel=our-web.Failed", "| pivot our-web Failed count(Failed) AS count"):
        assert parts.engine.run(text).table.to_pylist() == [{"count": 2}]
    assert parts.engine.run("| from datamodel:our-web.Failed | stats count").table.to_pylist() == [{"count": 2}]
    assert ada.delete(f"{API}/our-web").status_code == 200


def test_only_the_owner_and_administrators_change_a_model(ada, bob):
    assert bob.post(API, json=model("Bobs")).status_code == 201
    assert ada.post(API, json=model("Bobs", description="better")).json()["owner"] == "bob"
    ada.post(API, json=model("Adas"))
    assert bob.post(API, json=model("Adas")).status_code == 403
    assert bob.delete(f"{API}/Adas").status_code == 403
    assert bob.delete(f"{API}/Bobs").status_code == 200


def changed(change):
    given = model("Wrong")
    change(given)
    return given


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({}, "data model: modelName is wanted"),
        (model("a b"), 'modelName wants letters, digits, _ and -, got "a b"'),
        (model("Wrong", objects=[]), 'data model "Wrong": objects wants at least one dataset, got none'),
        (model("Wrong", objects={}), "objects wants a list, got an object"),
        (model("Wrong", objects=[1]), 'data model "Wrong": objects[0]: wanted an object, got a number'),
        (changed(lambda m: m["objects"][1].update(parentName="Request")), 'parentName wants a dataset of the model or one of'),
        (changed(lambda m: m["objects"][0].update(parentName="Failed")), "datasets inherit from each other in a circle"),
        (changed(lambda m: m["objects"][1].update(objectName="Requests")), 'two datasets are named "Requests"'),
        (changed(lambda m: m["objects"][0].update(parentName="BaseSearch")), "baseSearch is wanted"),
        (
            changed(lambda m: m["objects"][0].update(parentName="BaseTransaction", objectsToGroup=["Failed"])),
            "groupByFields, transactionMaxPause or transactionMaxTimeSpan is wanted",
        ),
        (
            changed(lambda m: m["objects"][0]["fields"][0].update(type="text")),
            'objects[0] ("Requests"): fields[0] ("status"): type wants one of string, number, boolean',
        ),
        (
            changed(lambda m: m["objects"][0]["calculations"][0].update(calculationType="Magic")),
            'calculationType wants one of Eval, Lookup, Rex, GeoIP, got "Magic"',
        ),
        (
            changed(lambda m: m["objects"][0]["calculations"][0].update(expression="if(status")),
            'data model "Wrong": dataset "Requests": Eval calculation: ',
        ),
        (
            changed(lambda m: m["objects"][0]["constraints"][0].update(search="index=web | head 1")),
            "wanted one condition or expression without a pipe",
        ),
        (changed(lambda m: m["objects"][0]["constraints"][0].update(search="`no_such_macro`")), 'there is no macro "no_such_macro"'),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_place(ada, definition, message):
    for path in (API, f"{API}/check"):
        answer = ada.post(path, json=definition)
        assert answer.status_code == 400, answer.text
        assert message in answer.json()["error"]["message"]
    assert ada.get(f"{API}/Wrong").status_code == 404
