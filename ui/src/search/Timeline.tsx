/** Events over time: stacked bars by severity or any field; drag across to zoom in. */
import { useMemo, useRef, useState } from "react";
import type { TimelineAnswer } from "../api/types";
import { pageColours, severityRank } from "../design/colour";
import { formatNumber, formatSeconds, formatShort, formatTime } from "../design/format";
import { useSize } from "../design/useSize";
import { useTheme } from "../app/theme";

interface Props {
  data: TimelineAnswer | undefined;
  by: string;
  range: { start: number; end: number } | null;
  stale: boolean;
  onZoom: (start: number, end: number) => void;
}

const HEIGHT = 76;
const AXIS = 18;
const TOP = 6;

export function Timeline({ data, by, range, stale, onZoom }: Props) {
  const theme = useTheme();
  const [ref, { width }] = useSize<HTMLDivElement>();
  const [hover, setHover] = useState<number | null>(null);
  const [brush, setBrush] = useState<[number, number] | null>(null);
  const dragging = useRef(false);

  const view = useMemo(() => {
    const buckets = data?.buckets ?? [];
    if (!data || buckets.length === 0) return null;
    const first = buckets[0]!.start;
    const last = buckets[buckets.length - 1]!.start + data.span_s;
    // An all-time range starts in 1970; the axis then follows the data.
    const start = range && range.start > 0 && range.start <= first ? range.start : first;
    const end = range && range.end >= last - data.span_s ? Math.max(range.end, first + data.span_s) : last;
    const totals = new Map<string, number>();
    for (const b of buckets)
      for (const [value, count] of Object.entries(b.by ?? {})) totals.set(value, (totals.get(value) ?? 0) + count);
    const names = [...totals.keys()].sort((a, b) =>
      by === "severity" ? severityRank(a) - severityRank(b) : totals.get(b)! - totals.get(a)!,
    );
    // A split that no event has is no split.
    if (names.length === 1 && names[0] === "") names.length = 0;
    return {
      buckets,
      start,
      end: Math.max(end, start + 1e-6),
      span: data.span_s,
      max: Math.max(...buckets.map((b) => b.count), 1),
      names,
      totals,
    };
  }, [data, range, by]);

  const x = (t: number): number => (view ? ((t - view.start) / (view.end - view.start)) * width : 0);
  const timeAt = (px: number): number => (view ? view.start + (px / Math.max(1, width)) * (view.end - view.start) : 0);
  const inside = (event: React.PointerEvent): number => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.max(0, Math.min(box.width, event.clientX - box.left));
  };
  const plot = HEIGHT - AXIS - TOP;
  const bucketAt = (px: number): number =>
    view ? view.buckets.findIndex((b) => timeAt(px) >= b.start && timeAt(px) < b.start + view.span) : -1;
  const shown = view && hover !== null ? view.buckets[hover] : undefined;

  return (
    <div className={stale ? "timeline stale" : "timeline"}>
      <div
        ref={ref}
        className="timeline-plot"
        role="img"
        aria-label={
          view
            ? `Events over time, ${view.buckets.length} buckets of ${formatSeconds(view.span)}, at most ${formatNumber(view.max)} each. Drag to zoom.`
            : "Events over time"
        }
        onPointerDown={(e) => {
          if (!view || e.button !== 0) return;
          e.currentTarget.setPointerCapture(e.pointerId);
          dragging.current = true;
          setBrush([inside(e), inside(e)]);
        }}
        onPointerMove={(e) => {
          const px = inside(e);
          const at = bucketAt(px);
          setHover(at < 0 ? null : at);
          if (dragging.current) setBrush((b) => (b ? [b[0], px] : null));
        }}
        onPointerLeave={() => setHover(null)}
        onPointerUp={(e) => {
          dragging.current = false;
          const b = brush;
          setBrush(null);
          if (!view || !b) return;
          if (Math.abs(b[1] - b[0]) > 4) {
            onZoom(timeAt(Math.min(...b)), timeAt(Math.max(...b)));
          } else {
            const bucket = view.buckets[bucketAt(inside(e))];
            if (bucket && e.detail !== 0) setHover(view.buckets.indexOf(bucket));
          }
        }}
        onPointerCancel={() => {
          dragging.current = false;
          setBrush(null);
        }}
        onDoubleClick={(e) => {
          const box = e.currentTarget.getBoundingClientRect();
          const bucket = view?.buckets[bucketAt(e.clientX - box.left)];
          if (bucket && view) onZoom(bucket.start, bucket.start + view.span);
        }}
      >
        {view && width > 0 ? (
          <svg width={width} height={HEIGHT} aria-hidden="true">
            {ticks(view.start, view.end, width).map((t) => (
              <g key={t}>
                <line x1={x(t)} x2={x(t)} y1={TOP} y2={HEIGHT - AXIS + 4} className="timeline-grid" />
                <text
                  x={x(t)}
                  y={HEIGHT - 4}
                  className="timeline-text"
                  textAnchor={x(t) < 30 ? "start" : x(t) > width - 30 ? "end" : "middle"}
                >
                  {tickLabel(t, view.end - view.start)}
                </text>
              </g>
            ))}
            <line x1={0} x2={width} y1={HEIGHT - AXIS + 0.5} y2={HEIGHT - AXIS + 0.5} className="timeline-base" />
            {view.buckets.map((b, i) => {
              if (b.count === 0) return null;
              const left = Math.max(0, x(b.start));
              const barWidth = Math.max(1, Math.min(width, x(b.start + view.span)) - left - 1);
              let y = HEIGHT - AXIS;
              const parts: [string, number][] = b.by ? view.names.map((n) => [n, b.by![n] ?? 0]) : [["", b.count]];
              const rest = b.count - parts.reduce((sum, [, n]) => sum + n, 0);
              if (rest > 0) parts.unshift(["", rest]);
              return (
                <g key={b.start} opacity={hover === null || hover === i || brush ? 1 : 0.55}>
                  {parts.map(([name, count]) => {
                    if (count <= 0) return null;
                    const h = Math.max((count / view.max) * plot, 0.75);
                    y -= h;
                    return (
                      <rect
                        key={name}
                        x={left}
                        y={y}
                        width={barWidth}
                        height={h}
                        fill={view.names.length > 0 ? pageColours.colour(name, theme) : "var(--accent)"}
                      />
                    );
                  })}
                </g>
              );
            })}
            <text x={0} y={TOP + 6} className="timeline-text">
              {formatShort(view.max)}
            </text>
            {brush && Math.abs(brush[1] - brush[0]) > 1 && (
              <rect
                x={Math.min(...brush)}
                width={Math.abs(brush[1] - brush[0])}
                y={0}
                height={HEIGHT - AXIS}
                className="timeline-brush"
              />
            )}
          </svg>
        ) : (
          <div className="timeline-hollow" />
        )}
      </div>
      <div className="timeline-note">
        {shown && view ? (
          <>
            <span>{formatTime(shown.start, view.span < 1 ? "ms" : "s")}</span>
            <span>
              <b>{formatNumber(shown.count)}</b> in {formatSeconds(view.span)}
            </span>
            {Object.entries(view.names.length > 0 ? (shown.by ?? {}) : {})
              .filter(([, n]) => n > 0)
              .sort((a, b) => b[1] - a[1])
              .slice(0, 6)
              .map(([name, n]) => (
                <LegendItem key={name} name={name} count={n} />
              ))}
          </>
        ) : brush && view ? (
          <span>
            {formatTime(timeAt(Math.min(...brush)), "s")} → {formatTime(timeAt(Math.max(...brush)), "s")}
          </span>
        ) : (
          view?.names.slice(0, 8).map((name) => <LegendItem key={name} name={name} count={view.totals.get(name)!} />)
        )}
      </div>
    </div>
  );
}

function LegendItem({ name, count }: { name: string; count: number }) {
  const theme = useTheme();
  return (
    <span className="legend-item">
      <i style={{ background: pageColours.colour(name, theme) }} aria-hidden="true" />
      {name === "" ? "not set" : name} <span className="dim">{formatShort(count)}</span>
    </span>
  );
}

const STEPS_S = [
  0.001, 0.01, 0.1, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 604_800,
  2_592_000, 7_776_000, 31_536_000,
];

/** Round local times about every 110 pixels. */
export function ticks(start: number, end: number, width: number): number[] {
  const wanted = ((end - start) * 110) / Math.max(110, width);
  const step = STEPS_S.find((s) => s >= wanted) ?? STEPS_S[STEPS_S.length - 1]!;
  const zone = -new Date(start * 1000).getTimezoneOffset() * 60;
  const out: number[] = [];
  for (let t = Math.ceil((start + zone) / step) * step - zone; t <= end && out.length < 100; t += step) out.push(t);
  return out;
}

export function tickLabel(t: number, span: number): string {
  const text = formatTime(t, "ms");
  if (span > 172_800 * 2) return text.slice(5, 10);
  if (span > 86_400) return text.slice(5, 16);
  if (span > 600) return text.slice(11, 16);
  if (span > 10) return text.slice(11, 19);
  return text.slice(14);
}
