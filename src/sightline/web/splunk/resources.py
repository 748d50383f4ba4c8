"""The entries of Splunk's REST paths, as rows: what the program keeps, under the names that Splunk gives it.

Enters: a path, who is asking. Leaves: dictionaries with `title`, `author`, `eai:acl.…` and the content of each entry. No
secret is ever among them: passwords and tokens are kept as hashes, which nothing here reads, and addresses of alert
actions lose everything behind the host, where their secrets stand.
"""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from sightline import __version__
from sightline.apps.schedules import action_settings
from sightline.catalog.accounts import ROLES
from sightline.catalog.models import Alert, SavedSearch
from sightline.catalog.stanzas import collection_of
from sightline.errors import Forbidden, NotFound, UserError, nearest
from sightline.watch.notify import without_secrets
from sightline.web.api.indexes import describe_indexes
from sightline.web.api.status import resident_bytes
from sightline.web.parts import Identity, Parts

Row = dict[str, Any]
SERVER = "local"
CAPABILITIES = {
    "user": ("change_own_password", "get_metadata", "input_file", "output_file", "rest_properties_get", "schedule_search", "search"),
    "admin": (
        "admin_all_objects", "change_own_password", "delete_by_keyword", "edit_tokens_all", "edit_user", "get_metadata",
        "indexes_edit", "input_file", "list_settings", "output_file", "rest_properties_get", "schedule_search", "search",
    ),
}  # fmt: skip
"""What a role may do, by Splunk's names for it."""
_SEVERITIES = {"debug": 1, "info": 2, "warning": 3, "error": 4, "critical": 5, "fatal": 6}
_STATES = {"queued": "QUEUED", "running": "RUNNING", "done": "DONE", "failed": "FAILED", "cancelled": "FAILED"}
_KINDS_OF_CONF = ("props", "transforms", "eventtypes", "tags", "collections")


@dataclass(frozen=True)
class Resource:
    """A path that has entries. `list` gives them for who is asking."""

    path: str
    list: Callable[[Parts, Identity], Iterable[Row]]
    single: bool = False
    """Whether there is one entry, which has no name of its own in the path."""


_RESOURCES: dict[str, Resource] = {}


def resource(*paths: str, single: bool = False) -> Callable[[Callable[[Parts, Identity], Iterable[Row]]], Any]:
    """Registers what lists the entries of these paths."""

    def register(lister: Callable[[Parts, Identity], Iterable[Row]]) -> Any:
        for path in paths:
            _RESOURCES[path] = Resource(path, lister, single)
        return lister

    return register


def resource_paths() -> list[str]:
    """Every path that has entries."""
    return sorted(_RESOURCES)


def rows_of_path(path: str, arguments: Mapping[str, str], parts: Parts, identity: Identity) -> list[Row]:
    """The entries of a path such as `/services/saved/searches` or `/servicesNS/-/search/data/ui/views/name`.

    `arguments` are Splunk's: count, offset, search, sort_key, sort_dir, f. Raises UserError for a path without a meaning.
    """
    inner = _inner_path(path)
    found = _RESOURCES.get(inner)
    name = ""
    if found is None:
        head, _, tail = inner.rpartition("/")
        while head and head not in _RESOURCES:
            head, _, more = head.rpartition("/")
            tail = f"{more}/{tail}"
        found, name = _RESOURCES.get(head), unquote(tail)
    if found is None or (name and found.single):
        raise UserError(
            f'there is no path "{path}"; paths: {", ".join("/services/" + one for one in resource_paths())}',
            nearest(inner, resource_paths()),
        )
    rows = [_completed(row, found.path) for row in found.list(parts, identity)]
    if name and name != "-":
        rows = [row for row in rows if name in (row["title"], row.get("name"), row.get("sid"))]
        if not rows:
            raise NotFound(f'"{found.path}" has no entry "{name}"')
    return _chosen(rows, arguments)


def _inner_path(path: str) -> str:
    """The path behind `/services/` or `/servicesNS/<owner>/<app>/`."""
    pieces = [piece for piece in path.split("?")[0].split("/") if piece]
    if pieces[:1] == ["services"]:
        pieces = pieces[1:]
    elif pieces[:1] == ["servicesNS"]:
        pieces = pieces[3:]
    return "/".join(pieces)


def _completed(row: Row, path: str) -> Row:
    """The row with what every entry has."""
    title = str(row["title"])
    owner, app = row.pop("owner", "nobody"), row.pop("app", "search")
    updated = row.pop("updated", None)
    shared: Row = {
        "title": title,
        "author": owner,
        "eai:acl.app": app,
        "eai:acl.can_list": 1,
        "eai:acl.owner": owner,
        "eai:acl.perms.read": "*",
        "eai:acl.perms.write": "admin",
        "eai:acl.sharing": "global",
        "eai:appName": app,
        "eai:userName": owner,
        "id": f"/servicesNS/{quote(str(owner))}/{quote(str(app))}/{path}/{quote(title, safe='')}",
        "splunk_server": SERVER,
    }
    if updated is not None:
        shared["updated"] = _moment(updated)
    return shared | row


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _chosen(rows: list[Row], arguments: Mapping[str, str]) -> list[Row]:
    wanted = arguments.get("search", "").strip()
    if wanted:
        name, equals, value = wanted.partition("=")
        value = value.strip().strip('"').lower()

        def matches(row: Row) -> bool:
            if equals and name.strip() in row:
                return str(row[name.strip()]).lower() == value
            return any(wanted.lower() in str(cell).lower() for cell in row.values())

        rows = [row for row in rows if matches(row)]
    if key := arguments.get("sort_key"):
        descending = arguments.get("sort_dir", "asc").lower() == "desc"
        rows = sorted(rows, key=lambda row: str(row.get(key, "")), reverse=descending)
    offset, count = (_number(arguments, name) for name in ("offset", "count"))
    rows = rows[offset:]
    rows = rows[:count] if count > 0 else rows
    if fields := arguments.get("f"):
        kept = {"title", "id", "splunk_server", *(one.strip() for one in fields.split(","))}
        rows = [{name: cell for name, cell in row.items() if name in kept} for row in rows]
    return rows


def _number(arguments: Mapping[str, str], name: str) -> int:
    text = arguments.get(name, "0")
    try:
        return int(text)
    except ValueError:
        raise UserError(f'{name} must be a whole number, got "{text}"') from None


# ---- the server ------------------------------------------------------------------------------------------------------


@resource("server/info", single=True)
def server_info(parts: Parts, identity: Identity) -> Iterator[Row]:
    """What this program is and runs on."""
    host = socket.gethostname()
    yield {
        "title": "server-info",
        "app": "system",
        "build": __version__,
        "cpu_arch": platform.machine(),
        "guid": f"sightline-{host}",
        "health_info": "red" if parts.loader.last_error else "green",
        "host": host,
        "host_fqdn": socket.getfqdn(),
        "isFree": 0,
        "isTrial": 0,
        "licenseState": "OK",
        "mode": "normal",
        "numberOfCores": os.cpu_count() or 1,
        "numberOfVirtualCores": os.cpu_count() or 1,
        "os_name": platform.system(),
        "os_version": platform.release(),
        "physicalMemoryMB": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "product_type": "sightline",
        "serverName": host,
        "server_roles": ["indexer", "search_head"],
        "startup_time": int(parts.started),
        "version": __version__,
    }


@resource("server/status/resource-usage/hostwide", single=True)
def resource_usage(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Memory of the machine and of the engine."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    load = os.getloadavg()[0]
    yield {
        "title": "hostwide",
        "app": "system",
        "mem": round(total / 2**20, 3),
        "mem_used": round((total - free) / 2**20, 3),
        "engine_mem_used": round((resident_bytes(os.getpid()) or 0) / 2**20, 3),
        "normalized_load_avg_1min": round(load / (os.cpu_count() or 1), 3),
        "cpu_count": os.cpu_count() or 1,
    }


@resource("messages")
def messages(parts: Parts, identity: Identity) -> Iterator[Row]:
    """What an administrator should know of at once."""
    if parts.loader.last_error:
        yield {"title": "loading", "app": "system", "severity": "error", "message": parts.loader.last_error}


@resource("apps/local")
def apps(parts: Parts, identity: Identity) -> Iterator[Row]:
    """The apps that things belong to."""
    rows = [*parts.catalog.searches.list(), *parts.catalog.alerts.list(), *parts.catalog.dashboards.list()]
    names = {row.app for row in (*rows, *parts.catalog.macros.list(), *parts.catalog.data_models.list())}
    for kind in _KINDS_OF_CONF:
        names |= {stanza.app for stanza in parts.catalog.stanzas[kind].list()}
    for name in sorted(names | {"search"}):
        yield {
            "title": name,
            "app": name,
            "label": name,
            "disabled": 0,
            "visible": 1,
            "configured": 1,
            "version": __version__,
        }


# ---- searches and what they gave -------------------------------------------------------------------------------------


@resource("saved/searches", "configs/conf-savedsearches")
def saved_searches(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Saved searches, and alerts, which Splunk keeps among them."""
    for search in parts.catalog.searches.list():
        yield _saved(search, parts) | {"alert_type": "always", "alert.track": 0, "actions": "", "triggered_alert_count": 0}
    for alert in parts.catalog.alerts.list():
        yield _saved(alert, parts) | _alert(alert, parts)


def _saved(row: SavedSearch | Alert, parts: Parts) -> Row:
    following = parts.scheduler.next_run(row)
    return {
        "title": row.name,
        "owner": row.owner,
        "app": row.app,
        "updated": row.updated,
        "search": row.search,
        "qualifiedSearch": row.search,
        "description": row.description,
        "cron_schedule": row.cron,
        "is_scheduled": int(bool(row.cron)),
        "is_visible": 1,
        "disabled": int(not row.enabled),
        "dispatch.earliest_time": row.earliest,
        "dispatch.latest_time": row.latest,
        "dispatchAs": "owner",
        "realtime_schedule": int(row.realtime_schedule),
        "next_scheduled_time": "" if following is None else _moment(following),
        "request.ui_dispatch_app": row.app,
    }


def _alert(row: Alert, parts: Parts) -> Row:
    counts = {"alert_type": "number of events"}
    if row.condition["kind"] == "search":
        counts = {"alert_type": "custom", "alert_condition": row.condition["search"]}
    elif row.condition["kind"] == "rows":
        quantity = row.condition["quantity"]
        counts |= {
            "alert_comparator": row.condition["relation"],
            "alert_threshold": f"{quantity:g}" if isinstance(quantity, float) else quantity,
        }
    else:
        counts = {"alert_type": "always"}
    found: Row = counts | {
        "actions": ",".join(dict.fromkeys(str(action["kind"]) for action in row.actions)),
        "alert.severity": _SEVERITIES.get(row.severity, 3),
        "alert.suppress": int(row.throttle_s > 0),
        "alert.suppress.fields": ",".join(row.throttle_fields),
        "alert.suppress.period": f"{row.throttle_s:g}s" if row.throttle_s else "",
        "alert.track": 1,
        "triggered_alert_count": sum(one.event == "fired" for one in parts.catalog.alerts.history(row.id, 1000)),
    }
    for action in row.actions:
        shown = action if action["kind"] == "email" else {**action, "url": without_secrets(str(action.get("url", "")))}
        found |= action_settings(shown) | {f"action.{action['kind']}": 1}
    return found


@resource("alerts/fired_alerts")
def fired_alerts(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Every time that an alert fired, newest first."""
    fired = []
    for alert in parts.catalog.alerts.list():
        for one in parts.catalog.alerts.history(alert.id, 1000):
            if one.event == "fired":
                fired.append((one.time, alert, one))
    for time, alert, one in sorted(fired, key=lambda each: -each[0]):
        yield {
            "title": alert.name,
            "owner": alert.owner,
            "app": alert.app,
            "updated": time,
            "name": f"{alert.name}_at_{int(time)}",
            "savedsearch_name": alert.name,
            "actions": ",".join(dict.fromkeys(str(action["kind"]) for action in alert.actions)),
            "alert_type": "scheduled",
            "severity": _SEVERITIES.get(alert.severity, 3),
            "trigger_time": int(time),
            "trigger_time_rendered": _moment(time),
            "triggered_alerts": 1,
            "detail": one.detail,
        }


@resource("alerts/alert_actions", "admin/alert_actions")
def alert_actions(parts: Parts, identity: Identity) -> Iterator[Row]:
    """What sendalert can do."""
    for name, label in (
        ("webhook", "Webhook"),
        ("apprise", "Any channel of apprise"),
        ("email", "Send email"),
        ("logevent", "Log event"),
    ):
        yield {"title": name, "app": "system", "label": label, "disabled": 0, "is_custom": 0}


@resource("search/jobs")
def jobs(parts: Parts, identity: Identity) -> Iterator[Row]:
    """One's own jobs, or for an administrator all, newest first."""
    for job in parts.jobs.list(None if identity.role == "admin" else identity.name):
        told = job.describe()
        yield {
            "title": job.search,
            "owner": job.user,
            "app": job.app,
            "updated": job.last_touched,
            "published": _moment(job.created),
            "sid": job.sid,
            "search": job.search,
            "label": job.label,
            "dispatchState": _STATES.get(job.state, job.state.upper()),
            "doneProgress": round(job.progress, 4),
            "eventCount": told["event_count"],
            "resultCount": job.result_count,
            "scanCount": job.scanned_rows,
            "isDone": int(job.finished.is_set()),
            "isFailed": int(job.state == "failed"),
            "isFinalized": int(job.state == "cancelled"),
            "isSavedSearch": int(job.label.startswith(("search: ", "alert: "))),
            "earliestTime": "" if job.earliest_time is None else _moment(job.earliest_time),
            "latestTime": "" if job.latest_time is None else _moment(job.latest_time),
            "runDuration": round(told["run_duration_s"], 3),
            "ttl": int(job.ttl_s),
            "provenance": "scheduler" if job.label.startswith(("search: ", "alert: ")) else "UI:Search",
        }


# ---- data ------------------------------------------------------------------------------------------------------------


@resource("data/indexes", "data/indexes-extended")
def indexes(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Every index with how much it holds."""
    for index in describe_indexes(parts):
        yield {
            "title": index["name"],
            "app": "system" if index["name"].startswith("_") else "search",
            "currentDBSizeMB": round(index["size_bytes"] / 2**20, 3),
            "totalEventCount": index["rows"],
            "datatype": {"metric": "metric"}.get(index["datatype"], "event"),
            "minTime": "" if index["earliest"] is None else _moment(index["earliest"]),
            "maxTime": "" if index["latest"] is None else _moment(index["latest"]),
            "disabled": 0,
            "isInternal": int(index["name"].startswith("_")),
            "isReady": 1,
        }


@resource("data/lookup-table-files")
def lookup_files(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Lookups that are tables."""
    for lookup in parts.catalog.lookups.list():
        yield {
            "title": lookup["name"],
            "eai:data": lookup["name"],
            "updated": lookup["updated"],
            "size_bytes": lookup["size_bytes"],
            "disabled": 0,
        }


@resource("data/transforms/lookups")
def lookup_definitions(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Definitions of lookups."""
    for row in _stanza_rows("transforms", parts):
        collection = collection_of(row["title"], row)
        if "filename" in row or collection:
            yield row | ({"type": "kvstore", "collection": collection} if collection else {"type": "file"})


@resource("storage/collections/config")
def collections(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Collections that are declared."""
    yield from _stanza_rows("collections", parts)


@resource("saved/eventtypes")
def event_types(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Event types."""
    yield from _stanza_rows("eventtypes", parts)


def _stanza_rows(kind: str, parts: Parts) -> Iterator[Row]:
    for stanza in parts.catalog.stanzas[kind].list():
        yield {
            "title": stanza.name,
            "owner": stanza.owner,
            "app": stanza.app,
            "updated": stanza.updated,
            "disabled": 0,
        } | dict(stanza.settings)


for _kind in _KINDS_OF_CONF:
    resource(f"configs/conf-{_kind}")(lambda parts, identity, kind=_kind: _stanza_rows(kind, parts))


@resource("admin/macros", "data/macros", "configs/conf-macros")
def macros(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Search macros; a title has the number of arguments."""
    for macro in parts.catalog.macros.list():
        yield {
            "title": f"{macro.name}({macro.argument_count})" if macro.argument_count else macro.name,
            "app": macro.app,
            "args": ",".join(macro.arguments),
            "definition": macro.definition,
            "validation": macro.validation,
            "errormsg": macro.errormsg,
            "iseval": int(macro.iseval),
            "disabled": 0,
        }


@resource("data/ui/views")
def views(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Dashboards."""
    for dashboard in parts.catalog.dashboards.list():
        yield {
            "title": dashboard.view or str(dashboard.id),
            "owner": dashboard.owner,
            "app": dashboard.app,
            "updated": dashboard.updated,
            "label": dashboard.title,
            "description": dashboard.description,
            "eai:data": json.dumps(dashboard.definition, ensure_ascii=False),
            "eai:type": "views",
            "isDashboard": 1,
            "isVisible": 1,
            "rootNode": "dashboard",
            "disabled": 0,
        }


@resource("datamodel/model", "data/models", "admin/datamodel-files")
def data_models(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Data models with their JSON."""
    for model in parts.catalog.data_models.list():
        yield {
            "title": model.name,
            "owner": model.owner,
            "app": model.app,
            "updated": model.updated,
            "displayName": model.title,
            "description": json.dumps(model.definition, ensure_ascii=False),
            "eai:data": json.dumps(model.definition, ensure_ascii=False),
            "acceleration": json.dumps({"enabled": False}),
            "disabled": 0,
        }


@resource("admin/summarization")
def summarization(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Summaries of data models: every search reads the events, so that each is complete and takes no room."""
    for model in parts.catalog.data_models.list():
        yield {
            "title": f"tstats:DM_{model.app}_{model.name}",
            "owner": model.owner,
            "app": model.app,
            "updated": model.updated,
            "summary.id": f"DM_{model.app}_{model.name}",
            "summary.complete": 1.0,
            "summary.is_inprogress": 0,
            "summary.size": 0,
            "summary.buckets": 0,
            "summary.latest_time": int(parts.clock()),
        }


@resource("data/inputs/http")
def http_tokens(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Tokens of the HTTP event collector, without their secrets; for administrators."""
    _administrators(identity, "data/inputs/http")
    for token in parts.catalog.tokens.list():
        if token.kind == "hec":
            yield {
                "title": f"http://{token.name}",
                "owner": token.owner,
                "index": token.default_index,
                "indexes": ",".join(token.indexes),
                "host": token.host,
                "source": token.source,
                "sourcetype": token.sourcetype,
                "useACK": int(token.use_ack),
                "allowQueryStringAuth": int(token.allow_query_string),
                "disabled": int(token.disabled),
            }


# ---- people ----------------------------------------------------------------------------------------------------------


@resource("authentication/users", "admin/users")
def users(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Users; whoever is no administrator sees only themselves."""
    for user in parts.catalog.accounts.list():
        if identity.role == "admin" or user.name == identity.name:
            yield {
                "title": user.name,
                "owner": "system",
                "app": "system",
                "updated": user.created,
                "roles": user.role,
                "capabilities": list(CAPABILITIES[user.role]),
                "realname": "",
                "email": "",
                "type": "Splunk",
                "defaultApp": "search",
            }


@resource("authentication/current-context", single=True)
def current_context(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Who is asking."""
    yield {
        "title": "context",
        "owner": "system",
        "app": "system",
        "username": identity.name,
        "roles": identity.role,
        "capabilities": list(CAPABILITIES.get(identity.role, ())),
        "defaultApp": "search",
        "realname": "",
        "email": "",
    }


@resource("authorization/roles", "admin/roles")
def roles(parts: Parts, identity: Identity) -> Iterator[Row]:
    """The roles there are, and what they may do."""
    default = parts.engine.knowledge.default_indexes(identity.name)
    for role in ROLES:
        yield {
            "title": role,
            "owner": "system",
            "app": "system",
            "capabilities": list(CAPABILITIES[role]),
            "srchIndexesAllowed": ["*", "_*"],
            "srchIndexesDefault": default,
            "imported_roles": "",
        }


@resource("authorization/capabilities", single=True)
def capabilities(parts: Parts, identity: Identity) -> Iterator[Row]:
    """Everything that a role may be allowed."""
    yield {"title": "capabilities", "owner": "system", "app": "system", "capabilities": list(CAPABILITIES["admin"])}


def _administrators(identity: Identity, path: str) -> None:
    if identity.role != "admin":
        raise Forbidden(f'"{path}" is for administrators, "{identity.name}" has the role "{identity.role}"')
