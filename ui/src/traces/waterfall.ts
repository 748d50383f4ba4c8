/**
 * A trace as rows of a waterfall. Pure: spans in, rows out; nothing here knows the screen. Runs of siblings with the same
 * service and name become one row marked xN, which can be opened.
 */
import type { Span } from "../api/types";

/** Siblings alike in a row before they are folded. */
export const FOLD_FROM = 4;

export interface Row {
  /** The span; the first of a folded run. */
  span: Span;
  key: string;
  depth: number;
  /** Children below in the tree, whether shown or not. */
  children: number;
  closed: boolean;
  /** The spans of a folded run, this one included. */
  folded?: Span[];
  start_ms: number;
  end_ms: number;
}

export interface Tree {
  roots: Span[];
  children: Map<string, Span[]>;
  parents: Map<string, string>;
  origin_ns: bigint;
  duration_ms: number;
  start_ms: (span: Span) => number;
}

/** Start of a span in milliseconds after the trace's first nanosecond. */
export function buildTree(spans: Span[]): Tree {
  const ids = new Map(spans.map((s) => [s.span_id, s]));
  const origin = spans.reduce<bigint>(
    (least, s) => (least === -1n || BigInt(s.start_ns) < least ? BigInt(s.start_ns) : least),
    -1n,
  );
  const starts = new Map(spans.map((s) => [s.span_id, Number(BigInt(s.start_ns) - origin) / 1e6]));
  const start_ms = (span: Span): number => starts.get(span.span_id) ?? 0;
  const children = new Map<string, Span[]>();
  const parents = new Map<string, string>();
  const roots: Span[] = [];
  for (const span of spans) {
    if (span.parent_span_id !== "" && span.parent_span_id !== span.span_id && ids.has(span.parent_span_id)) {
      const list = children.get(span.parent_span_id);
      if (list) list.push(span);
      else children.set(span.parent_span_id, [span]);
      parents.set(span.span_id, span.parent_span_id);
    } else {
      roots.push(span);
    }
  }
  // A ring of parents has no root: its earliest span is one.
  const reached = new Set<string>();
  const walk = (span: Span): void => {
    const stack = [span];
    for (let next = stack.pop(); next; next = stack.pop()) {
      if (reached.has(next.span_id)) continue;
      reached.add(next.span_id);
      stack.push(...(children.get(next.span_id) ?? []));
    }
  };
  roots.forEach(walk);
  for (const span of [...spans].sort((a, b) => start_ms(a) - start_ms(b))) {
    if (reached.has(span.span_id)) continue;
    const siblings = children.get(parents.get(span.span_id)!);
    siblings?.splice(siblings.indexOf(span), 1);
    parents.delete(span.span_id);
    roots.push(span);
    walk(span);
  }
  const byStart = (a: Span, b: Span): number => start_ms(a) - start_ms(b) || b.duration_ms - a.duration_ms;
  roots.sort(byStart);
  children.forEach((list) => list.sort(byStart));
  const duration_ms = spans.reduce((most, s) => Math.max(most, start_ms(s) + s.duration_ms), 0);
  return { roots, children, parents, origin_ns: origin, duration_ms, start_ms };
}

const alike = (a: Span, b: Span): boolean =>
  a.service === b.service &&
  a.name === b.name &&
  a.kind === b.kind &&
  a.error === b.error &&
  a.root_cause === b.root_cause;

/**
 * Rows in the order of the screen. `closed` spans hide their children; `opened` holds the keys of folded runs that are
 * shown one by one.
 */
export function layout(tree: Tree, closed: ReadonlySet<string>, opened: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  type Task = { siblings: Span[]; at: number; depth: number };
  const stack: Task[] = [{ siblings: tree.roots, at: 0, depth: 0 }];
  while (stack.length > 0) {
    const task = stack[stack.length - 1]!;
    if (task.at >= task.siblings.length) {
      stack.pop();
      continue;
    }
    const span = task.siblings[task.at]!;
    let end = task.at + 1;
    while (end < task.siblings.length && alike(span, task.siblings[end]!)) end++;
    const run = task.siblings.slice(task.at, end);
    const key = `run:${span.span_id}`;
    if (run.length >= FOLD_FROM && !opened.has(key)) {
      rows.push({
        span,
        key,
        depth: task.depth,
        children: run.reduce((n, s) => n + (tree.children.get(s.span_id)?.length ?? 0), 0),
        closed: true,
        folded: run,
        start_ms: Math.min(...run.map(tree.start_ms)),
        end_ms: Math.max(...run.map((s) => tree.start_ms(s) + s.duration_ms)),
      });
      task.at = end;
      continue;
    }
    task.at += 1;
    const below = tree.children.get(span.span_id) ?? [];
    const isClosed = closed.has(span.span_id);
    rows.push({
      span,
      key: span.span_id,
      depth: task.depth,
      children: below.length,
      closed: isClosed,
      start_ms: tree.start_ms(span),
      end_ms: tree.start_ms(span) + span.duration_ms,
    });
    if (below.length > 0 && !isClosed) stack.push({ siblings: below, at: 0, depth: task.depth + 1 });
  }
  return rows;
}

/** The parts of a span that no child covers, in milliseconds of the trace. */
export function selfIntervals(tree: Tree, span: Span): [number, number][] {
  const start = tree.start_ms(span);
  const end = start + span.duration_ms;
  const gaps: [number, number][] = [];
  let at = start;
  for (const child of tree.children.get(span.span_id) ?? []) {
    const from = Math.max(start, tree.start_ms(child));
    const to = Math.min(end, tree.start_ms(child) + child.duration_ms);
    if (to <= at) continue;
    if (from > at) gaps.push([at, from]);
    at = Math.max(at, to);
  }
  if (at < end) gaps.push([at, end]);
  return gaps;
}

export interface CriticalSegment {
  span_id: string;
  start_ms: number;
  end_ms: number;
}

/** The critical path in order of time. */
export const criticalSegments = (spans: Span[]): CriticalSegment[] =>
  spans
    .flatMap((s) => s.critical.map(([start_ms, end_ms]) => ({ span_id: s.span_id, start_ms, end_ms })))
    .filter((s) => s.end_ms > s.start_ms)
    .sort((a, b) => a.start_ms - b.start_ms || a.end_ms - b.end_ms);

/** For every span id the row that shows it: its own, the folded run it is in, or its nearest shown ancestor. */
export function rowOf(rows: Row[], tree: Tree): (spanId: string) => number {
  const place = new Map<string, number>();
  rows.forEach((row, i) => {
    for (const span of row.folded ?? [row.span]) place.set(span.span_id, i);
  });
  return (spanId) => {
    for (let id: string | undefined = spanId; id !== undefined; id = tree.parents.get(id)) {
      const at = place.get(id);
      if (at !== undefined) return at;
    }
    return -1;
  };
}

/** The spans above one, nearest first. */
export function ancestors(tree: Tree, spanId: string): string[] {
  const out: string[] = [];
  for (let id = tree.parents.get(spanId); id !== undefined; id = tree.parents.get(id)) out.push(id);
  return out;
}

/** Round marks on an axis from `start` to `end` milliseconds. */
export function axisMarks(start: number, end: number, count: number): number[] {
  const raw = (end - start) / Math.max(1, count);
  if (!(raw > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw)!;
  const out: number[] = [];
  for (let t = Math.ceil(start / step) * step; t <= end + step * 1e-6; t += step)
    out.push(Math.abs(t) < step * 1e-9 ? 0 : t);
  return out;
}
