/** Numbers, durations, sizes and times as text: units always, thousands separated, at most three significant digits. */

const THIN = "\u202f";

/** A number for reading: 1,234,567 for whole numbers, three significant digits otherwise. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return Math.abs(value) >= 1e15 ? value.toExponential(2) : value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size !== 0 && size < 0.0001) return value.toExponential(2);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return trimZeros(value.toPrecision(3));
}

/** A number for tight places (axes, chips): 1.2k, 3.4M. */
export function formatShort(value: number): string {
  const size = Math.abs(value);
  for (const [limit, letter] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e4, "k"],
  ] as const) {
    if (size >= limit) return trimZeros((value / (letter === "k" ? 1e3 : limit)).toPrecision(3)) + letter;
  }
  return formatNumber(value);
}

/** A duration given in milliseconds, in the unit that suits it. */
export function formatMs(ms: number): string {
  const size = Math.abs(ms);
  if (size === 0) return `0${THIN}ms`;
  if (size < 1) return `${three(ms * 1000)}${THIN}µs`;
  if (size < 1000) return `${three(ms)}${THIN}ms`;
  if (size < 60_000) return `${three(ms / 1000)}${THIN}s`;
  if (size < 3_600_000) return `${three(ms / 60_000)}${THIN}min`;
  if (size < 172_800_000) return `${three(ms / 3_600_000)}${THIN}h`;
  return `${three(ms / 86_400_000)}${THIN}d`;
}

export const formatSeconds = (s: number): string => formatMs(s * 1000);

/** Bytes in decimal units, as disks and networks count them. */
export function formatBytes(bytes: number): string {
  const size = Math.abs(bytes);
  for (const [limit, unit] of [
    [1e12, "TB"],
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ] as const) {
    if (size >= limit) return `${three(bytes / limit)}${THIN}${unit}`;
  }
  return `${formatNumber(bytes)}${THIN}B`;
}

/** A share between 0 and 1. */
export const formatShare = (share: number): string => `${trimZeros((share * 100).toFixed(1))}${THIN}%`;

const MEASURES = new Set(["%", "percent", "share", "percentunit", "ratio", "ms", "s", "ns", "By", "bytes", "B"]);

/** A unit short enough for an axis or a cell; words such as "requests" are said once, in the title. */
export const measure = (unit: string | undefined): string | undefined =>
  unit !== undefined && MEASURES.has(unit) ? unit : undefined;

/** A value in the unit a panel declares; unknown units are written after the number. */
export function formatUnit(value: number, unit: string | undefined): string {
  switch (unit) {
    case undefined:
    case "":
    case "short":
    case "count":
    case "1":
      return formatNumber(value);
    case "%":
    case "percent":
      return `${trimZeros(value.toFixed(1))}${THIN}%`;
    case "share":
    case "percentunit":
    case "ratio":
      return formatShare(value);
    case "ms":
      return formatMs(value);
    case "s":
      return formatSeconds(value);
    case "ns":
      return formatMs(value / 1e6);
    case "By":
    case "bytes":
    case "B":
      return formatBytes(value);
    default:
      return `${formatNumber(value)}${THIN}${unit}`;
  }
}

const pad = (n: number, width = 2): string => String(n).padStart(width, "0");

/** Local time to the millisecond: 2026-04-01 12:03:04.567. `seconds` is epoch seconds. */
export function formatTime(seconds: number, precision: "min" | "s" | "ms" = "ms"): string {
  const d = new Date(seconds * 1000);
  if (Number.isNaN(d.getTime())) return "";
  const day = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
  const minute = `${day} ${pad(d.getHours())}:${pad(d.getMinutes())}`;
  if (precision === "min") return minute;
  const second = `${minute}:${pad(d.getSeconds())}`;
  return precision === "s" ? second : `${second}.${pad(d.getMilliseconds(), 3)}`;
}

/** The clock part only, with the day when it is not today. */
export function formatClock(seconds: number, now: number, precision: "s" | "ms" = "s"): string {
  const full = formatTime(seconds, precision);
  return full.slice(0, 10) === formatTime(now, "s").slice(0, 10) ? full.slice(11) : full.slice(5);
}

/** "3 min ago": how long before `now`. */
export function formatAgo(seconds: number, now: number): string {
  const gap = now - seconds;
  if (gap < 0) return `in ${formatSeconds(Math.max(1, Math.round(-gap)))}`;
  if (gap < 5) return "just now";
  if (gap < 60) return `${Math.round(gap)}${THIN}s ago`;
  if (gap < 3600) return `${Math.round(gap / 60)}${THIN}min ago`;
  if (gap < 172_800) return `${Math.round(gap / 3600)}${THIN}h ago`;
  return `${Math.round(gap / 86_400)}${THIN}d ago`;
}

/** Epoch seconds from what an API may send: seconds, milliseconds or an ISO text; null when it is none of these. */
export function toEpoch(value: unknown): number | null {
  if (typeof value === "number") return value > 1e11 ? value / 1000 : value;
  if (typeof value !== "string" || value === "") return null;
  const number = Number(value);
  if (!Number.isNaN(number)) return toEpoch(number);
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? null : parsed / 1000;
}

export const plural = (n: number, one: string, many = `${one}s`): string =>
  `${formatNumber(n)} ${n === 1 ? one : many}`;

function three(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-US") : trimZeros(value.toPrecision(3));
}

function trimZeros(text: string): string {
  return text.includes("e") || !text.includes(".") ? text : text.replace(/\.?0+$/, "");
}
