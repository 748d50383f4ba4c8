"""Saved searches and alerts as stanzas of `savedsearches.conf`, in both directions.

A stanza becomes an alert when it is scheduled and its result is judged or acted upon, else a saved search. What a stanza says
and cannot be brought is told. What the catalog says and Splunk has no setting for is written under names that begin with
`sightline.`, so that an export reads back as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sightline.apps.differences import bound_of_run
from sightline.apps.emails import read_email, write_email
from sightline.apps.own_conf import OWN, own_name
from sightline.catalog.actions import check_action
from sightline.catalog.models import Alert, SavedSearch
from sightline.catalog.saved import RELATIONS, SEVERITIES, check_cron
from sightline.catalog.stanzas import is_true
from sightline.errors import UserError
from sightline.search.syntax.arguments import print_name
from sightline.search.syntax.expressions import quote_string

_COUNTED = {"number of events": "", "number of hosts": "host", "number of sources": "source"}
_PERIOD = re.compile(r"\s*(\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*([a-z]*)\s*\Z", re.I)
_SECONDS = {"": 1, "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "mins": 60, "minute": 60,
            "minutes": 60, "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400,
            "days": 86400}  # fmt: skip
_READ = frozenset((
    "search", "description", "disabled", "enableSched", "is_scheduled", "cron_schedule", "realtime_schedule",
    "dispatch.earliest_time", "dispatch.latest_time", "counttype", "alert_type", "relation", "alert_comparator", "quantity",
    "alert_threshold", "alert_condition", "alert.suppress", "alert.suppress.period", "alert.suppress.fields",
    "alert.severity", "alert.track", "alert.digest_mode", "actions",
))  # fmt: skip
_OF_PAGES = (
    "display.", "request.", "embed.", "auto_summarize", "alert.display_view", "vsid", "displayview", "is_visible",
    "workload_pool", "dispatchAs", "dispatch.", "schedule_priority", "max_concurrent", "allow_skew", "defer_scheduled",
    "run_on_startup", "run_n_times", "restart_on_searchpeer_add", "skip_scheduled", "alert.expires", "alert.managedBy",
    "schedule_window", "schedule_as", "estimatedResultCount", "userid", "viewstate", "args.", "next_scheduled_time",
    "role", "nextrun", "sendresults", "source", "eai:", "version", "federated", "precalculate", "is_risk",
)  # fmt: skip
"""Settings of Splunk's own pages, of its dispatching and of its summaries: nothing of what a search finds depends on them."""


@dataclass
class Stanza:
    """A stanza as the catalog keeps it. `kind` is search or alert; `lost` says what could not be brought."""

    kind: str
    values: dict[str, Any]
    lost: list[str] = field(default_factory=list)


# -- from a stanza


def read_stanza(name: str, settings: Mapping[str, str]) -> Stanza:
    """A saved search or an alert. Raises UserError for a stanza without a search."""
    if not settings.get("search", "").strip():
        raise UserError("has no search")
    lost: list[str] = []
    values: dict[str, Any] = {
        "name": own_name(name, settings),
        "search": settings["search"],
        "description": settings.get("description", ""),
        "earliest": bound_of_run(settings.get("dispatch.earliest_time", ""), lost.append),
        "latest": bound_of_run(settings.get("dispatch.latest_time", ""), lost.append),
        "enabled": not is_true(settings.get("disabled", "0")),
        "realtime_schedule": is_true(settings.get("realtime_schedule", "1")),
    }
    scheduled = is_true(settings.get("enableSched", settings.get("is_scheduled", "0")))
    cron = settings.get("cron_schedule", "").strip()
    if scheduled and not cron:
        lost.append("it is scheduled and has no cron_schedule")
    elif cron and not scheduled:
        lost.append(f"its cron schedule {cron} is switched off")
    values["cron"] = ""
    if scheduled and cron:
        try:
            check_cron(cron)
            values["cron"] = cron
        except UserError as error:
            lost.append(f"its schedule is left out: {error.message}")
    actions = _actions(settings, values, lost)
    judged = settings.get(OWN + "kind") == "alert" or _is_judged(settings) or bool(actions)
    if values["cron"] and judged:
        values |= _alert_values(settings, actions, lost)
        kind = "alert"
    else:
        if judged and not values["cron"]:
            lost.append("it is not scheduled, so its condition and actions are left out")
        kind = "search"
    lost += _unread(settings)
    return Stanza(kind, values, lost)


def _is_judged(settings: Mapping[str, str]) -> bool:
    kind = settings.get("counttype", settings.get("alert_type", "")).strip().lower()
    return (
        kind not in ("", "always")
        or bool(settings.get("alert_condition", "").strip())
        or is_true(settings.get("alert.track", "0"))
    )


def _alert_values(settings: Mapping[str, str], actions: list[dict[str, Any]], lost: list[str]) -> dict[str, Any]:
    throttle_s, fields = 0.0, []
    if is_true(settings.get("alert.suppress", "0")):
        throttle_s = _period(settings.get("alert.suppress.period", ""), lost)
        fields = _throttle_fields(settings, lost)
    if settings.get("alert.digest_mode", "1").strip() and not is_true(settings.get("alert.digest_mode", "1")) and not fields:
        lost.append("it gives notice once a run and not once a row (alert.digest_mode)")
    severity = settings.get("alert.severity", "3").strip()
    known = severity.isdigit() and 1 <= int(severity) <= len(SEVERITIES)
    return {
        "condition": _condition(settings, lost),
        "throttle_s": throttle_s,
        "throttle_fields": fields,
        "severity": SEVERITIES[int(severity) - 1] if known else "warning",
        "actions": actions,
    }


def _throttle_fields(settings: Mapping[str, str], lost: list[str]) -> list[str]:
    if OWN + "throttle_fields" in settings:
        return _own_list(settings, "throttle_fields", str, lost)
    return [name.strip() for name in settings.get("alert.suppress.fields", "").split(",") if name.strip()]


def _own_list(settings: Mapping[str, str], key: str, kind: type, lost: list[str]) -> list[Any]:
    """A list that export wrote as JSON."""
    try:
        found = json.loads(settings[OWN + key])
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(item, kind) for item in found):
        lost.append(f"{OWN}{key} wants a JSON list, got {settings[OWN + key][:80]}")
        return []
    return found


def _condition(settings: Mapping[str, str], lost: list[str]) -> dict[str, Any]:
    kind = settings.get("counttype", settings.get("alert_type", "")).strip().lower()
    custom = settings.get("alert_condition", "").strip()
    if kind == "custom" or (custom and kind in ("", "always")):
        if custom:
            return {"kind": "search", "search": settings["alert_condition"]}
        lost.append("its condition is custom and has no alert_condition; any row counts")
        return {"kind": "rows", "relation": "greater than", "quantity": 0}
    if kind in ("", "always"):
        return {"kind": "always"}
    relation = settings.get("relation", settings.get("alert_comparator", "greater than")).strip().lower()
    quantity = settings.get("quantity", settings.get("alert_threshold", "0")).strip() or "0"
    relation = re.sub(r"\s+(by )?perc(entage)?$", "", relation)
    if settings.get("relation", "").strip().lower().endswith("perc") and not quantity.endswith("%"):
        quantity += "%"
    if relation not in RELATIONS or not re.fullmatch(r"\d+(\.\d+)?%?", quantity):
        lost.append(f'its condition "{kind} {relation} {quantity}" is not understood; any row counts')
        return {"kind": "rows", "relation": "greater than", "quantity": 0}
    counted = _COUNTED.get(kind)
    if counted is None:
        lost.append(f'its condition counts "{kind}", which is not known; rows count')
        counted = ""
    if counted == "":
        return {"kind": "rows", "relation": relation, "quantity": quantity if quantity.endswith("%") else float(quantity)}
    if relation in ("drops by", "rises by"):
        lost.append(f"its condition compares the {kind} with the last run; rows are compared")
        return {"kind": "rows", "relation": relation, "quantity": quantity if quantity.endswith("%") else float(quantity)}
    sign = {"greater than": ">", "less than": "<", "equal to": "=", "not equal to": "!="}[relation]
    return {"kind": "search", "search": f"stats dc({counted}) AS found | where found{sign}{quantity}"}


def _period(text: str, lost: list[str]) -> float:
    match = _PERIOD.match(text)
    if match is None or match.group(2).lower() not in _SECONDS:
        if text.strip():
            lost.append(f'its throttling period "{text}" is not understood')
        return 0.0
    return float(match.group(1)) * _SECONDS[match.group(2).lower()]


def _actions(settings: Mapping[str, str], values: dict[str, Any], lost: list[str]) -> list[dict[str, Any]]:
    """The actions that can be brought; those that write what was found become a command at the end of the search."""
    if OWN + "actions" in settings:
        return _own_list(settings, "actions", dict, lost)
    listed = [name.strip() for name in settings.get("actions", "").split(",") if name.strip()]
    switched = re.compile(r"action\.([\w-]+)\Z")
    names = dict.fromkeys(listed)
    for key, value in settings.items():
        match = switched.match(key)
        if match and is_true(value):
            names[match.group(1)] = None
        elif match:
            names.pop(match.group(1), None)
    actions: list[dict[str, Any]] = []
    for name in names:

        def given(*keys: str, name: str = name) -> str:
            return next((settings[k].strip() for key in keys if (k := f"action.{name}.{key}") in settings), "")

        if name == "email" or (name in ("webhook", "apprise") and given("param.url")):
            action = _email(settings, lost) if name == "email" else {"kind": name, "url": given("param.url")}
            try:
                actions.append(check_action(action))
            except UserError as error:
                lost.append(f"its action {name} is left out: {error.message}")
        elif name == "summary_index":
            values["search"] += _collect(settings, given("_name") or "summary", given("_type"))
            lost.append("its action summary_index became a collect at the end of the search")
        elif name == "lookup" and given("filename"):
            append = " append=true" if is_true(given("append") or "0") else ""
            values["search"] += f"\n| outputlookup{append} {print_name(given('filename'))}"
            lost.append("its action lookup became an outputlookup at the end of the search")
        elif name == "populate_lookup" and given("dest"):
            values["search"] += f"\n| outputlookup {print_name(given('dest'))}"
            lost.append("its action populate_lookup became an outputlookup at the end of the search")
        else:
            lost.append(f"its action {name} is left out: there is no such action here")
    return actions


def _email(settings: Mapping[str, str], lost: list[str]) -> dict[str, Any]:
    return read_email(settings, lost, report=settings.get(OWN + "kind") != "alert" and not _is_judged(settings))


def _collect(settings: Mapping[str, str], index: str, type: str) -> str:
    prefix = "action.summary_index."
    marks = {k.removeprefix(prefix): v for k, v in settings.items() if k.startswith(prefix)}
    marker = ", ".join(f"{k}={v}" for k, v in marks.items() if re.fullmatch(r"[A-Za-z]\w*", k) and k != "inline")
    command = "mcollect" if type == "metric" else "collect"
    return f"\n| {command} index={print_name(index)}" + (f" marker={quote_string(marker)}" if marker else "")


def _unread(settings: Mapping[str, str]) -> list[str]:
    """Settings that mean something in Splunk and nothing here, in one line."""
    names = sorted(
        key for key in settings
        if key not in _READ and not key.startswith((OWN, "action.", *_OF_PAGES))
    )  # fmt: skip
    return [f"settings without meaning here: {', '.join(names)}"] if names else []


# -- to a stanza


def write_stanza(row: SavedSearch | Alert) -> dict[str, str]:
    """The settings of a saved search or an alert."""
    found = {"search": row.search}
    if row.description:
        found["description"] = row.description
    if row.earliest:
        found["dispatch.earliest_time"] = row.earliest
    if row.latest:
        found["dispatch.latest_time"] = row.latest
    if row.cron:
        found |= {"cron_schedule": row.cron, "enableSched": "1"}
    if not row.realtime_schedule:
        found["realtime_schedule"] = "0"
    if not row.enabled:
        found["disabled"] = "1"
    if isinstance(row, Alert):
        found |= _alert_settings(row)
    return found


def _alert_settings(alert: Alert) -> dict[str, str]:
    found = {OWN + "kind": "alert"}
    condition = alert.condition
    if condition["kind"] == "search":
        found |= {"counttype": "custom", "alert_condition": condition["search"]}
    elif condition["kind"] == "always":
        found["counttype"] = "always"
    else:
        quantity = condition["quantity"]
        shown = quantity if isinstance(quantity, str) else _number(quantity)
        found |= {"counttype": "number of events", "relation": condition["relation"], "quantity": shown}
    if alert.throttle_s or alert.throttle_fields:
        found |= {"alert.suppress": "1", "alert.suppress.period": f"{_number(alert.throttle_s)}s"}
    if alert.throttle_fields:
        found["alert.suppress.fields"] = ", ".join(alert.throttle_fields)
        if any("," in name or name != name.strip() or not name for name in alert.throttle_fields):
            found[OWN + "throttle_fields"] = json.dumps(list(alert.throttle_fields))
    found["alert.severity"] = str(SEVERITIES.index(alert.severity) + 1)
    for action in alert.actions:
        found |= action_settings(action)
    if _actions(found, {}, []) != alert.actions:
        # Several of one kind, and texts that are more than a setting holds.
        found[OWN + "actions"] = json.dumps(alert.actions)
    return found


def action_settings(action: Mapping[str, Any]) -> dict[str, str]:
    """The settings of one action."""
    kind = action["kind"]
    if kind == "email":
        return write_email(action)
    return {f"action.{kind}": "1", f"action.{kind}.param.url": str(action.get("url", ""))}


def _number(value: float) -> str:
    """A number that reads back as it is, without a point where it is whole."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
