/** The selected span: where its time went, attributes, events, and the log records written inside it. */
import { Link } from "@tanstack/react-router";
import type { Span, Trace, TraceLog } from "../api/types";
import { formatMs, formatNumber, formatShare, formatTime, toEpoch } from "../design/format";
import { Icon } from "../design/Icon";
import { Badge } from "../design/States";
import { quoteField, quoteValue } from "../search/spl";
import type { Tree } from "./waterfall";

interface Props {
  span: Span;
  trace: Trace;
  tree: Tree;
  tab: string | undefined;
  setTab: (tab: string) => void;
  select: (spanId: string) => void;
  close: () => void;
}

export function SpanDetail({ span, trace, tree, tab = "attributes", setTab, select, close }: Props) {
  const logs = trace.logs.filter((l) => l.span_id === span.span_id);
  const parent = trace.spans.find((s) => s.span_id === tree.parents.get(span.span_id));
  const onPath = span.critical.reduce((sum, [a, b]) => sum + b - a, 0);
  const tabs: [string, string, number][] = [
    ["attributes", "Attributes", Object.keys(span.attributes).length],
    ["events", "Events", span.events.length],
    ["logs", "Logs", logs.length],
  ];
  return (
    <aside className="span-detail" aria-label={`Span ${span.name}`}>
      <header className="row">
        <h2 className="clip grow" title={span.name}>
          {span.name}
        </h2>
        <button type="button" className="icon-button" aria-label="Close the span" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <dl className="facts">
        <dt>Service</dt>
        <dd>
          {span.service}
          {span.kind && <span className="dim"> · {span.kind}</span>}
        </dd>
        <dt>Status</dt>
        <dd>
          {span.error ? (
            <Badge tone="error">{span.root_cause ? "error, root cause" : "error"}</Badge>
          ) : (
            <Badge tone={span.status === "ok" ? "ok" : "quiet"}>{span.status === "ok" ? "ok" : "not set"}</Badge>
          )}
          {span.status_message && <div className="span-message">{span.status_message}</div>}
        </dd>
        <dt>Duration</dt>
        <dd>
          {formatMs(span.duration_ms)}{" "}
          <span className="dim">{formatShare(span.duration_ms / Math.max(trace.duration_ms, 1e-9))} of the trace</span>
        </dd>
        <dt>Self time</dt>
        <dd>
          {formatMs(span.self_ms)}{" "}
          <span className="dim">{formatShare(span.self_ms / Math.max(span.duration_ms, 1e-9))} of the span</span>
        </dd>
        <dt>Critical</dt>
        <dd>{onPath > 0 ? formatMs(onPath) : "not on the critical path"}</dd>
        <dt>Start</dt>
        <dd>
          +{formatMs(tree.start_ms(span))} <span className="dim">{formatTime(span.start, "ms")}</span>
        </dd>
        {parent && (
          <>
            <dt>Parent</dt>
            <dd>
              <button type="button" className="text-button" onClick={() => select(parent.span_id)}>
                {parent.service} {parent.name}
              </button>
            </dd>
          </>
        )}
        <dt>Span id</dt>
        <dd className="mono">{span.span_id}</dd>
      </dl>
      <div className="tabs" role="tablist" aria-label="About the span">
        {tabs.map(([key, label, count]) => (
          <button
            key={key}
            type="button"
            role="tab"
            aria-selected={tab === key}
            className="tab"
            onClick={() => setTab(key)}
          >
            {label} <span className="dim">{formatNumber(count)}</span>
          </button>
        ))}
      </div>
      <div role="tabpanel" className="span-panel">
        {tab === "attributes" && <Attributes values={span.attributes} linked />}
        {tab === "events" &&
          (span.events.length === 0 ? (
            <p className="dim">This span has no events.</p>
          ) : (
            span.events.map((event, i) => (
              <section key={i} className="span-event">
                <h3>
                  {event.name}{" "}
                  <span className="dim">
                    {event.time_unix_nano === undefined
                      ? ""
                      : `+${formatMs(Number(BigInt(event.time_unix_nano) - tree.origin_ns) / 1e6)}`}
                  </span>
                </h3>
                <Attributes values={event.attributes ?? {}} />
              </section>
            ))
          ))}
        {tab === "logs" &&
          (logs.length === 0 ? (
            <p className="dim">
              No log records carry this span's id
              {trace.logs.length > 0 ? `; ${formatNumber(trace.logs.length)} carry the trace's` : ""}.
            </p>
          ) : (
            logs.map((log, i) => <LogLine key={i} log={log} trace={trace} />)
          ))}
      </div>
    </aside>
  );
}

function Attributes({ values, linked }: { values: Record<string, unknown>; linked?: boolean }) {
  const entries = Object.entries(values).sort(([a], [b]) => a.localeCompare(b));
  if (entries.length === 0) return <p className="dim">No attributes.</p>;
  return (
    <table className="event-fields">
      <tbody>
        {entries.map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{show(value)}</td>
            {linked && (
              <td className="event-field-actions">
                <Link
                  to="/search"
                  search={{ q: `index=traces ${quoteField(name)}=${quoteValue(show(value))}` }}
                  className="icon-button tiny"
                  aria-label={`Search spans with this ${name}`}
                  title="Spans with this value"
                >
                  <Icon name="search" size={12} />
                </Link>
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const show = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function LogLine({ log, trace }: { log: TraceLog; trace: Trace }) {
  const time = toEpoch(log.time ?? log._time);
  const text = String(log._raw ?? log.body ?? "");
  return (
    <p className={`span-log sev-${String(log.severity ?? "").toLowerCase()}`}>
      <span className="dim">{time === null ? "" : `+${formatMs((time - trace.start) * 1000)}`}</span>{" "}
      <span className="event-severity">{log.severity}</span> {text}
    </p>
  );
}
