"""Rules of sourcetypes over the API: what is in force, and what rules would make of a text."""


def test_a_text_is_tried_with_rules_of_its_own_and_with_those_in_force(bob, parts):
    trial = {
        "text": "a card=41\nb\n",
        "sourcetype": "app",
        "rules": "sourcetypes: {app: {mask: {match: 'card=[0-9]+', with: 'card=X'}, route: {match: b, index: nowhere}}}",
    }
    answer = bob.post("/api/v1/sourcetypes/try", json=trial)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [(event["raw"], event["index"], event["refusal"]) for event in found["events"]] == [
        ("a card=X", "main", ""),
        ("b", "nowhere", 'a rule routes to index "nowhere", which is not defined'),
    ]
    assert found["events"][0]["masked_from"] == "a card=41"
    in_force = bob.post("/api/v1/sourcetypes/try", json={"text": "name\nBarolo\n", "sourcetype": "csv", "limit": 5}).json()
    assert [event["fields"] for event in in_force["events"]] == [{"name": "Barolo"}]
    assert parts.loader.ledger.totals() == []


def test_wrong_rules_are_refused_with_their_place(bob):
    answer = bob.post("/api/v1/sourcetypes/try", json={"text": "a", "rules": "sourcetypes:\n  a: {dorp: x}\n"})
    assert answer.status_code == 400
    assert "rules, line 2: sourcetypes.a.dorp: unknown key" in answer.json()["error"]["message"]
    assert bob.post("/api/v1/sourcetypes/try", json={"text": "a", "limit": 100000}).status_code == 422


def test_the_rules_in_force_are_listed_and_a_broken_file_is_told(bob, parts):
    listed = bob.get("/api/v1/sourcetypes").json()
    assert listed["problem"] == ""
    assert {
        "sourcetype": "iis",
        "from": "built in",
        "does": "events, time, fields",
        "description": "Access log of IIS",
    } in listed["rules"]
    file = parts.directory.path / "sourcetypes.yml"
    file.write_text("sourcetypes: {a: {drop: '(?=x)'}}")
    try:
        assert "look-ahead" in bob.get("/api/v1/sourcetypes").json()["problem"]
    finally:
        file.unlink()
    assert bob.get("/api/v1/sourcetypes").json()["problem"] == ""


def test_nobody_tries_without_signing_in(anybody):
    assert anybody.get("/api/v1/sourcetypes").status_code == 401
    assert anybody.post("/api/v1/sourcetypes/try", json={"text": "a"}).status_code in (401, 403)
