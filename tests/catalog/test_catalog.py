"""The catalog keeps what it is given, refuses what makes no sense, and never keeps a secret in the clear."""

import sqlite3
import threading

import pyarrow as pa
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.catalog.models import Base
from sightline.catalog.token_source import TokenSource
from sightline.errors import NotFound, UserError


class Now:
    """A clock that a test moves."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def catalog(tmp_path, now):
    opened = Catalog(tmp_path, now)
    yield opened
    opened.close()


def test_the_migrations_make_what_the_models_declare(catalog):
    with catalog._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_two_processes_may_open_a_new_catalog_at_once(tmp_path):
    failures = []

    def open_it():
        try:
            Catalog(tmp_path).close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert failures == []


def test_an_opened_again_catalog_keeps_its_content(tmp_path):
    first = Catalog(tmp_path)
    first.macros.save("m", "index=a")
    dashboard = first.dashboards.list()[0]
    first.dashboards.delete(dashboard.id)
    first.close()
    second = Catalog(tmp_path)
    assert second.macros.find("m", 0).definition == "index=a"
    assert dashboard.title not in [d.title for d in second.dashboards.list()], "a deleted bundled dashboard stays away"
    second.close()


def test_passwords_are_argon2_and_checked(catalog):
    catalog.accounts.create("ada", "admin", "correct horse battery")
    assert catalog.accounts.get("ada").password_hash.startswith("$argon2id$")
    assert catalog.accounts.check_password("ada", "correct horse battery").name == "ada"
    assert catalog.accounts.check_password("ada", "wrong") is None
    assert catalog.accounts.check_password("nobody", "correct horse battery") is None


def test_a_user_without_password_cannot_log_in_with_an_empty_one(catalog):
    catalog.accounts.create("ada", "admin")
    assert catalog.accounts.check_password("ada", "") is None


def test_a_short_password_and_a_bad_role_are_refused(catalog):
    with pytest.raises(UserError, match="at least 10 characters, got 5"):
        catalog.accounts.create("ada", "admin", "short")
    with pytest.raises(UserError, match='unknown role "king", wanted one of: admin, user'):
        catalog.accounts.create("ada", "king")


def test_a_login_link_works_once_and_not_after_its_time(catalog, now):
    catalog.accounts.create("ada", "admin")
    code = catalog.accounts.create_link("ada", ttl_s=60)
    assert catalog.accounts.use_link(code).name == "ada"
    assert catalog.accounts.use_link(code) is None
    late = catalog.accounts.create_link("ada", ttl_s=60)
    now.at += 61
    assert catalog.accounts.use_link(late) is None


def test_a_session_ends_at_its_time_and_with_a_new_password(catalog, now):
    user = catalog.accounts.create("ada", "admin", "correct horse battery")
    secret = catalog.accounts.open_session(user, ttl_s=60)
    assert catalog.accounts.session_user(secret).name == "ada"
    assert catalog.accounts.session_user("something else") is None
    catalog.accounts.set_password("ada", "another long password")
    assert catalog.accounts.session_user(secret) is None
    secret = catalog.accounts.open_session(user, ttl_s=60)
    now.at += 61
    assert catalog.accounts.session_user(secret) is None


def test_the_last_administrator_stays(catalog):
    catalog.accounts.create("ada", "admin")
    with pytest.raises(UserError, match="last administrator"):
        catalog.accounts.delete("ada")
    catalog.accounts.create("bob", "admin")
    catalog.accounts.delete("ada")


def test_no_secret_is_in_the_file(catalog, tmp_path):
    user = catalog.accounts.create("ada", "admin", "correct horse battery")
    _, token = catalog.tokens.create("hec", "collector")
    secrets = [token, catalog.accounts.create_link("ada"), catalog.accounts.open_session(user, 60), "correct horse"]
    with sqlite3.connect(tmp_path / "catalog.db") as connection:
        dump = "\n".join(connection.iterdump())
    assert "collector" in dump
    assert not [s for s in secrets if s in dump]


def test_tokens_are_found_by_kind_and_revoked(catalog, now):
    token, secret = catalog.tokens.create("api", "reader", owner="ada")
    assert catalog.tokens.find(secret, "api").owner == "ada"
    assert catalog.tokens.list()[0].last_used == now.at
    assert catalog.tokens.find(secret, "hec") is None
    catalog.tokens.set_disabled(token.id, True)
    assert catalog.tokens.find(secret, "api") is None
    catalog.tokens.revoke("reader")
    with pytest.raises(NotFound, match='no token "reader"'):
        catalog.tokens.revoke("reader")


def test_a_token_defaults_to_its_first_index_and_must_allow_its_default(catalog):
    token, _ = catalog.tokens.create("hec", "a", indexes=["web", "main"])
    assert token.default_index == "web" and catalog.indexes.datatype("web") == "event"
    with pytest.raises(UserError, match='default index "other" is not one of the allowed: web'):
        catalog.tokens.create("hec", "b", indexes=["web"], default_index="other")
    with pytest.raises(UserError, match='unknown kind of token "ssh"'):
        catalog.tokens.create("ssh", "c")


def test_the_token_source_reads_what_the_catalog_wrote(catalog, tmp_path, monkeypatch):
    monkeypatch.setattr("sightline.catalog.token_source.CACHE_S", 0.0)
    source = TokenSource(tmp_path / "catalog.db")
    token, secret = catalog.tokens.create("hec", "a", indexes=["web"], sourcetype="json")
    grant = source.find(secret)
    assert (grant.name, grant.kind, grant.default_index, grant.sourcetype) == ("a", "hec", "web", "json")
    assert grant.allows("web") and not grant.allows("main")
    assert source.index_datatype("metrics") == "metric" and source.index_datatype("nothing") is None
    catalog.tokens.set_disabled(token.id, True)
    assert source.find(secret).disabled
    catalog.tokens.revoke("a")
    assert source.find(secret) is None
    assert TokenSource(tmp_path / "absent.db").find(secret) is None


def test_the_token_source_brings_no_sqlalchemy():
    import subprocess
    import sys

    code = "import sightline.catalog.token_source, sys; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_index_holds_one_kind_of_data(catalog):
    catalog.indexes.create("web")
    with pytest.raises(UserError, match='index "web" exists'):
        catalog.indexes.create("web")
    with pytest.raises(UserError, match='index "web" holds event data, wanted metric'):
        catalog.indexes.ensure("web", "metric")
    knowledge = CatalogKnowledge(catalog)
    assert knowledge.index_datatype("web") == "event"
    assert knowledge.default_indexes("ada") == ["main", "web"]


def test_macros_are_told_apart_by_their_number_of_arguments(catalog):
    catalog.macros.save("m", "index=a")
    catalog.macros.save("m", "index=$x$", ["x"])
    catalog.macros.save("m", "index=b")
    knowledge = CatalogKnowledge(catalog)
    assert knowledge.macro("m", 0).definition == "index=b"
    assert (knowledge.macro("m", 1).definition, knowledge.macro("m", 1).arguments) == ("index=$x$", ("x",))
    assert knowledge.macro("m", 2) is None


def test_a_lookup_gives_back_typed_columns(catalog):
    table = pa.table(
        {
            "code": ["007", "042"],
            "n": [1, None],
            "share": [0.5, 2.0],
            "ok": [True, False],
            "long": ["12345678901234567890", "2"],
            "many": [["a", "b"], None],
            'quo"te': ["a,b", "line\nfeed"],
        }
    )
    catalog.lookups.write("t", table)
    back = catalog.lookups.read("t.csv")
    assert back.column("code").to_pylist() == ["007", "042"]
    assert back.column("n").to_pylist() == [1, None]
    assert back.column("share").to_pylist() == [0.5, 2.0]
    assert back.column("ok").to_pylist() == [True, False]
    assert back.column("long").to_pylist() == ["12345678901234567890", "2"]
    assert back.column("many").to_pylist() == ["a\nb", None]
    assert back.column('quo"te').to_pylist() == ["a,b", "line\nfeed"]
    assert [x["name"] for x in catalog.lookups.list()] == ["t.csv"]


@pytest.mark.parametrize("name", ["../catalog.db", "/etc/passwd", "a/b", "", ".hidden", "a\x00b"])
def test_a_lookup_name_cannot_leave_the_folder(catalog, name):
    with pytest.raises(UserError, match="a name wants"):
        catalog.lookups.read(name)


def test_a_bad_upload_leaves_the_old_lookup(catalog):
    catalog.lookups.write_bytes("t.csv", b"a,b\n1,2\n")
    with pytest.raises(UserError, match="not valid CSV"):
        catalog.lookups.write_bytes("t.csv", b"a,b\n1\n")
    assert catalog.lookups.read("t").to_pylist() == [{"a": 1, "b": 2}]
    assert catalog.lookups.read("absent") is None


def test_saved_searches_are_checked(catalog, now):
    saved = catalog.searches.create(name="s", search="index=main", cron=" */5  * * * * ")
    assert saved.cron == "*/5 * * * *" and saved.last_scheduled == now.at
    with pytest.raises(UserError, match='saved search "s" exists'):
        catalog.searches.create(name="s", search="index=main")
    with pytest.raises(UserError, match='"61 \\* \\* \\* \\*" is not a cron schedule'):
        catalog.searches.update(saved.id, cron="61 * * * *")
    with pytest.raises(UserError, match="wants a search, got an empty one"):
        catalog.searches.create(name="t", search=" ")
    now.at += 3600
    assert catalog.searches.update(saved.id, description="x").last_scheduled == now.at - 3600
    assert catalog.searches.update(saved.id, cron="* * * * *").last_scheduled == now.at
    assert CatalogKnowledge(catalog).saved_search("s").search == "index=main"


def test_an_alert_is_a_saved_search(catalog):
    catalog.searches.create(name="b", search="index=main")
    catalog.searches.create(name="both", search="index=saved")
    for name in ("a", "both"):
        catalog.alerts.create(name=name, search="index=alerts", earliest="-5m", cron="* * * * *")
    knowledge = CatalogKnowledge(catalog)
    assert knowledge.saved_searches() == ["a", "b", "both"]
    found = knowledge.saved_search("a")
    assert (found.search, found.earliest) == ("index=alerts", "-5m")
    assert knowledge.saved_search("both").search == "index=saved"


def test_alerts_are_checked(catalog):
    alert = catalog.alerts.create(name="a", search="index=main", cron="* * * * *")
    assert alert.condition == {"kind": "rows", "relation": "greater than", "quantity": 0.0} and alert.state == "ok"
    bad = [
        ({"cron": ""}, "wants a cron schedule"),
        ({"condition": {"kind": "rows", "relation": "above"}}, 'unknown relation "above"'),
        ({"condition": {"kind": "rows", "quantity": "20%"}}, 'a share is for "drops by"'),
        ({"condition": {"kind": "search"}}, "wants a search"),
        ({"actions": [{"kind": "webhook", "url": "ftp://x"}]}, "wants an http or https url"),
        ({"actions": [{"kind": "pigeon"}]}, 'unknown kind of action "pigeon"'),
        ({"actions": [{"kind": "email", "subject": "x"}]}, "wants an address in to, cc or bcc, got none"),
        ({"actions": [{"kind": "email", "to": "ops"}]}, 'an address wants a @, got "ops"'),
        ({"actions": [{"kind": "email", "to": "a@b", "sent": "x"}]}, 'an email action has no "sent"'),
        ({"actions": [{"kind": "email", "to": ["a@b"]}]}, "to wants a text"),
        (
            {"actions": [{"kind": "email", "to": "a@b", "results": "pdf"}]},
            "results wants one of: none, inline, attached, both",
        ),
        (
            {"actions": [{"kind": "email", "to": "a@b", "priority": "urgent"}]},
            'priority wants one of: highest, .* got "urgent"',
        ),
        (
            {"actions": [{"kind": "email", "to": "a@b", "max_rows": 0}]},
            'max_rows wants a whole number from 1 to 10,000, got "0"',
        ),
        ({"actions": [{"kind": "email", "to": "a@b", "include": ["pdf"]}]}, "include wants a list of any of: results_link"),
        ({"severity": "loud"}, 'unknown severity "loud"'),
        ({"colour": "red"}, 'an? alert has no "colour"'),
    ]
    for values, message in bad:
        with pytest.raises(UserError, match=message):
            catalog.alerts.update(alert.id, **values)


def test_an_alert_keeps_its_latest_history(catalog, monkeypatch):
    monkeypatch.setattr("sightline.catalog.saved.HISTORY_ROWS", 3)
    alert = catalog.alerts.create(name="a", search="index=main", cron="* * * * *")
    for number in range(5):
        catalog.alerts.add_history(alert.id, "fired", str(number), {"n": number})
    assert [(h.detail, h.result) for h in catalog.alerts.history(alert.id)] == [
        ("4", {"n": 4}),
        ("3", {"n": 3}),
        ("2", {"n": 2}),
    ]
    catalog.alerts.delete(alert.id)
    catalog.alerts.add_history(alert.id, "fired", "late")
    with pytest.raises(NotFound):
        catalog.alerts.history(alert.id)


def test_bundled_dashboards_are_there(catalog):
    titles = [d.title for d in catalog.dashboards.list()]
    assert titles == ["Model health", "Services"]
    health = catalog.dashboards.list()[0]
    assert all("mstats" in panel["search"] for panel in health.definition["panels"])


def test_a_dashboard_of_an_app_is_replaced_and_not_doubled(catalog):
    before = len(catalog.dashboards.list())
    made, fresh = catalog.dashboards.put("shop", "sales", "Sales", {"panels": [{"search": "index=a"}]}, owner="ada")
    again, still_fresh = catalog.dashboards.put("shop", "sales", "Sales today", {"panels": []}, "of this day")
    assert (fresh, still_fresh, again.id) == (True, False, made.id)
    kept = catalog.dashboards.get(made.id)
    assert (kept.title, kept.description, kept.definition["panels"], kept.owner) == ("Sales today", "of this day", [], "ada")
    other, fresh = catalog.dashboards.put("store", "sales", "Sales", {"panels": []})
    assert fresh and other.id != made.id and len(catalog.dashboards.list()) == before + 2
    for _ in range(2):
        catalog.dashboards.create("made by hand", {"panels": []})
    with pytest.raises(UserError, match="name of a view"):
        catalog.dashboards.put("shop", " ", "Sales", {"panels": []})


def test_a_dashboard_definition_is_checked_panel_by_panel(catalog):
    made = catalog.dashboards.create("d", {"panels": [{"search": "index=a"}, {"search": "index=b", "chart": "line"}]})
    first, second = made.definition["panels"]
    assert (first["chart"], first["id"], second["y"]) == ("table", "panel-1", 8)
    for panels, message in [
        ([{"search": ""}], "panel 1 wants a search"),
        ([{"search": "a", "chart": "donut"}], 'unknown chart "donut"'),
        ([{"search": "a", "x": 20, "w": 12}], "at most 24, got 32"),
        ([{"search": "a", "id": "p"}, {"search": "a", "id": "p"}], 'id "p" is used twice'),
    ]:
        with pytest.raises(UserError, match=message):
            catalog.dashboards.create("d", {"panels": panels})


def test_the_newest_migration_is_the_one_that_a_catalog_has(catalog):
    from sightline.catalog.database import _version, newest_version

    assert _version(catalog._engine) == newest_version()
