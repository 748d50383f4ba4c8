"""`savedsearch` and `loadjob`: a saved search run again, and the rows of a run that is over."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.errors import SearchError, nearest
from sightline.search.context import Context
from sightline.search.nested import job_rows, run_saved_search
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import quote_string

WAIT_S = 0.2
"""How often a search that waits for a job looks whether it was cancelled itself."""
_KINDS = ("search", "alert")
"""What stands before the name in the label of a scheduled job."""


@command("savedsearch", kind="generating")
@dataclass
class SavedSearch(Command):
    """Runs a saved search and gives its rows.

    Syntax: savedsearch <saved search> [nosubstitution=<bool>] [<name>=<value>]...
    Example: | savedsearch "Errors by host" index=web

    `$name$` in the text of the saved search is replaced by the value given for the name. Over all time the saved search
    keeps its own time range; any other range of the search is taken in its place.
    """

    nosubstitution: bool = option(False, help="replace nothing")
    name: str = ""
    values: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, arguments: Arguments) -> SavedSearch:
        given = arguments.options(cls)
        name = arguments.name("the name of a saved search")
        values: dict[str, str] = {}
        while not arguments.done:
            more = arguments.options(cls)
            given.update(more)
            if more:
                continue
            key = arguments.name("the name of a place to fill")
            if not arguments.accept("="):
                raise SearchError(f'"=" and a value are expected after {key}', arguments.peek().span)
            values[key] = arguments.name("a value")
            arguments.skip_commas()
        return cls(name=name, values=values, **given)

    def print_arguments(self) -> list[str]:
        values = [f"{print_name(key)}={quote_string(value)}" for key, value in self.values.items()]
        return [*print_options(self), quote_string(self.name), *values]

    def lower(self, relation: Relation, context: Context) -> Relation:
        return run_saved_search(self.name, {} if self.nosubstitution else self.values, context)


@command("loadjob", kind="generating")
@dataclass
class LoadJob(Command):
    """Gives the rows of a search that was run before: by its sid, or the last run of a saved search.

    Syntax: loadjob (<sid> | savedsearch="<user>:<app>:<name>") [artifact_offset=<n>] [ignore_running=<bool>]
        [events=<bool>] [job_delegate=<user>]
    Example: | loadjob savedsearch="admin:search:Errors by host" | where count>10

    Nothing is searched again. `artifact_offset` takes an earlier run, 1 the one before the last. A run that goes on is
    passed over, or with `ignore_running=false` waited for. The rows of a scheduled run are kept for two periods of its
    schedule, those of other jobs as long as the settings say, and none over a restart. `events=true` wants the events of a
    search that makes no table of them.
    """

    events: bool = option(False, help="the events, not the table made of them")
    job_delegate: str = option("", help="accepted for compatibility; there is one server")
    artifact_offset: int = option(0, minimum=0, help="how many runs before the last")
    ignore_running: bool = option(True, help="pass over a run that goes on")
    savedsearch: str = option("", help="user:app:name of a saved search")
    sid: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> LoadJob:
        names, given = arguments.names_with_options(cls)
        wanted = given.get("savedsearch", "")
        if len(names) + bool(wanted) != 1:
            raise SearchError('wants a sid, or savedsearch="<user>:<app>:<name>"', arguments.stage.name_span)
        if wanted.count(":") == 1 and not wanted.startswith(":"):
            raise SearchError(f'savedsearch wants "<user>:<app>:<name>", got "{wanted}"', arguments.stage.name_span)
        return cls(sid=names[0] if names else "", **given)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *([print_name(self.sid)] if self.sid else [])]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if context.dry:
            return context.empty()
        sid = self.sid or self._latest_run(context)
        rows = context.relation_of(job_rows(sid, context))
        assert context.jobs is not None
        kind = context.jobs.get(sid).kind
        if self.events and kind != "events":
            raise SearchError(f'job "{sid}" made a table of its events and did not keep them')
        return rows if kind != "events" else Relation(rows.node, rows.fields, rows.order, rows.names, "events")

    def _latest_run(self, context: Context) -> str:
        if context.jobs is None:
            raise SearchError("there are no jobs where this search runs")
        *place, name = self.savedsearch.split(":", 2) if self.savedsearch.count(":") > 1 else [self.savedsearch.lstrip(":")]
        user, app = (part or "-" for part in place) if place else ("-", "-")
        known = context.knowledge.saved_searches()
        labels = [f"{kind}: {name}" for kind in _KINDS]
        jobs = [
            job
            for job in context.jobs.list()
            if job.label in labels
            and (job.user == context.user or context.is_administrator)
            and user in (job.user, "-", "nobody", "*")
            and app in (job.app, "-", "*")
            and (job.state == "done" or not self.ignore_running and not job.finished.is_set())
        ]
        if not jobs and name not in known:
            listed = f"; saved searches: {', '.join(known)}" if known else ""
            raise SearchError(f'there is no saved search "{name}"{listed}', hint=nearest(name, known))
        if self.artifact_offset >= len(jobs):
            raise SearchError(
                f'saved search "{name}" has {len(jobs)} finished runs that are kept, wanted number {self.artifact_offset + 1}',
                hint=f'| savedsearch "{name}" runs it now',
            )
        job = jobs[self.artifact_offset]
        while not job.finished.wait(WAIT_S):
            context.check_cancelled()
        return job.sid
