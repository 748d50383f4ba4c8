/**
 * From a result table to what a chart draws. Pure: a table of fields and rows enters; series, matrices and the chart its
 * shape suggests leave.
 */
import type { Cell, ChartKind, ResultField } from "../api/types";
import { toEpoch } from "../design/format";

export interface Table {
  fields: ResultField[];
  rows: Cell[][];
  /** Texts to show in place of values, by field, row by row. */
  display?: Record<string, (string | null)[]>;
}

export interface Series {
  name: string;
  values: (number | null)[];
}

export interface SeriesTable {
  xName: string;
  /** Epoch seconds when `time`, texts otherwise. */
  x: (number | string)[];
  time: boolean;
  series: Series[];
}

export interface Matrix {
  rowName: string;
  columnName: string;
  rows: string[];
  columns: string[];
  values: (number | null)[][];
}

export interface Roles {
  x?: string;
  series?: string;
  value?: string;
}

const MOST_SERIES = 10;

export const asNumber = (cell: Cell | undefined): number | null => {
  if (typeof cell === "number") return Number.isFinite(cell) ? cell : null;
  if (typeof cell === "boolean") return cell ? 1 : 0;
  if (typeof cell === "string" && cell.trim() !== "") {
    const n = Number(cell);
    return Number.isFinite(n) ? n : null;
  }
  return null;
};

export const asText = (cell: Cell | undefined): string =>
  cell === null || cell === undefined ? "" : Array.isArray(cell) ? cell.map(String).join(", ") : String(cell);

/** Fields whose names mark them as bookkeeping of timechart and friends. */
const isHidden = (name: string): boolean =>
  name === "_span" || name === "_spandays" || name === "_raw" || name === "_indextime";

/** Whether every value of a text field reads as a number. */
function readsAsNumber(table: Table, at: number): boolean {
  let seen = false;
  for (const row of table.rows.slice(0, 200)) {
    const cell = row[at];
    if (cell === null || cell === undefined || cell === "") continue;
    if (asNumber(cell) === null) return false;
    seen = true;
  }
  return seen;
}

/**
 * The fields by the part they can play. Texts stay categories even where they look like numbers (class labels do), unless
 * there is no number at all.
 */
function parts(table: Table): { time: number; categories: number[]; numbers: number[] } {
  let time = -1;
  const categories: number[] = [];
  const numbers: number[] = [];
  table.fields.forEach((field, i) => {
    if (isHidden(field.name)) return;
    if (time < 0 && (field.type === "time" || field.name === "_time")) time = i;
    else if (field.type === "number") numbers.push(i);
    else categories.push(i);
  });
  if (numbers.length === 0) {
    const texts = categories.filter(
      (at, order) => (order > 0 || time >= 0 || categories.length === 1) && readsAsNumber(table, at),
    );
    return { time, categories: categories.filter((at) => !texts.includes(at)), numbers: texts };
  }
  return { time, categories, numbers };
}

/** The chart a result's shape suggests. */
export function chooseChart(table: Table): ChartKind {
  const { time, categories, numbers } = parts(table);
  if (table.rows.length === 0 || numbers.length === 0) return "table";
  if (table.rows.length === 1 && numbers.length === 1 && time < 0 && categories.length <= 1) return "single";
  if (time >= 0 && table.rows.length > 1 && categories.length <= 1)
    return countsOnly(table, numbers) && numbers.length + categories.length <= 2 ? "area" : "line";
  if (time >= 0) return "table";
  if (isMatrix(table, categories, numbers)) return "heatmap";
  if (categories.length === 1) return "bar";
  if (categories.length === 2 && numbers.length === 1 && table.rows.length >= 4) {
    const distinct = (at: number): number => new Set(table.rows.map((r) => asText(r[at]))).size;
    const [a, b] = [distinct(categories[0]!), distinct(categories[1]!)];
    // A full grid reads as a matrix; a sparse list of pairs reads as a table.
    return a > 1 && b > 1 && a <= 60 && b <= 40 && table.rows.length >= a * b * 0.4 ? "heatmap" : "table";
  }
  if (categories.length === 0 && numbers.length === 2 && table.rows.length > 1)
    return isAscending(table, numbers[0]!) ? "column" : "scatter";
  return "table";
}

function countsOnly(table: Table, numbers: number[]): boolean {
  return numbers.every((at) => /^count\b|^c$|_count$/i.test(table.fields[at]!.name));
}

const isAscending = (table: Table, at: number): boolean =>
  table.rows.every(
    (row, i) => i === 0 || (asNumber(row[at]) ?? -Infinity) > (asNumber(table.rows[i - 1]![at]) ?? Infinity),
  );

/** The label inside predicted(x), actual(x) or "predicted x". */
export const bareLabel = (name: string): string =>
  /^(?:predicted|actual|pred|true)\s*[(:]\s*(.*?)\)?$/i.exec(name)?.[1] ?? name;

/** One label column, whose values are also the names of the number columns: a confusion matrix, a correlation table. */
function isMatrix(table: Table, categories: number[], numbers: number[]): boolean {
  const labels = categories.length === 1 ? categories[0]! : -1;
  if (labels < 0 || numbers.length < 2 || table.rows.length < 2) return false;
  const names = new Set(table.rows.map((row) => bareLabel(asText(row[labels]))));
  const matching = numbers.filter((at) => names.has(bareLabel(table.fields[at]!.name))).length;
  return matching >= numbers.length * 0.6 && matching >= 2;
}

/** Series over a shared x. Wide tables give a series a column; long ones (x, name, value) are pivoted. */
export function toSeries(table: Table, roles: Roles = {}): SeriesTable {
  const { time, categories, numbers } = parts(table);
  const index = (name: string | undefined): number =>
    name === undefined ? -1 : table.fields.findIndex((f) => f.name === name);
  const chosenX = index(roles.x);
  const xAt = chosenX >= 0 ? chosenX : time >= 0 ? time : (categories[0] ?? numbers[0] ?? 0);
  const isTime = xAt === time && time >= 0;
  const value = index(roles.value);
  const ys = value >= 0 ? [value] : numbers.filter((at) => at !== xAt);
  const named = index(roles.series);
  const pivotAt = named >= 0 ? named : ys.length === 1 ? categories.find((at) => at !== xAt) : undefined;
  const xOf = (row: Cell[]): number | string => (isTime ? (toEpoch(row[xAt]) ?? 0) : asText(row[xAt]));
  const xName = table.fields[xAt]?.name ?? "";
  if (pivotAt === undefined || pivotAt < 0 || ys.length !== 1) {
    const x = table.rows.map(xOf);
    return {
      xName,
      x,
      time: isTime,
      series: ys.map((at) => ({ name: table.fields[at]!.name, values: table.rows.map((row) => asNumber(row[at])) })),
    };
  }
  const xs = [...new Set(table.rows.map(xOf))];
  if (isTime) xs.sort((a, b) => Number(a) - Number(b));
  const place = new Map(xs.map((x, i) => [x, i]));
  const series = new Map<string, (number | null)[]>();
  for (const row of table.rows) {
    const name = asText(row[pivotAt]);
    let values = series.get(name);
    if (!values) series.set(name, (values = new Array<number | null>(xs.length).fill(null)));
    values[place.get(xOf(row))!] = asNumber(row[ys[0]!]);
  }
  return { xName, x: xs, time: isTime, series: [...series].map(([name, values]) => ({ name, values })) };
}

/** The nine largest series and the sum of the rest as "other", when there are more than ten. */
export function topNine(table: SeriesTable): SeriesTable {
  if (table.series.length <= MOST_SERIES) return table;
  const size = (s: Series): number => s.values.reduce<number>((sum, v) => sum + Math.abs(v ?? 0), 0);
  const ranked = [...table.series].sort((a, b) => size(b) - size(a));
  const kept = new Set(ranked.slice(0, MOST_SERIES - 1));
  const rest = ranked.slice(MOST_SERIES - 1);
  const other = table.x.map((_, i) => {
    const present = rest.map((s) => s.values[i]).filter((v): v is number => v !== null && v !== undefined);
    return present.length === 0 ? null : present.reduce((sum, v) => sum + v, 0);
  });
  return { ...table, series: [...table.series.filter((s) => kept.has(s)), { name: "other", values: other }] };
}

/** A matrix from a wide table (a label column and number columns) or a long one (row, column, value). */
export function toMatrix(table: Table, roles: Roles = {}): Matrix {
  const { categories, numbers, time } = parts(table);
  const index = (name: string | undefined): number =>
    name === undefined ? -1 : table.fields.findIndex((f) => f.name === name);
  const wide = index(roles.series) < 0 && (numbers.length > 1 || categories.length < 2) && index(roles.value) < 0;
  if (wide) {
    const labels = index(roles.x) >= 0 ? index(roles.x) : (categories[0] ?? (time >= 0 ? time : 0));
    const columns = table.fields
      .map((_, i) => i)
      .filter((i) => i !== labels && (numbers.includes(i) || (categories.length > 1 && isEmptyColumn(table, i))));
    return {
      rowName: table.fields[labels]?.name ?? "",
      columnName: "",
      rows: table.rows.map((row) => asText(row[labels])),
      columns: columns.map((i) => table.fields[i]!.name),
      values: table.rows.map((row) => columns.map((i) => asNumber(row[i]))),
    };
  }
  const rowAt = index(roles.x) >= 0 ? index(roles.x) : categories[0]!;
  const columnAt = index(roles.series) >= 0 ? index(roles.series) : (categories.find((at) => at !== rowAt) ?? rowAt);
  const valueAt =
    index(roles.value) >= 0 ? index(roles.value) : (numbers.find((at) => at !== rowAt && at !== columnAt) ?? -1);
  const rows = [...new Set(table.rows.map((row) => asText(row[rowAt])))].sort(naturally);
  const columns = [...new Set(table.rows.map((row) => asText(row[columnAt])))].sort(naturally);
  const values = rows.map(() => columns.map(() => null as number | null));
  for (const row of table.rows)
    values[rows.indexOf(asText(row[rowAt]))]![columns.indexOf(asText(row[columnAt]))] = asNumber(row[valueAt]);
  return { rowName: table.fields[rowAt]!.name, columnName: table.fields[columnAt]!.name, rows, columns, values };
}

const isEmptyColumn = (table: Table, at: number): boolean =>
  table.rows.every((row) => row[at] === null || row[at] === "");

const collator = new Intl.Collator("en", { numeric: true });
export const naturally = (a: string, b: string): number => collator.compare(a, b);

/** Seconds between the points of a time axis: the most common gap. */
export function stepOf(x: (number | string)[]): number | null {
  const gaps = new Map<number, number>();
  for (let i = 1; i < x.length; i++) {
    const gap = Math.round((Number(x[i]) - Number(x[i - 1])) * 1000) / 1000;
    if (gap > 0) gaps.set(gap, (gaps.get(gap) ?? 0) + 1);
  }
  let best: number | null = null;
  let most = 0;
  for (const [gap, count] of gaps) {
    if (count > most) {
      best = gap;
      most = count;
    }
  }
  return best;
}

/** True when the last bucket reaches past `end`, so its value is still growing. */
export function lastIsIncomplete(x: (number | string)[], end: number): boolean {
  const step = stepOf(x);
  return step !== null && x.length > 1 && Number(x[x.length - 1]) + step > end + step * 0.02;
}
