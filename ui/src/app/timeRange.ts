/**
 * Time ranges as the language writes them: `-4h@h`, `@d`, `now`, `rt` is not one, epoch seconds, ISO times. Pure: the
 * clock is an argument. The server is the judge of a range; the page parses it to draw axes, name it and zoom out.
 */

export interface TimeRange {
  earliest: string;
  latest: string;
}

export interface ResolvedRange {
  start: number;
  end: number;
}

export const DEFAULT_RANGE: TimeRange = { earliest: "-1h", latest: "now" };

export const QUICK_RANGES: { label: string; range: TimeRange }[] = [
  { label: "Last 5 minutes", range: { earliest: "-5m", latest: "now" } },
  { label: "Last 15 minutes", range: { earliest: "-15m", latest: "now" } },
  { label: "Last hour", range: { earliest: "-1h", latest: "now" } },
  { label: "Last 4 hours", range: { earliest: "-4h", latest: "now" } },
  { label: "Last 24 hours", range: { earliest: "-24h", latest: "now" } },
  { label: "Last 7 days", range: { earliest: "-7d", latest: "now" } },
  { label: "Last 30 days", range: { earliest: "-30d", latest: "now" } },
  { label: "Today", range: { earliest: "@d", latest: "now" } },
  { label: "Yesterday", range: { earliest: "-1d@d", latest: "@d" } },
  { label: "This week", range: { earliest: "@w1", latest: "now" } },
  { label: "All time", range: { earliest: "0", latest: "now" } },
];

type Unit = "s" | "m" | "h" | "d" | "w" | "mon" | "q" | "y";

const UNIT_NAMES: Record<string, Unit> = {
  s: "s",
  sec: "s",
  secs: "s",
  second: "s",
  seconds: "s",
  m: "m",
  min: "m",
  mins: "m",
  minute: "m",
  minutes: "m",
  h: "h",
  hr: "h",
  hrs: "h",
  hour: "h",
  hours: "h",
  d: "d",
  day: "d",
  days: "d",
  w: "w",
  week: "w",
  weeks: "w",
  mon: "mon",
  month: "mon",
  months: "mon",
  q: "q",
  qtr: "q",
  qtrs: "q",
  quarter: "q",
  quarters: "q",
  y: "y",
  yr: "y",
  yrs: "y",
  year: "y",
  years: "y",
};

/** Epoch seconds of a time modifier at `now` (epoch seconds); null when it is not one. */
export function parseTime(text: string, now: number): number | null {
  const modifier = text.trim();
  if (modifier === "" || modifier === "now" || modifier === "now()") return now;
  if (/^\d+(\.\d+)?$/.test(modifier)) return Number(modifier);
  if (/^\d{4}-\d\d-\d\d/.test(modifier)) {
    const parsed = Date.parse(
      modifier.includes("T") || modifier.includes(" ") ? modifier.replace(" ", "T") : `${modifier}T00:00:00`,
    );
    return Number.isNaN(parsed) ? null : parsed / 1000;
  }
  const date = new Date(now * 1000);
  let rest = modifier.startsWith("now") ? modifier.slice(3) : modifier;
  if (rest === "") return null;
  while (rest !== "") {
    const step = /^([+-])(\d*)([a-z]+)/i.exec(rest);
    const snap = /^@([a-z]+?)([0-7]?)(?=$|[+-])/i.exec(rest);
    if (step) {
      const unit = UNIT_NAMES[step[3]!.toLowerCase()];
      if (!unit) return null;
      shift(date, (step[1] === "-" ? -1 : 1) * Number(step[2] === "" ? 1 : step[2]), unit);
      rest = rest.slice(step[0].length);
    } else if (snap) {
      const unit = UNIT_NAMES[snap[1]!.toLowerCase()];
      if (!unit || (snap[2] !== "" && unit !== "w")) return null;
      snapTo(date, unit, snap[2] === "" ? 0 : Number(snap[2]) % 7);
      rest = rest.slice(snap[0].length);
    } else {
      return null;
    }
  }
  return date.getTime() / 1000;
}

function shift(date: Date, count: number, unit: Unit): void {
  if (unit === "mon" || unit === "q" || unit === "y") {
    const months = count * { mon: 1, q: 3, y: 12 }[unit];
    const day = date.getDate();
    date.setDate(1);
    date.setMonth(date.getMonth() + months);
    date.setDate(Math.min(day, new Date(date.getFullYear(), date.getMonth() + 1, 0).getDate()));
  } else if (unit === "d" || unit === "w") {
    date.setDate(date.getDate() + count * (unit === "w" ? 7 : 1));
  } else {
    date.setTime(date.getTime() + count * { s: 1000, m: 60_000, h: 3_600_000 }[unit]);
  }
}

function snapTo(date: Date, unit: Unit, weekday: number): void {
  date.setMilliseconds(0);
  if (unit === "s") return;
  date.setSeconds(0);
  if (unit === "m") return;
  date.setMinutes(0);
  if (unit === "h") return;
  date.setHours(0);
  if (unit === "d") return;
  if (unit === "w") {
    date.setDate(date.getDate() - ((date.getDay() - weekday + 7) % 7));
    return;
  }
  date.setDate(1);
  if (unit === "q") date.setMonth(date.getMonth() - (date.getMonth() % 3));
  if (unit === "y") date.setMonth(0);
}

/** Both ends at `now`; null when either is not a time or the range is empty. */
export function resolveRange(range: TimeRange, now: number): ResolvedRange | null {
  const start = parseTime(range.earliest, now);
  const end = parseTime(range.latest, now);
  return start === null || end === null || start >= end ? null : { start, end };
}

/** Why a typed range is refused, or null when it is fine. */
export function rangeProblem(range: TimeRange, now: number): string | null {
  for (const [name, text] of [
    ["earliest", range.earliest],
    ["latest", range.latest],
  ] as const) {
    if (parseTime(text, now) === null)
      return `${name}: "${text}" is not a time; wanted one like -4h@h, @d, now or 2026-04-01 12:00`;
  }
  return resolveRange(range, now) === null ? "earliest must be before latest" : null;
}

/** A range in words. */
export function rangeLabel(range: TimeRange): string {
  const quick = QUICK_RANGES.find((q) => q.range.earliest === range.earliest && q.range.latest === range.latest);
  if (quick) return quick.label;
  const day = (text: string): string => {
    if (!/^\d{6,}(\.\d+)?$/.test(text)) return text;
    const d = new Date(Number(text) * 1000);
    const two = (n: number): string => String(n).padStart(2, "0");
    return `${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  };
  return `${day(range.earliest)} \u2192 ${day(range.latest)}`;
}

/** Twice as long around the same middle, never past `now`. */
export function zoomOut(range: TimeRange, now: number): TimeRange {
  const resolved = resolveRange(range, now);
  if (!resolved || resolved.start <= 0) return range;
  const length = resolved.end - resolved.start;
  if (range.latest === "now") {
    const wider = [300, 900, 3600, 14_400, 86_400, 604_800, 2_592_000].find((s) => s > length * 1.01);
    const names: Record<number, string> = {
      300: "-5m",
      900: "-15m",
      3600: "-1h",
      14400: "-4h",
      86400: "-24h",
      604800: "-7d",
      2592000: "-30d",
    };
    return wider === undefined ? { earliest: "0", latest: "now" } : { earliest: names[wider]!, latest: "now" };
  }
  const end = Math.min(now, resolved.end + length / 2);
  return { earliest: String(Math.floor(end - length * 2)), latest: String(Math.ceil(end)) };
}

/** A range between two instants, in epoch seconds with as many digits as its length deserves. */
export function absoluteRange(start: number, end: number): TimeRange {
  const digits = end - start < 10 ? 3 : 0;
  return { earliest: start.toFixed(digits), latest: end.toFixed(digits) };
}

/** A time as the API takes it: typed dates become epoch seconds, everything else goes as it was written. */
export function toSplTime(text: string): string {
  if (!/^\d{4}-\d\d-\d\d/.test(text.trim())) return text.trim();
  const parsed = parseTime(text, 0);
  return parsed === null ? text.trim() : String(parsed);
}
