"""Text and events through the real listeners, under rules: raw text of the event collector, batches, and curl."""

import json
import subprocess

import httpx

RULES = r"""
sourcetypes:
  shop:
    like: log4j
    mask: {match: '\b\d{12}(\d{4})\b', with: 'XXXX-\1'}
    drop: {name: health checks, match: 'GET /health$'}
    route: {match: 'audit', index: app}
"""
LOG = (
    "2026-01-02 10:11:12,123 ERROR card=4111111111111111\njava.lang.X: y\n\tat z\n"
    "2026-01-02 10:11:13,000 INFO GET /health\n2026-01-02 10:11:14,000 INFO audit\n"
)


def test_raw_text_and_batches_follow_the_rules(front, load, store, tmp_path):
    (tmp_path / "sourcetypes.yml").write_text(RULES)
    (tmp_path / "shop.log").write_text(LOG)
    loader = load()
    sent = subprocess.run(
        [
            *("curl", "-s", "--data-binary", f"@{tmp_path / 'shop.log'}", "-H", "Authorization: Splunk hec-good"),
            f"{front.hec}/services/collector/raw?sourcetype=shop&source=shop.log&host=web-1",
        ],
        capture_output=True,
        check=True,
    )
    assert json.loads(sent.stdout)["code"] == 0
    batch = [{"event": "4111111111111111", "sourcetype": "shop"}, {"event": "GET /health", "sourcetype": "shop"}]
    headers = {"Authorization": "Splunk hec-good"}
    assert httpx.post(front.hec + "/services/collector", content=json.dumps(batch), headers=headers).status_code == 200
    loader = load()
    rows = store.query("SELECT index, source, severity, _raw FROM sightline.events WHERE index != '_internal' ORDER BY _raw")
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        ("main", "shop.log", "error", "2026-01-02 10:11:12,123 ERROR card=XXXX-1111\njava.lang.X: y\n\tat z"),
        ("app", "shop.log", "info", "2026-01-02 10:11:14,000 INFO audit"),
        ("main", "http:good", "", "XXXX-1111"),
    ]
    totals = {(row.source, row.index): (row.received, row.stored, row.refused) for row in loader.ledger.totals()}
    assert totals == {
        ("hec:raw", "main"): (2, 1, 1),
        ("hec:raw", "app"): (1, 1, 0),
        ("hec:events", "main"): (2, 1, 1),
    }
