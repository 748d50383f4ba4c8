/** ECharts options for lines, areas, bars, columns, pies and points. */
import type { EChartsCoreOption } from "echarts/core";
import type { ChartKind } from "../api/types";
import { pageColours, type Theme } from "../design/colour";
import { formatShort, formatTime, formatUnit, measure } from "../design/format";
import { tickLabel } from "../search/Timeline";
import { asNumber, asText, lastIsIncomplete, type SeriesTable, type Table } from "./shape";
import { inkOf } from "./theme";

export interface Threshold {
  value: number;
  label?: string;
  tone?: "warn" | "error";
}

export interface DrawOptions {
  theme: Theme;
  unit?: string;
  /** The time axis in epoch seconds; without it the axis follows the data. */
  range?: { start: number; end: number } | null;
  /** End of complete data, epoch seconds. */
  now: number;
  stacked?: boolean;
  min?: number;
  max?: number;
  thresholds?: Threshold[];
  annotations?: { time: number; label: string }[];
  /** Series the reader has put aside. */
  hidden?: ReadonlySet<string>;
  narrow?: boolean;
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const tip = (theme: Theme): Record<string, unknown> => {
  const ink = inkOf(theme);
  return {
    confine: true,
    backgroundColor: ink.raised,
    borderColor: ink.line,
    borderWidth: 1,
    padding: [8, 10],
    textStyle: { color: ink.text, fontSize: 12 },
    extraCssText: "box-shadow:0 6px 24px rgb(0 0 0 / 30%);border-radius:6px;max-width:420px",
    transitionDuration: 0,
  };
};

interface TipRow {
  name: string;
  value: number | null;
  colour: string;
}

function tipTable(title: string, rows: TipRow[], unit: string | undefined): string {
  const sorted = rows.filter((r) => r.value !== null).sort((a, b) => b.value! - a.value!);
  const lines = sorted
    .slice(0, 14)
    .map(
      (r) =>
        `<tr><td><i style="background:${r.colour}"></i></td><td class="tip-name">${escape(r.name)}</td><td class="tip-value">${escape(formatUnit(r.value!, unit))}</td></tr>`,
    );
  return `<div class="tip"><div class="tip-title">${escape(title)}</div><table>${lines.join("")}</table></div>`;
}

const axisText = (theme: Theme): Record<string, unknown> => ({
  color: inkOf(theme).quiet,
  fontSize: 12,
  fontFamily: "system-ui, sans-serif",
});

function markLines(options: DrawOptions, horizontal: boolean): Record<string, unknown> | undefined {
  const ink = inkOf(options.theme);
  const data: unknown[] = [];
  for (const t of options.thresholds ?? []) {
    const colour = t.tone === "error" ? ink.error : ink.warn;
    data.push({
      [horizontal ? "xAxis" : "yAxis"]: t.value,
      lineStyle: { color: colour, type: "dashed", width: 1 },
      label: {
        formatter: t.label ?? formatUnit(t.value, options.unit),
        color: colour,
        position: "insideEndTop",
        fontSize: 12,
      },
    });
  }
  for (const a of options.annotations ?? []) {
    data.push({
      xAxis: a.time * 1000,
      lineStyle: { color: ink.quiet, type: "solid", width: 1, opacity: 0.7 },
      label: { formatter: a.label, color: ink.quiet, position: "end", rotate: 0, distance: 3, fontSize: 12 },
    });
  }
  return data.length === 0 ? undefined : { silent: true, symbol: "none", animation: false, data };
}

/** Lines, areas and columns over time. */
export function timeOption(table: SeriesTable, kind: ChartKind, options: DrawOptions): EChartsCoreOption {
  const { theme, unit } = options;
  const ink = inkOf(theme);
  const isBar = kind === "column" || kind === "bar";
  const isArea = kind === "area";
  const stacked = options.stacked ?? (isArea || isBar);
  const shown = table.series.filter((s) => !options.hidden?.has(s.name));
  const incomplete = lastIsIncomplete(table.x, Math.min(options.now, options.range?.end ?? options.now));
  const last = table.x.length - 1;
  const series: Record<string, unknown>[] = [];
  shown.forEach((s, order) => {
    const colour = colourOf(s.name, table.series.length, theme);
    const point = (i: number): unknown => {
      const lone = s.values[i] !== null && (s.values[i - 1] ?? null) === null && (s.values[i + 1] ?? null) === null;
      return {
        value: [Number(table.x[i]) * 1000, s.values[i] ?? null],
        symbol: lone ? "circle" : "none",
        symbolSize: lone ? 4 : 0,
      };
    };
    if (isBar) {
      series.push({
        type: "bar",
        name: s.name,
        stack: stacked ? "all" : undefined,
        itemStyle: { color: colour },
        barMaxWidth: 28,
        barCategoryGap: "12%",
        animation: false,
        data: s.values.map((v, i) => ({
          value: [Number(table.x[i]) * 1000, v],
          itemStyle: incomplete && i === last ? { opacity: 0.45 } : undefined,
        })),
        markLine: order === 0 ? markLines(options, false) : undefined,
      });
      return;
    }
    const base = {
      type: "line",
      name: s.name,
      stack: stacked ? "all" : undefined,
      connectNulls: false,
      animation: false,
      showSymbol: true,
      lineStyle: { color: colour, width: isArea ? 1 : 1.75 },
      itemStyle: { color: colour },
      areaStyle: isArea ? { color: colour, opacity: shown.length === 1 ? 0.28 : 0.7 } : undefined,
      emphasis: { disabled: true },
    };
    const cut = incomplete && !stacked && last > 0;
    series.push({
      ...base,
      data: s.values.map((_, i) => (cut && i === last ? { value: [Number(table.x[i]) * 1000, null] } : point(i))),
      markLine: order === 0 ? markLines(options, false) : undefined,
    });
    // The last bucket is still filling: its stretch is dashed.
    if (cut)
      series.push({
        ...base,
        lineStyle: { ...base.lineStyle, type: [3, 3], opacity: 0.75 },
        showSymbol: false,
        data: [point(last - 1), point(last)],
      });
  });
  // The first bucket may begin a little before the range.
  const start =
    options.range && options.range.start > 0
      ? Math.min(options.range.start, Number(table.x[0] ?? Infinity))
      : Number(table.x[0] ?? 0);
  const end = options.range ? options.range.end : Number(table.x[last] ?? 0);
  return {
    animation: false,
    grid: { left: 8, right: 12, top: (options.annotations?.length ?? 0) > 0 ? 22 : 12, bottom: 4, containLabel: true },
    xAxis: {
      type: "time",
      min: start * 1000,
      max: end * 1000,
      axisLine: { lineStyle: { color: ink.line } },
      axisTick: { show: false },
      splitLine: { show: false },
      splitNumber: options.narrow ? 3 : 6,
      axisLabel: { ...axisText(theme), hideOverlap: true, formatter: (v: number) => tickLabel(v / 1000, end - start) },
      axisPointer: {
        show: true,
        snap: true,
        lineStyle: { color: ink.quiet, width: 1, type: "solid" },
        label: { show: false },
      },
    },
    yAxis: yAxis(options, isArea || isBar),
    tooltip: {
      trigger: "axis",
      ...tip(theme),
      formatter: (items: { axisValue: number }[]) => {
        const at = items[0]?.axisValue;
        if (at === undefined) return "";
        let nearest = 0;
        table.x.forEach((x, i) => {
          if (Math.abs(Number(x) * 1000 - at) < Math.abs(Number(table.x[nearest]) * 1000 - at)) nearest = i;
        });
        const rows = shown.map((s) => ({
          name: s.name,
          value: s.values[nearest] ?? null,
          colour: colourOf(s.name, table.series.length, theme),
        }));
        return tipTable(
          `${formatTime(Number(table.x[nearest]), "s")}${incomplete && nearest === last ? " (still filling)" : ""}`,
          rows,
          unit,
        );
      },
    },
    series,
  };
}

function yAxis(options: DrawOptions, fromZero: boolean): Record<string, unknown> {
  const ink = inkOf(options.theme);
  return {
    type: "value",
    scale: !fromZero,
    min: options.min,
    max: options.max,
    splitNumber: 4,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: ink.line } },
    axisLabel: {
      ...axisText(options.theme),
      formatter: (v: number) => (measure(options.unit) ? formatUnit(v, options.unit) : formatShort(v)),
    },
  };
}

/** Bars (lying) or columns (standing) over categories. */
export function categoryOption(table: SeriesTable, kind: ChartKind, options: DrawOptions): EChartsCoreOption {
  const { theme, unit } = options;
  const ink = inkOf(theme);
  const lying = kind === "bar";
  const shown = table.series.filter((s) => !options.hidden?.has(s.name));
  const names = table.x.map(String);
  const category = {
    type: "category",
    data: names,
    inverse: lying,
    axisLine: { lineStyle: { color: ink.line } },
    axisTick: { show: false },
    axisLabel: {
      ...axisText(theme),
      width: lying ? 168 : 90,
      overflow: "truncate",
      hideOverlap: true,
      interval: lying ? 0 : "auto",
    },
  };
  const value = yAxis({ ...options }, kind !== "line");
  const isLine = kind === "line" || kind === "area";
  return {
    animation: false,
    grid: { left: 8, right: lying ? 56 : 12, top: 8, bottom: 4, containLabel: true },
    xAxis: lying ? { ...value, axisLabel: { show: false }, splitLine: { show: false } } : category,
    yAxis: lying ? category : value,
    tooltip: {
      trigger: "axis",
      ...tip(theme),
      axisPointer: {
        type: isLine ? "line" : "shadow",
        shadowStyle: { color: theme === "dark" ? "rgba(255,255,255,0.05)" : "rgba(0,0,0,0.04)" },
      },
      formatter: (items: { dataIndex: number }[]) => {
        const i = items[0]?.dataIndex ?? 0;
        return tipTable(
          names[i] ?? "",
          shown.map((s) => ({
            name: s.name,
            value: s.values[i] ?? null,
            colour: colourOf(s.name, shown.length, theme),
          })),
          unit,
        );
      },
    },
    series: shown.map((s, order) => ({
      type: isLine ? "line" : "bar",
      name: s.name,
      stack: options.stacked ? "all" : undefined,
      animation: false,
      barMaxWidth: lying ? 18 : 40,
      barCategoryGap: "28%",
      itemStyle: { color: colourOf(s.name, shown.length, theme) },
      lineStyle: isLine ? { color: colourOf(s.name, shown.length, theme), width: 1.75 } : undefined,
      symbolSize: 4,
      data: s.values,
      markLine: order === 0 ? markLines(options, lying) : undefined,
      label:
        lying && shown.length === 1
          ? {
              show: true,
              position: "right",
              color: ink.text,
              fontSize: 12,
              formatter: (p: { value: number | null }) =>
                p.value === null ? "" : formatUnit(Number(p.value), measure(unit)),
            }
          : undefined,
    })),
  };
}

/** A single series needs no telling apart, so it wears the accent. */
const colourOf = (name: string, count: number, theme: Theme): string =>
  count === 1 ? (theme === "dark" ? "#4c8fd6" : "#3c7fd0") : pageColours.colour(name, theme);

export function pieOption(table: SeriesTable, options: DrawOptions): EChartsCoreOption {
  const { theme, unit } = options;
  const ink = inkOf(theme);
  const values = table.series[0]?.values ?? [];
  const total = values.reduce<number>((sum, v) => sum + (v ?? 0), 0) || 1;
  return {
    animation: false,
    tooltip: {
      trigger: "item",
      ...tip(theme),
      formatter: (p: { name: string; value: number }) =>
        `${escape(p.name)}<br><b>${escape(formatUnit(p.value, unit))}</b> · ${((p.value / total) * 100).toFixed(1)} %`,
    },
    series: [
      {
        type: "pie",
        radius: ["52%", "78%"],
        animation: false,
        itemStyle: { borderColor: ink.ground, borderWidth: 2 },
        label: {
          color: ink.text,
          fontSize: 12,
          formatter: (p: { name: string; value: number }) => `${p.name}  ${((p.value / total) * 100).toFixed(1)} %`,
        },
        labelLine: { lineStyle: { color: ink.quiet } },
        data: table.x.map((x, i) => ({
          name: String(x),
          value: values[i] ?? 0,
          itemStyle: { color: pageColours.colour(String(x), theme) },
        })),
      },
    ],
  };
}

/** Points: the first two numeric fields, coloured by the first category. */
export function scatterOption(
  table: Table,
  roles: { x?: string; value?: string; series?: string },
  options: DrawOptions,
): EChartsCoreOption {
  const { theme } = options;
  const at = (name: string | undefined): number => table.fields.findIndex((f) => f.name === name);
  const numeric = table.fields.map((_, i) => i).filter((i) => table.fields[i]!.type === "number");
  const xAt = at(roles.x) >= 0 ? at(roles.x) : (numeric[0] ?? 0);
  const yAt = at(roles.value) >= 0 ? at(roles.value) : (numeric.find((i) => i !== xAt) ?? xAt);
  const colourAt =
    at(roles.series) >= 0
      ? at(roles.series)
      : table.fields.findIndex((f, i) => f.type === "string" && i !== xAt && i !== yAt);
  const groups = new Map<string, (number | null)[][]>();
  for (const row of table.rows) {
    const name = colourAt >= 0 ? asText(row[colourAt]) : table.fields[yAt]!.name;
    const list = groups.get(name);
    const point = [asNumber(row[xAt]), asNumber(row[yAt])];
    if (list) list.push(point);
    else groups.set(name, [point]);
  }
  const value = yAxis(options, false);
  return {
    animation: false,
    grid: { left: 8, right: 16, top: 24, bottom: 24, containLabel: true },
    xAxis: {
      ...value,
      name: table.fields[xAt]!.name,
      nameLocation: "middle",
      nameGap: 26,
      nameTextStyle: axisText(theme),
      axisLabel: { ...axisText(theme), formatter: (v: number) => formatShort(v) },
    },
    yAxis: { ...value, name: table.fields[yAt]!.name, nameTextStyle: { ...axisText(theme), align: "left" } },
    tooltip: {
      trigger: "item",
      ...tip(theme),
      formatter: (p: { seriesName: string; value: number[] }) =>
        tipTable(
          p.seriesName,
          [
            { name: table.fields[xAt]!.name, value: p.value[0] ?? null, colour: "transparent" },
            { name: table.fields[yAt]!.name, value: p.value[1] ?? null, colour: "transparent" },
          ],
          options.unit,
        ),
    },
    series: [...groups]
      .filter(([name]) => !options.hidden?.has(name))
      .map(([name, data]) => ({
        type: "scatter",
        name,
        symbolSize: 5,
        animation: false,
        itemStyle: { color: pageColours.colour(name, theme), opacity: 0.75 },
        data,
      })),
  };
}
