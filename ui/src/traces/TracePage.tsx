/** One trace: what it was in a line, the waterfall, and beside it the selected span. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { ApiError, request } from "../api/client";
import type { Trace } from "../api/types";
import { useCarried, useSetParams } from "../app/useRange";
import { useWhere } from "../app/where";
import { formatMs, formatNumber, formatShare, formatTime } from "../design/format";
import { Icon } from "../design/Icon";
import { Badge, Empty, Failure, Skeleton } from "../design/States";
import { SpanDetail } from "./SpanDetail";
import { buildTree } from "./waterfall";
import { Waterfall } from "./Waterfall";
import "./traces.css";

export function TracePage() {
  const { traceId } = useParams({ strict: false }) as { traceId: string };
  const params = useSearch({ strict: false }) as { span?: string; tab?: string };
  const setParams = useSetParams();
  const carried = useCarried();
  const answer = useQuery({
    queryKey: ["trace", traceId],
    queryFn: ({ signal }) => request<Trace>(`/traces/${encodeURIComponent(traceId)}`, { signal }),
    staleTime: 30_000,
  });
  const trace = answer.data;
  const tree = useMemo(() => (trace ? buildTree(trace.spans) : null), [trace]);
  useWhere(
    { label: "Traces", to: "/traces" },
    { label: trace ? `${trace.root_service} ${trace.root_name}` : traceId.slice(0, 16) },
  );

  if (answer.isPending)
    return (
      <div className="page">
        <Skeleton rows={14} height={16} />
      </div>
    );
  if (answer.error instanceof ApiError && answer.error.status === 404) {
    return (
      <div className="page">
        <Empty
          title="This trace is not stored"
          action={
            <Link to="/traces" search={carried} className="button">
              All traces
            </Link>
          }
        >
          {answer.error.message}. Its spans may be older than the index keeps them, or not have arrived yet.
        </Empty>
      </div>
    );
  }
  if (answer.error)
    return (
      <div className="page">
        <Failure error={answer.error} retry={() => void answer.refetch()} />
      </div>
    );
  if (!trace || !tree) return null;
  const selected = trace.spans.find((s) => s.span_id === params.span);
  const cause = trace.spans.find((s) => s.root_cause);
  return (
    <div className="trace">
      <div className="trace-facts">
        <span>
          <b>{formatMs(trace.duration_ms)}</b>
        </span>
        <span>{formatTime(trace.start, "ms")}</span>
        <span>
          {formatNumber(trace.span_count)} {trace.span_count === 1 ? "span" : "spans"} in{" "}
          {formatNumber(trace.services.length)} {trace.services.length === 1 ? "service" : "services"}
        </span>
        {trace.error_count > 0 && <Badge tone="error">{formatNumber(trace.error_count)} with errors</Badge>}
        {cause && (
          <button type="button" className="text-button" onClick={() => setParams({ span: cause.span_id })}>
            Root cause: {cause.service} {cause.name}
          </button>
        )}
        {trace.critical_path_ms < trace.duration_ms * 0.999 && (
          <span className="dim">
            root {formatMs(trace.critical_path_ms)}, {formatShare(trace.critical_path_ms / trace.duration_ms)} of the
            trace
          </span>
        )}
        {trace.truncated && <Badge tone="warn">cut: the first {formatNumber(trace.spans.length)} spans</Badge>}
        <span className="grow" />
        <Link
          to="/search"
          search={{
            q: `index=* trace_id=${trace.trace_id}`,
            earliest: String(Math.floor(trace.start) - 60),
            latest: String(Math.ceil(trace.start + trace.duration_ms / 1000) + 60),
          }}
          className="button"
        >
          <Icon name="search" /> Search its records
        </Link>
        <button
          type="button"
          className="button"
          title={trace.trace_id}
          onClick={() => void navigator.clipboard?.writeText(trace.trace_id)}
        >
          <Icon name="copy" /> Trace id
        </button>
      </div>
      <div className={selected ? "trace-body with-detail" : "trace-body"}>
        <Waterfall trace={trace} tree={tree} selected={params.span} select={(span) => setParams({ span })} />
        {selected && (
          <SpanDetail
            key={selected.span_id}
            span={selected}
            trace={trace}
            tree={tree}
            tab={params.tab}
            setTab={(tab) => setParams({ tab })}
            select={(span) => setParams({ span })}
            close={() => setParams({ span: undefined, tab: undefined })}
          />
        )}
      </div>
    </div>
  );
}
