/** Traces: durations over time beside the list; a region of the picture says what is over-represented in it. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { request } from "../api/client";
import type { TraceSummary } from "../api/types";
import { resolveRange, toSplTime } from "../app/timeRange";
import { useRowHeight, useTheme } from "../app/theme";
import { useCarried, useRange, useSetParams } from "../app/useRange";
import { useWhere } from "../app/where";
import { pageColours } from "../design/colour";
import { formatClock, formatMs, formatNumber } from "../design/format";
import { Icon } from "../design/Icon";
import { Badge, Empty, Failure, Skeleton } from "../design/States";
import { DurationPlot } from "./DurationPlot";
import { isInside, parseRegion, regionText } from "./region";
import { RegionTags } from "./RegionTags";
import "./traces.css";

interface Params {
  service?: string;
  operation?: string;
  min_ms?: string;
  max_ms?: string;
  errors?: string;
  region?: string;
  sort?: string;
}

const LIMIT = 1000;

export function TracesPage() {
  useWhere({ label: "Traces" });
  const params = useSearch({ strict: false }) as Params;
  const setParams = useSetParams();
  const { range, live } = useRange();
  const query = {
    earliest: toSplTime(range.earliest),
    latest: toSplTime(range.latest),
    service: params.service,
    operation: params.operation,
    min_ms: params.min_ms,
    max_ms: params.max_ms,
    errors: params.errors,
    limit: LIMIT,
  };
  const answer = useQuery({
    queryKey: ["traces", query],
    queryFn: ({ signal }) => request<{ traces: TraceSummary[]; truncated: boolean }>("/traces", { signal, query }),
    placeholderData: keepPreviousData,
    refetchInterval: live && range.latest === "now" ? 15_000 : false,
  });
  const traces = useMemo(() => answer.data?.traces ?? [], [answer.data]);
  const region = useMemo(() => parseRegion(params.region), [params.region]);
  const inside = useMemo(() => (region ? traces.filter((t) => isInside(region, t)) : traces), [traces, region]);
  const services = useMemo(() => [...new Set(traces.flatMap((t) => t.services))].sort(), [traces]);
  const operations = useMemo(() => [...new Set(traces.map((t) => t.root_name))].sort(), [traces]);
  const sorted = useMemo(() => sortTraces(inside, params.sort ?? "-start"), [inside, params.sort]);
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const resolved = useMemo(() => resolveRange(range, Date.now() / 1000), [range, answer.dataUpdatedAt]);
  const filtered = Boolean(params.service || params.operation || params.min_ms || params.max_ms || params.errors);

  return (
    <div className="traces">
      <form className="filters" aria-label="Filters" onSubmit={(e) => e.preventDefault()}>
        <Choice label="Service" value={params.service} options={services} set={(service) => setParams({ service })} />
        <Typed
          label="Operation"
          value={params.operation}
          options={operations}
          set={(operation) => setParams({ operation })}
        />
        <Typed label="Longer than, ms" value={params.min_ms} numeric set={(min_ms) => setParams({ min_ms })} />
        <Typed label="Shorter than, ms" value={params.max_ms} numeric set={(max_ms) => setParams({ max_ms })} />
        <label className="inline">
          <input
            type="checkbox"
            checked={params.errors === "1"}
            onChange={(e) => setParams({ errors: e.target.checked ? "1" : undefined })}
          />{" "}
          With errors
        </label>
        {filtered && (
          <button
            type="button"
            className="button plain"
            onClick={() =>
              setParams({
                service: undefined,
                operation: undefined,
                min_ms: undefined,
                max_ms: undefined,
                errors: undefined,
              })
            }
          >
            <Icon name="close" size={12} /> Clear
          </button>
        )}
      </form>
      {answer.isPending ? (
        <div className="pad">
          <Skeleton rows={12} height={20} />
        </div>
      ) : answer.error && !answer.data ? (
        <div className="pad">
          <Failure error={answer.error} retry={() => void answer.refetch()} />
        </div>
      ) : traces.length === 0 ? (
        <div className="pad">
          {filtered ? (
            <Empty title="No trace passes these filters">Remove a filter, or widen the time range.</Empty>
          ) : (
            <Empty
              title="No traces in this range"
              command="OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 opentelemetry-instrument python app.py"
            >
              Traces show where the time of a request goes, service by service. Start an instrumented program against
              this machine, or widen the time range:
            </Empty>
          )}
        </div>
      ) : (
        <>
          <section
            className={answer.isPlaceholderData ? "traces-plot stale" : "traces-plot"}
            aria-label="Durations over time"
          >
            <DurationPlot
              traces={traces}
              range={resolved}
              region={region}
              setRegion={(next) => setParams({ region: next ? regionText(next) : undefined }, false)}
            />
          </section>
          {region && (
            <RegionTags
              inside={inside}
              all={traces}
              clear={() => setParams({ region: undefined })}
              filter={(field, value) => setParams({ [field]: value, region: undefined }, false)}
            />
          )}
          <p className="traces-count dim small" role="status">
            {formatNumber(sorted.length)} {sorted.length === 1 ? "trace" : "traces"}
            {region ? ` of ${formatNumber(traces.length)}` : ""}
            {answer.data?.truncated ? `, the newest ${formatNumber(LIMIT)} of more: narrow the range or filter` : ""}
          </p>
          <TraceList traces={sorted} sort={params.sort ?? "-start"} setSort={(sort) => setParams({ sort })} />
        </>
      )}
    </div>
  );
}

function Choice({
  label,
  value,
  options,
  set,
}: {
  label: string;
  value: string | undefined;
  options: string[];
  set: (value: string | undefined) => void;
}) {
  return (
    <label>
      {label}
      <select value={value ?? ""} onChange={(e) => set(e.target.value || undefined)}>
        <option value="">any</option>
        {value && !options.includes(value) && <option value={value}>{value}</option>}
        {options.map((o) => (
          <option key={o} value={o}>
            {o}
          </option>
        ))}
      </select>
    </label>
  );
}

function Typed({
  label,
  value,
  options,
  numeric,
  set,
}: {
  label: string;
  value: string | undefined;
  options?: string[];
  numeric?: boolean;
  set: (value: string | undefined) => void;
}) {
  const [text, setText] = useState(value ?? "");
  useEffect(() => setText(value ?? ""), [value]);
  const id = `list-${label.replace(/\W/g, "")}`;
  const commit = (): void => {
    const next = text.trim();
    if (next !== (value ?? "")) set(next === "" ? undefined : next);
  };
  return (
    <label>
      {label}
      <input
        value={text}
        list={options ? id : undefined}
        type={numeric ? "number" : "text"}
        min={numeric ? 0 : undefined}
        step="any"
        placeholder="any"
        className={numeric ? "short" : undefined}
        spellCheck={false}
        onChange={(e) => setText(e.target.value)}
        onBlur={commit}
        onKeyDown={(e) => e.key === "Enter" && commit()}
      />
      {options && (
        <datalist id={id}>
          {options.map((o) => (
            <option key={o} value={o} />
          ))}
        </datalist>
      )}
    </label>
  );
}

type SortKey = "start" | "duration_ms" | "span_count" | "error_count" | "root_name";

function sortTraces(traces: TraceSummary[], sort: string): TraceSummary[] {
  const desc = sort.startsWith("-");
  const key = sort.replace(/^-/, "") as SortKey;
  return [...traces].sort((a, b) => {
    const [x, y] = [a[key], b[key]];
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return desc ? -order : order;
  });
}

function TraceList({
  traces,
  sort,
  setSort,
}: {
  traces: TraceSummary[];
  sort: string;
  setSort: (sort: string) => void;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const rowHeight = useRowHeight() + 4;
  const carried = useCarried();
  const navigate = useNavigate();
  const theme = useTheme();
  const now = Date.now() / 1000;
  const longest = Math.max(...traces.map((t) => t.duration_ms), 1e-6);
  const virtual = useVirtualizer({
    count: traces.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 16,
  });
  const head = (key: SortKey, label: string, numeric: boolean, className = "") => {
    const on = sort.replace(/^-/, "") === key;
    const desc = sort.startsWith("-");
    return (
      <span
        role="columnheader"
        className={`${numeric ? "num " : ""}${className}`}
        aria-sort={on ? (desc ? "descending" : "ascending") : "none"}
      >
        <button
          type="button"
          className="sort-button"
          onClick={() => setSort(on ? (desc ? key : `-${key}`) : numeric ? `-${key}` : key)}
        >
          {label}
          {on ? (desc ? " ↓" : " ↑") : ""}
        </button>
      </span>
    );
  };
  return (
    <div ref={scroller} className="trace-list" role="table" aria-label="Traces" aria-rowcount={traces.length}>
      <div role="row" className="trace-row trace-head">
        {head("start", "Start", false)}
        {head("root_name", "Root", false)}
        {head("duration_ms", "Duration", true)}
        {head("span_count", "Spans", true, "wide-only")}
        {head("error_count", "Errors", true)}
        <span role="columnheader" className="wide-only">
          Services
        </span>
      </div>
      <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => {
          const trace = traces[item.index]!;
          const open = (): void =>
            void navigate({ to: "/traces/$traceId", params: { traceId: trace.trace_id }, search: carried });
          return (
            <div
              key={trace.trace_id}
              role="row"
              aria-rowindex={item.index + 1}
              className="trace-row link"
              style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}
              onClick={(e) => !(e.target as HTMLElement).closest("a") && open()}
            >
              <span role="cell" className="mono dim">
                {formatClock(trace.start, now, "ms")}
              </span>
              <span role="cell" className="clip">
                <Link
                  to="/traces/$traceId"
                  params={{ traceId: trace.trace_id }}
                  search={carried}
                  className="trace-name"
                >
                  <b>{trace.root_service}</b> {trace.root_name}
                </Link>
              </span>
              <span role="cell" className="num bar-cell" style={{ ["--share" as string]: trace.duration_ms / longest }}>
                {formatMs(trace.duration_ms)}
              </span>
              <span role="cell" className="num wide-only">
                {formatNumber(trace.span_count)}
              </span>
              <span role="cell" className="num">
                {trace.error_count > 0 ? (
                  <Badge tone="error">{formatNumber(trace.error_count)}</Badge>
                ) : (
                  <span className="dim">0</span>
                )}
              </span>
              <span role="cell" className="clip wide-only trace-services">
                {trace.services.map((s) => (
                  <span key={s} className="legend-item">
                    <i style={{ background: pageColours.colour(s, theme) }} aria-hidden="true" />
                    {s}
                  </span>
                ))}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
