/** A region of the duration plot: a stretch of time and of durations. Kept in the address as text. Pure. */
import type { TraceSummary } from "../api/types";

export interface Region {
  start: number;
  end: number;
  min_ms: number;
  max_ms: number;
}

export const regionText = (r: Region): string =>
  [r.start.toFixed(3), r.end.toFixed(3), r.min_ms.toPrecision(5), r.max_ms.toPrecision(5)].map(Number).join("_");

export function parseRegion(text: string | undefined): Region | null {
  const numbers = (text ?? "").split("_").map(Number);
  if (numbers.length !== 4 || numbers.some((n) => !Number.isFinite(n))) return null;
  const [start, end, min_ms, max_ms] = numbers as [number, number, number, number];
  return end > start && max_ms > min_ms ? { start, end, min_ms, max_ms } : null;
}

export const isInside = (r: Region, t: Pick<TraceSummary, "start" | "duration_ms">): boolean =>
  t.start >= r.start && t.start <= r.end && t.duration_ms >= r.min_ms && t.duration_ms <= r.max_ms;

export interface Lift {
  field: string;
  value: string;
  /** Shares of the traces inside and outside the region that have the value. */
  inside: number;
  outside: number;
}

/** Values ranked by how much more common they are inside than outside. Values that differ little are left out. */
export function overRepresented(
  inside: Record<string, string[]>[],
  outside: Record<string, string[]>[],
  most = 8,
): Lift[] {
  const count = (rows: Record<string, string[]>[]): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const row of rows) {
      for (const [field, values] of Object.entries(row)) {
        for (const value of new Set(values)) {
          const key = `${field}\u0000${value}`;
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      }
    }
    return counts;
  };
  const [a, b] = [count(inside), count(outside)];
  const lifts = [...a].map(([key, n]) => {
    const [field, value] = key.split("\u0000") as [string, string];
    return {
      field,
      value,
      inside: n / Math.max(1, inside.length),
      outside: (b.get(key) ?? 0) / Math.max(1, outside.length),
    };
  });
  return lifts
    .filter((l) => l.inside - l.outside > 0.05)
    .sort((x, y) => y.inside - y.outside - (x.inside - x.outside))
    .slice(0, most);
}
