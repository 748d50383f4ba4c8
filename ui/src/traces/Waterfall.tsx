/** The waterfall: a mini-map to zoom, rows to walk by keyboard, the critical path as one line through the spans. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Span, Trace } from "../api/types";
import { useRowHeight, useTheme } from "../app/theme";
import { pageColours } from "../design/colour";
import { formatMs, formatNumber } from "../design/format";
import { Icon } from "../design/Icon";
import { useSize } from "../design/useSize";
import { MiniMap } from "./MiniMap";
import { ancestors, axisMarks, criticalSegments, layout, rowOf, selfIntervals, type Row, type Tree } from "./waterfall";

interface Props {
  trace: Trace;
  tree: Tree;
  selected: string | undefined;
  select: (spanId: string) => void;
}

/** Height of the part that stays on top: mini-map and axis. */
const HEAD = 69;

export function Waterfall({ trace, tree, selected, select }: Props) {
  const theme = useTheme();
  const rowHeight = useRowHeight();
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [lane, { width: laneWidth }] = useSize<HTMLDivElement>();
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [view, setView] = useState<[number, number]>([0, Math.max(tree.duration_ms, 1e-6)]);
  const rows = useMemo(() => layout(tree, closed, opened), [tree, closed, opened]);
  const segments = useMemo(() => criticalSegments(trace.spans), [trace.spans]);
  const findRow = useMemo(() => rowOf(rows, tree), [rows, tree]);
  const logs = useMemo(() => {
    const counts = new Map<string, number>();
    for (const log of trace.logs) if (log.span_id) counts.set(log.span_id, (counts.get(log.span_id) ?? 0) + 1);
    return counts;
  }, [trace.logs]);

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 20,
    scrollMargin: HEAD,
    scrollPaddingStart: HEAD,
  });
  useEffect(() => virtual.measure(), [rowHeight, virtual]);
  const x = (ms: number): number => ((ms - view[0]) / (view[1] - view[0])) * laneWidth;

  // A span named in the address is brought to the screen, its closed ancestors and its run opened.
  useEffect(() => {
    if (!selected) return;
    setClosed((was) => {
      const hiding = ancestors(tree, selected).filter((id) => was.has(id));
      if (hiding.length === 0) return was;
      const next = new Set(was);
      hiding.forEach((id) => next.delete(id));
      return next;
    });
    const run = rows.find(
      (r) => r.folded && r.folded.some((s) => s.span_id === selected || ancestors(tree, selected).includes(s.span_id)),
    );
    if (run && run.span.span_id !== selected) setOpened((was) => new Set(was).add(run.key));
    const at = findRow(selected);
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
    // Rows change when something opens; the effect follows the selection only.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [selected, tree]);

  const toggle = (row: Row, open?: boolean): void => {
    if (row.folded) {
      setOpened((was) => new Set(was).add(row.key));
      return;
    }
    if (row.children === 0) {
      // Folds an opened run again from its first span.
      const key = `run:${row.span.span_id}`;
      if (opened.has(key) && open !== true) setOpened((was) => new Set([...was].filter((k) => k !== key)));
      return;
    }
    setClosed((was) => {
      const next = new Set(was);
      if (open ?? was.has(row.span.span_id)) next.delete(row.span.span_id);
      else next.add(row.span.span_id);
      return next;
    });
  };

  const at = selected ? findRow(selected) : -1;
  const go = (index: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (row) select(row.span.span_id);
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const row = rows[at];
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      j: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      k: () => go(at - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowRight: () => {
        if (!row) return go(0);
        if (row.folded || row.closed) toggle(row, true);
        else if (row.children > 0) go(at + 1);
      },
      ArrowLeft: () => {
        if (!row) return;
        const parent = tree.parents.get(row.span.span_id);
        if (!row.folded && row.children > 0 && !row.closed) toggle(row, false);
        else if (parent) select(parent);
      },
      Enter: () => row && toggle(row),
      f: () => row && setView([row.start_ms, Math.max(row.end_ms, row.start_ms + 1e-6)]),
      "0": () => setView([0, tree.duration_ms]),
    };
    const act = keys[event.key];
    if (act && !event.metaKey && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      act();
    }
  };

  const marks = axisMarks(view[0], view[1], Math.max(2, Math.floor(laneWidth / 100)));
  const items = virtual.getVirtualItems();
  const zoomed = view[0] > 0 || view[1] < tree.duration_ms;
  return (
    <div className="waterfall">
      <div ref={scroller} className="wf-rows">
        <div className="wf-head">
          <div className="wf-tools">
            <button
              type="button"
              className="text-button small"
              onClick={() => (setClosed(new Set()), setOpened(new Set(rows.filter((r) => r.folded).map((r) => r.key))))}
            >
              Open all
            </button>
            <button
              type="button"
              className="text-button small"
              onClick={() => (
                setClosed(
                  new Set(tree.roots.flatMap((r) => (tree.children.get(r.span_id) ?? []).map((s) => s.span_id))),
                ),
                setOpened(new Set())
              )}
            >
              Fold
            </button>
            {zoomed && (
              <button type="button" className="text-button small" onClick={() => setView([0, tree.duration_ms])}>
                Whole trace
              </button>
            )}
          </div>
          <div ref={lane} className="wf-lane">
            <MiniMap tree={tree} spans={trace.spans} view={view} setView={setView} />
            <div className="wf-axis" aria-hidden="true">
              {marks.map((m) => (
                <span key={m} style={{ left: x(m) }} className={x(m) > laneWidth - 48 ? "end" : ""}>
                  {formatMs(m)}
                </span>
              ))}
            </div>
          </div>
        </div>
        <div
          ref={list}
          className="wf-list"
          role="tree"
          aria-label="Spans"
          tabIndex={0}
          aria-activedescendant={at >= 0 ? `row-${at}` : undefined}
          onKeyDown={onKeyDown}
          style={{ height: virtual.getTotalSize() }}
        >
          {items.map((item) => {
            const row = rows[item.index]!;
            return (
              <WaterfallRow
                key={row.key}
                id={`row-${item.index}`}
                row={row}
                tree={tree}
                top={item.start - HEAD}
                height={rowHeight}
                x={x}
                laneWidth={laneWidth}
                active={item.index === at}
                colour={pageColours.colour(row.span.service, theme)}
                logs={(row.folded ?? [row.span]).reduce((n, s) => n + (logs.get(s.span_id) ?? 0), 0)}
                select={() => (select(row.span.span_id), list.current?.focus({ preventScroll: true }))}
                toggle={() => toggle(row)}
                foldable={opened.has(`run:${row.span.span_id}`)}
              />
            );
          })}
          <div className="wf-overlay" aria-hidden="true">
            <svg width={Math.max(0, laneWidth)} height={virtual.getTotalSize()}>
              {segments.map((segment, i) => {
                const row = findRow(segment.span_id);
                if (row < 0) return null;
                const y = row * rowHeight + rowHeight - 4;
                const next = segments[i + 1];
                const nextRow = next ? findRow(next.span_id) : -1;
                const end = x(segment.end_ms);
                return (
                  <g key={i}>
                    <line
                      x1={x(segment.start_ms)}
                      x2={Math.max(end, x(segment.start_ms) + 1)}
                      y1={y}
                      y2={y}
                      className="wf-critical"
                    />
                    {next && nextRow >= 0 && nextRow !== row && (
                      <line
                        x1={end}
                        x2={x(next.start_ms)}
                        y1={y}
                        y2={nextRow * rowHeight + rowHeight - 4}
                        className="wf-critical thin"
                      />
                    )}
                  </g>
                );
              })}
            </svg>
          </div>
        </div>
      </div>
      <p className="wf-key dim small">
        <span>
          <i className="key-self" /> self time
        </span>
        <span>
          <i className="key-critical" /> critical path
        </span>
        <span>
          <span className="tone-error">●</span> error
        </span>
        <span>
          <span className="tone-error">◆</span> root cause
        </span>
        <span className="wide-only">
          <kbd>↑ ↓</kbd> walk <kbd>← →</kbd> fold <kbd>f</kbd> zoom to span <kbd>0</kbd> whole trace
        </span>
      </p>
    </div>
  );
}

interface RowProps {
  id: string;
  row: Row;
  tree: Tree;
  top: number;
  height: number;
  x: (ms: number) => number;
  laneWidth: number;
  active: boolean;
  colour: string;
  logs: number;
  foldable: boolean;
  select: () => void;
  toggle: () => void;
}

function WaterfallRow({
  id,
  row,
  tree,
  top,
  height,
  x,
  laneWidth,
  active,
  colour,
  logs,
  foldable,
  select,
  toggle,
}: RowProps) {
  const { span, folded } = row;
  const spans: Span[] = folded ?? [span];
  const end = Math.min(laneWidth, x(row.end_ms));
  const clip = (ms: number): number => Math.max(-2, Math.min(laneWidth + 2, x(ms)));
  const error = spans.some((s) => s.error);
  const duration = folded ? spans.reduce((n, s) => n + s.duration_ms, 0) : span.duration_ms;
  const labelLeft = end > laneWidth - 76;
  const hasChildren = row.children > 0 || folded !== undefined || foldable;
  return (
    <div
      id={id}
      role="treeitem"
      aria-level={row.depth + 1}
      aria-selected={active}
      aria-expanded={hasChildren ? !row.closed : undefined}
      className={`wf-row${active ? " active" : ""}${error ? " error" : ""}`}
      style={{ height, transform: `translateY(${top}px)` }}
      onClick={select}
      onDoubleClick={toggle}
    >
      <div className="wf-name" style={{ paddingLeft: Math.min(row.depth, 24) * 12 }}>
        {hasChildren ? (
          <button
            type="button"
            className="wf-fold"
            tabIndex={-1}
            aria-label={row.closed ? "Open" : "Fold"}
            onClick={(e) => (e.stopPropagation(), toggle())}
          >
            <Icon name={row.closed ? "chevron" : "down"} size={11} />
          </button>
        ) : (
          <span className="wf-fold" />
        )}
        <i className="wf-swatch" style={{ background: colour }} aria-hidden="true" />
        <span className="wf-label" title={`${span.service} ${span.name}`}>
          <b>{span.service}</b> {span.name}
        </span>
        {folded && <span className="wf-times">×{formatNumber(folded.length)}</span>}
        {span.missing_parent && (
          <span className="wf-mark" title="Its parent span has not arrived">
            parent missing
          </span>
        )}
        {error && (
          <span className="wf-mark tone-error" title={span.status_message || "error"}>
            {spans.some((s) => s.root_cause) ? (
              <>
                ◆<span className="wf-mark-words"> root cause</span>
              </>
            ) : (
              <>
                ●<span className="wf-mark-words"> error</span>
              </>
            )}
          </span>
        )}
        {logs > 0 && (
          <span className="wf-mark dim" title={`${logs} log records`}>
            {formatNumber(logs)} log{logs === 1 ? "" : "s"}
          </span>
        )}
      </div>
      <div className="wf-bars">
        {spans.map((s) => {
          const left = clip(tree.start_ms(s));
          const right = clip(tree.start_ms(s) + s.duration_ms);
          if (right < 0 || left > laneWidth) return null;
          return (
            <div key={s.span_id}>
              <div className="wf-bar" style={{ left, width: Math.max(1.5, right - left), background: colour }} />
              {selfIntervals(tree, s).map(([from, to], i) => {
                const a = clip(from);
                const b = clip(to);
                return b - a < 0.4 ? null : (
                  <div key={i} className="wf-self" style={{ left: a, width: b - a, background: colour }} />
                );
              })}
              {s.error && (
                <div
                  className={s.root_cause ? "wf-error cause" : "wf-error"}
                  style={{ left: Math.max(0, left - 10) }}
                />
              )}
              {!folded &&
                s.events.map((event, i) => {
                  const ns = event.time_unix_nano;
                  if (ns === undefined) return null;
                  const ex = x(Number(BigInt(ns) - tree.origin_ns) / 1e6);
                  return ex < 0 || ex > laneWidth ? null : (
                    <div key={`e${i}`} className="wf-event" style={{ left: ex }} title={event.name} />
                  );
                })}
            </div>
          );
        })}
        <span
          className={labelLeft ? "wf-duration left" : "wf-duration"}
          style={
            labelLeft
              ? { right: Math.max(4, laneWidth - Math.max(60, x(row.start_ms)) + 14) }
              : { left: Math.max(2, end + 6) }
          }
        >
          {folded ? "Σ " : ""}
          {formatMs(duration)}
        </span>
      </div>
    </div>
  );
}
