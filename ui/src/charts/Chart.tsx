/** Draws a result as the chart asked for, or as the one its shape suggests. */
import { lazy, Suspense, useMemo, useState } from "react";
import type { ChartKind } from "../api/types";
import { pageColours } from "../design/colour";
import { formatShare, formatTime, formatUnit, toEpoch } from "../design/format";
import { useSize } from "../design/useSize";
import { useTheme } from "../app/theme";
import { HeatTable } from "./HeatTable";
import { categoryOption, pieOption, scatterOption, timeOption, type DrawOptions, type Threshold } from "./options";
import { asNumber, asText, chooseChart, toMatrix, topNine, toSeries, type Roles, type Table } from "./shape";
import { SimpleTable } from "./SimpleTable";
import "./charts.css";

const EChart = lazy(() => import("./EChart"));

export interface ChartOptions extends Roles {
  stacked?: boolean;
  min?: number;
  max?: number;
  thresholds?: Threshold[];
  annotations?: { time: number; label: string }[];
  /** Heat map: write each cell's share of its row. */
  row_percent?: boolean;
  row_title?: string;
  column_title?: string;
  legend?: boolean;
}

interface Props {
  table: Table;
  kind?: ChartKind;
  title: string;
  unit?: string;
  options?: ChartOptions;
  range?: { start: number; end: number } | null;
  onZoom?: (start: number, end: number) => void;
  onPick?: (field: string, value: string) => void;
}

export function Chart({ table, kind, title, unit, options = {}, range, onZoom, onPick }: Props) {
  const theme = useTheme();
  const [box, { width }] = useSize<HTMLDivElement>();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const chosen = kind ?? chooseChart(table);
  const drawn = useMemo(() => {
    const draw: DrawOptions = {
      theme,
      unit,
      range,
      now: Date.now() / 1000,
      stacked: options.stacked,
      min: options.min,
      max: options.max,
      thresholds: options.thresholds,
      annotations: options.annotations,
      hidden,
      narrow: width > 0 && width < 420,
    };
    if (chosen === "table" || chosen === "single" || chosen === "heatmap") return null;
    if (chosen === "scatter")
      return { option: scatterOption(table, options, draw), time: false, names: [] as string[], x: "", count: 0 };
    const series = topNine(toSeries(table, options));
    if (chosen === "pie") return { option: pieOption(series, draw), time: false, names: [], x: series.xName, count: 0 };
    const option = series.time ? timeOption(series, chosen, draw) : categoryOption(series, chosen, draw);
    return {
      option,
      time: series.time,
      names: series.series.map((s) => s.name),
      x: series.xName,
      count: series.x.length * Math.max(1, Math.min(3, series.series.length * 0.6)),
    };
  }, [table, chosen, theme, unit, options, range, hidden, width]);

  if (table.rows.length === 0) return <p className="chart-none">No rows in this range</p>;
  if (chosen === "table") return <SimpleTable table={table} unit={unit} onPick={onPick} />;
  if (chosen === "single") return <BigNumber table={table} unit={unit} options={options} />;
  if (chosen === "heatmap") {
    const matrix = toMatrix(table, options);
    const shares = options.row_percent ?? isConfusion(table, matrix.rows, matrix.columns);
    return (
      <HeatTable
        matrix={matrix}
        title={title}
        unit={unit}
        shares={shares}
        rowTitle={options.row_title ?? (shares ? "actual" : undefined)}
        columnTitle={options.column_title ?? (shares ? "predicted" : undefined)}
      />
    );
  }
  const toggle = (name: string, alone: boolean): void => {
    setHidden((was) => {
      const names = drawn?.names ?? [];
      if (alone) {
        const others = names.filter((n) => n !== name);
        return others.every((n) => was.has(n)) && !was.has(name) ? new Set() : new Set(others);
      }
      const next = new Set(was);
      if (!next.delete(name)) next.add(name);
      return next;
    });
  };
  return (
    <div ref={box} className="chart">
      <div
        className="chart-plot"
        style={chosen === "bar" && drawn && !drawn.time ? { maxHeight: drawn.count * 32 + 16 } : undefined}
      >
        <Suspense fallback={<div className="chart-wait" />}>
          {drawn && (
            <EChart
              option={drawn.option}
              label={`${title}${drawn.names.length > 0 ? `: ${drawn.names.join(", ")}` : ""}`}
              time={drawn.time}
              onZoom={onZoom}
              onPick={onPick && !drawn.time ? (name) => onPick(drawn.x, name) : undefined}
            />
          )}
        </Suspense>
      </div>
      {drawn && drawn.names.length > 1 && options.legend !== false && (
        <ul className="legend">
          {drawn.names.map((name) => (
            <li key={name}>
              <button
                type="button"
                className="legend-item"
                aria-pressed={!hidden.has(name)}
                title="Click: only this one. Ctrl-click: hide it."
                onClick={(e) => toggle(name, !(e.ctrlKey || e.metaKey))}
              >
                <i style={{ background: pageColours.colour(name, theme) }} aria-hidden="true" />
                <span className="clip">{name === "" ? "not set" : name}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Row labels and column labels are the same classes, and all cells are counts. */
function isConfusion(table: Table, rows: string[], columns: string[]): boolean {
  const bare = (names: string[]): Set<string> =>
    new Set(names.map((n) => n.replace(/^(?:predicted|actual)\s*\((.*)\)$/i, "$1")));
  const [a, b] = [bare(rows), bare(columns)];
  const same = [...b].filter((name) => a.has(name)).length;
  return (
    same >= 2 &&
    same >= b.size * 0.6 &&
    table.rows.every((row) => row.every((cell) => asNumber(cell) === null || asNumber(cell)! >= 0))
  );
}

function BigNumber({ table, unit, options }: { table: Table; unit?: string; options: ChartOptions }) {
  const wanted = table.fields.findIndex((f) => f.name === options.value);
  const at = wanted >= 0 ? wanted : table.fields.findIndex((f) => f.type === "number");
  const row = table.rows[table.rows.length - 1]!;
  const value = at >= 0 ? asNumber(row[at]) : null;
  const label = table.fields.findIndex((f, i) => i !== at && f.type === "string");
  const time = table.fields.findIndex((f) => f.type === "time");
  const note =
    label >= 0
      ? asText(row[label])
      : time >= 0
        ? formatTime(toEpoch(row[time]) ?? 0, "s")
        : (table.fields[at]?.name ?? "");
  const tone = value === null ? "" : toneOf(value, options.thresholds);
  const formatted = at >= 0 ? table.display?.[table.fields[at]!.name]?.[table.rows.length - 1] : undefined;
  const plain =
    value === null ? asText(row[0]) || "–" : unit === "share" ? formatShare(value) : formatUnit(value, unit);
  return (
    <div className="big">
      <span className={`big-value ${tone}`}>{formatted ?? plain}</span>
      <span className="big-note">{note}</span>
    </div>
  );
}

function toneOf(value: number, thresholds: Threshold[] | undefined): string {
  const passed = (thresholds ?? []).filter((t) => value >= t.value);
  const tone = passed[passed.length - 1]?.tone;
  return tone ? `tone-${tone}` : "";
}
