/** One panel: its question, its unit, its chart; skeleton, error and age in the same place. */
import { Link } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Panel } from "../api/types";
import { resolveRange, type TimeRange } from "../app/timeRange";
import { Chart, type ChartOptions } from "../charts/Chart";
import { formatAgo, formatSeconds } from "../design/format";
import { Icon } from "../design/Icon";
import { errorText } from "../design/States";
import { usePanel } from "./usePanel";

interface Props {
  panel: Panel;
  range: TimeRange;
  refreshMs: number | false;
  onZoom: (start: number, end: number) => void;
  menu?: ReactNode;
  headProps?: React.HTMLAttributes<HTMLElement>;
  /** Its search is not run: values of inputs are not known yet, or missing (`note`), or may not stand there (`problem`). */
  held?: boolean;
  note?: string;
  problem?: string;
}

export function PanelView({ panel, range, refreshMs, onZoom, menu, headProps, held = false, note, problem }: Props) {
  const [box, seen] = useSeen();
  const earliest = panel.earliest || range.earliest;
  const latest = panel.latest || range.latest;
  const answer = usePanel(panel.search, earliest, latest, refreshMs, seen && !held);
  const data = note || problem ? undefined : answer.data;
  const resolved = useMemo(
    () => resolveRange({ earliest, latest }, data?.at ?? Date.now() / 1000),
    [earliest, latest, data?.at],
  );
  const options = useMemo(() => panelOptions(panel), [panel]);
  const stale = data !== undefined && (answer.isPlaceholderData || answer.error !== null);
  const warnings = (data?.messages ?? []).filter((m) => m.severity === "warning");
  return (
    <section ref={box} className="panel" aria-label={panel.title} aria-busy={answer.isFetching}>
      <header className="panel-head" {...headProps}>
        <h2 title={panel.title}>{panel.title}</h2>
        {panel.unit && <span className="panel-unit">{panel.unit}</span>}
        {warnings.length > 0 && (
          <span className="panel-warn" title={warnings.map((w) => w.text).join("\n")}>
            <Icon name="warn" size={13} />
          </span>
        )}
        {answer.error && data && (
          <span className="panel-warn" title={errorText(answer.error)}>
            as of {formatAgo(data.at, Date.now() / 1000)}
          </span>
        )}
        <span className="grow" />
        <span className="panel-tools">
          <Link
            to="/search"
            search={{
              q: panel.search,
              earliest,
              latest,
              chart: panel.chart,
              view: panel.chart === "table" ? "table" : "chart",
            }}
            className="icon-button tiny"
            aria-label={`Open "${panel.title}" in Search`}
            title={data ? `Open in Search (took ${formatSeconds(data.run_duration_s)})` : "Open in Search"}
          >
            <Icon name="search" size={13} />
          </Link>
          {menu}
        </span>
      </header>
      <div className={stale ? "panel-body stale" : "panel-body"}>
        {data ? (
          <Chart
            table={data.results}
            kind={panel.chart}
            title={panel.title}
            unit={panel.unit}
            options={options}
            range={resolved}
            onZoom={onZoom}
          />
        ) : note ? (
          <p className="panel-note dim">{note}</p>
        ) : problem ? (
          <div className="panel-error" role="alert">
            <p>{problem}</p>
          </div>
        ) : answer.error && !held ? (
          <div className="panel-error" role="alert">
            <p>{errorText(answer.error)}</p>
            <button type="button" className="button" onClick={() => void answer.refetch()}>
              <Icon name="refresh" /> Try again
            </button>
          </div>
        ) : (
          <div className="panel-wait" role="status" aria-label={`Loading ${panel.title}`} />
        )}
      </div>
    </section>
  );
}

/** Options as the panel stores them, with the names other editors use for the same thing. */
export function panelOptions(panel: Panel): ChartOptions {
  const o = panel.options ?? {};
  const text = (...names: string[]): string | undefined =>
    names.map((n) => o[n]).find((v): v is string => typeof v === "string" && v !== "");
  return {
    ...(o as ChartOptions),
    x: panel.chart === "heatmap" ? text("x", "rows", "row") : text("x"),
    series: panel.chart === "heatmap" ? text("series", "columns", "column") : text("series", "by", "colour", "color"),
    value: text("value", "y"),
    row_title: text("row_title", "row_label"),
    column_title: text("column_title", "column_label"),
  };
}

/** True once the element has been near the screen: panels far below do not search until then. */
function useSeen(): [React.RefObject<HTMLElement | null>, boolean] {
  const ref = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (seen || !ref.current) return;
    const observer = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && setSeen(true), {
      rootMargin: "400px",
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [seen]);
  return [ref, seen];
}
