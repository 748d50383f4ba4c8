/** Search: the editor is the headline; one line of truth; events or a table; and the chart their shape suggests. */
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useState } from "react";
import type { Cell, ChartKind } from "../api/types";
import { absoluteRange, resolveRange, toSplTime } from "../app/timeRange";
import { shortcut } from "../app/TopBar";
import { useRange, useSetParams } from "../app/useRange";
import { useWhere } from "../app/where";
import { Chart, type ChartOptions } from "../charts/Chart";
import { chooseChart } from "../charts/shape";
import { formatShare } from "../design/format";
import { Icon } from "../design/Icon";
import { Empty, Failure, Skeleton } from "../design/States";
import { ChartControls } from "./ChartControls";
import { EventList } from "./EventList";
import { FieldList } from "./FieldList";
import { HistoryMenu } from "./HistoryMenu";
import { remember } from "./history";
import { laidOut } from "./layout";
import { Plan } from "./Plan";
import { ResultTable } from "./ResultTable";
import { SaveMenu } from "./SaveMenu";
import { SearchEditor } from "./SearchEditor";
import { SearchStart } from "./SearchStart";
import { addTerm, eventsPart, excludeTerm, givesEvents, groupBy, surrounding } from "./spl";
import { SearchFailure, SearchRefused, StatusLine } from "./StatusLine";
import { Timeline } from "./Timeline";
import { isRunning, useAllRows, useFields, useJob, useRows, useTimeline } from "./useJob";
import { useKnown } from "./useKnown";
import "./search.css";

interface Params {
  q?: string;
  view?: string;
  chart?: string;
  x?: string;
  series?: string;
  by?: string;
  field?: string;
  event?: string;
  sort?: string;
  plan?: string;
}

export function SearchPage() {
  const params = useSearch({ strict: false }) as Params;
  const { range, setRange } = useRange();
  const setParams = useSetParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const q = params.q ?? "";
  const [draft, setDraft] = useState(q);
  const [runs, setRuns] = useState(0);
  const [fieldsOpen, setFieldsOpen] = useState(false);
  useWhere({ label: "Search" });
  useEffect(() => setDraft(q), [q]);

  const wanted = useMemo(
    () =>
      q.trim() === ""
        ? null
        : { search: q, earliest: toSplTime(range.earliest), latest: toSplTime(range.latest), run: runs },
    [q, range, runs],
  );
  const { job, error, starting, cancel, retry } = useJob(wanted);
  // Until the server has planned the search, its text tells which of the two layouts it will fill.
  const events = job === undefined || job.state === "queued" ? givesEvents(q) : job.kind === "events";
  const sort = useMemo(
    () => (params.sort ? { field: params.sort.replace(/^-/, ""), desc: params.sort.startsWith("-") } : null),
    [params.sort],
  );
  const rows = useRows(job, events ? null : sort);
  const by = params.by ?? "severity";
  const timeline = useTimeline(job, by === "none" ? undefined : by, events);
  const fields = useFields(job, events);
  const known = useKnown(events ? fields.data : undefined);
  const view = params.view ?? (events ? "events" : suggestsChart(rows) ? "chart" : "table");
  const all = useAllRows(job, view === "chart" && !events);
  const suggested: ChartKind = useMemo(() => (all.data ? chooseChart(all.data) : "table"), [all.data]);
  const kind = (params.chart as ChartKind | undefined) ?? suggested;
  const chartOptions = useMemo<ChartOptions>(() => ({ x: params.x, series: params.series }), [params.x, params.series]);
  const resolved = useMemo(() => resolveRange(range, Date.now() / 1000), [range, job?.sid]);

  const run = useCallback(
    (text: string, extra: Record<string, string | undefined> = {}) => {
      const search = text.trim();
      if (search === "") return;
      remember(search);
      if (search === q && Object.keys(extra).length === 0) {
        client.removeQueries({ queryKey: ["job", search] });
        setRuns((n) => n + 1);
        return;
      }
      setDraft(search);
      void navigate({
        to: "/search",
        search: (old: Record<string, unknown>) => ({
          earliest: old.earliest,
          latest: old.latest,
          live: old.live,
          by: old.by,
          q: search,
          ...extra,
        }),
      } as never);
    },
    [q, navigate, client],
  );
  const add = useCallback((field: string, value: Cell) => run(addTerm(q, field, value)), [q, run]);
  const exclude = useCallback((field: string, value: Cell) => run(excludeTerm(q, field, value)), [q, run]);
  const zoom = useCallback((start: number, end: number) => setRange(absoluteRange(start, end)), [setRange]);

  const planned = params.plan === "1" && draft.trim() !== "";
  const failed = job?.state === "failed";
  const nothing = job !== undefined && !isRunning(job) && !failed && rows.total === 0 && !rows.pending;

  return (
    <div className="search">
      <form
        className="search-head"
        role="search"
        onSubmit={(e) => {
          e.preventDefault();
          run(draft);
        }}
      >
        <SearchEditor value={draft} onChange={setDraft} onRun={run} known={known} autoFocus={q === ""} />
        <div className="search-buttons">
          <button
            type="submit"
            className="button primary"
            title={`Run (${shortcut("Enter")})`}
            disabled={draft.trim() === ""}
          >
            <Icon name="play" size={12} /> Run
          </button>
          <HistoryMenu choose={(search) => run(search)} />
          <SaveMenu
            search={q || draft}
            earliest={range.earliest}
            latest={range.latest}
            job={job}
            chart={view === "chart" ? kind : events ? "table" : suggested === "table" ? "table" : kind}
            options={{ ...(params.x ? { x: params.x } : {}), ...(params.series ? { series: params.series } : {}) }}
          />
        </div>
      </form>
      <StatusLine
        plan={{ open: params.plan === "1", toggle: () => setParams({ plan: params.plan === "1" ? undefined : "1" }) }}
        job={job}
        starting={starting}
        refused={error !== null}
        onCancel={() => void cancel()}
        onRerun={() => run(q)}
        onFormat={draft.trim() === "" ? undefined : () => void laidOut(draft).then(setDraft)}
      />

      <div className={planned ? "search-main planned" : "search-main"}>
        <div className="search-left">
          {q.trim() === "" ? (
            <SearchStart run={run} />
          ) : error ? (
            <div className="search-body pad">
              <SearchRefused error={error} search={q} retry={retry} />
            </div>
          ) : failed ? (
            <div className="search-body pad">
              <SearchFailure job={job} search={job.search} />
            </div>
          ) : (
            <>
              {events && (
                <Timeline
                  data={timeline.data}
                  by={by}
                  range={resolved}
                  stale={timeline.isPlaceholderData}
                  onZoom={zoom}
                />
              )}
              <div className="search-bar">
                <div className="segmented" role="group" aria-label="View">
                  {(events ? (["events", "table"] as const) : (["table", "chart"] as const)).map((name) => (
                    <button
                      key={name}
                      type="button"
                      aria-pressed={view === name}
                      onClick={() => setParams({ view: name, event: undefined }, false)}
                    >
                      <Icon name={name === "events" ? "list" : name} size={13} />{" "}
                      {name[0]!.toUpperCase() + name.slice(1)}
                    </button>
                  ))}
                </div>
                {events && (
                  <button
                    type="button"
                    className={fieldsOpen ? "button on fields-toggle" : "button fields-toggle"}
                    aria-expanded={fieldsOpen}
                    onClick={() => setFieldsOpen(!fieldsOpen)}
                  >
                    Fields
                  </button>
                )}
                {events && (
                  <label className="inline small">
                    Stacked by
                    <select
                      value={by}
                      onChange={(e) => setParams({ by: e.target.value === "severity" ? undefined : e.target.value })}
                    >
                      <option value="none">nothing</option>
                      <option value="severity">severity</option>
                      {by !== "none" && by !== "severity" && !fields.data?.some((f) => f.name === by) && (
                        <option value={by}>{by}</option>
                      )}
                      {(fields.data ?? [])
                        .filter((f) => f.name !== "severity" && f.distinct <= 200 && !f.name.startsWith("_"))
                        .map((f) => (
                          <option key={f.name} value={f.name}>
                            {f.name}
                          </option>
                        ))}
                    </select>
                  </label>
                )}
                {view === "chart" && all.data && (
                  <ChartControls
                    fields={all.data.fields}
                    kind={kind}
                    suggested={suggested}
                    options={chartOptions}
                    set={setParams}
                  />
                )}
                {rows.partial && isRunning(job) && (
              <span className="dim small">
                {job?.preview
                  ? `partial: over the newest ${formatShare(job.preview.share)} of the events`
                  : "the rows so far"}
              </span>
            )}
              </div>
              <div
                className={
                  events && view === "events"
                    ? fieldsOpen
                      ? "search-body split fields-shown"
                      : "search-body split"
                    : "search-body"
                }
              >
                {events && view === "events" && (
                  <FieldList
                    fields={fields.data}
                    error={fields.error}
                    open={params.field}
                    setOpen={(field) => setParams({ field })}
                    actions={{
                      add,
                      exclude,
                      group: (field) => run(groupBy(q, field)),
                      stackBy: (field) => setParams({ by: field }),
                    }}
                  />
                )}
                {!job || job.state === "queued" || (rows.pending && !rows.error) ? (
                  <div className="pad">
                    <Skeleton rows={12} />
                  </div>
                ) : rows.error ? (
                  <div className="pad">
                    <Failure error={rows.error} />
                  </div>
                ) : nothing ? (
                  <div className="pad">
                    <Empty
                      title={job.state === "cancelled" ? "Cancelled before the first row" : "Nothing matched"}
                      action={
                        <button
                          type="button"
                          className="button"
                          onClick={() => setRange({ earliest: "0", latest: "now" })}
                        >
                          Search all time
                        </button>
                      }
                    >
                      {job.state === "cancelled"
                        ? "Run it again to see results."
                        : job.messages
                            .filter((m) => m.severity === "warning")
                            .map((m) => m.text)
                            .join(" ") ||
                          "Nothing in this time range meets all conditions. A wider range or fewer conditions may find more."}
                    </Empty>
                  </div>
                ) : view === "chart" ? (
                  <div className={kind === "table" ? "search-chart flat" : "search-chart"}>
                    {all.data ? (
                      <Chart
                        table={all.data}
                        kind={kind}
                        title={q}
                        options={chartOptions}
                        range={resolved}
                        onZoom={zoom}
                      />
                    ) : (
                      <Skeleton rows={8} />
                    )}
                  </div>
                ) : view === "events" ? (
                  <EventList
                    rows={rows}
                    presentation={job?.presentation}
                    open={params.event}
                    setOpen={(event) => setParams({ event })}
                    actions={{
                      add,
                      exclude,
                      surrounding: (event) => {
                        const around = surrounding(event, 60);
                        if (around) run(around.search, { earliest: around.earliest, latest: around.latest });
                      },
                    }}
                  />
                ) : (
                  <ResultTable
                    rows={rows}
                    sort={sort}
                    setSort={(next) => setParams({ sort: next ? `${next.desc ? "-" : ""}${next.field}` : undefined })}
                    onAdd={add}
                    onExclude={exclude}
                    onEvents={(field, value) => run(addTerm(eventsPart(q) || "*", field, value))}
                  />
                )}
              </div>
            </>
          )}
        </div>
        {planned && (
          <Plan
            search={draft}
            earliest={toSplTime(range.earliest)}
            latest={toSplTime(range.latest)}
            close={() => setParams({ plan: undefined })}
          />
        )}
      </div>
    </div>
  );
}

/** A time series or a matrix is for the eye; other tables are shown as tables first. */
function suggestsChart(rows: { fields: { name: string; type: string }[]; loaded: Cell[][]; total: number }): boolean {
  if (rows.fields.length === 0) return false;
  const kind = chooseChart({ fields: rows.fields as never, rows: rows.loaded });
  return kind === "line" || kind === "area" || kind === "heatmap" || kind === "single";
}
