/** Durations over time on a log axis: points while they are few, a heat map when they are many; errors always as points. */
import { useEffect, useMemo, useRef, useState } from "react";
import type { TraceSummary } from "../api/types";
import { useTheme } from "../app/theme";
import { inkOf } from "../charts/theme";
import { sequential } from "../design/colour";
import { formatMs } from "../design/format";
import { useSize } from "../design/useSize";
import { tickLabel, ticks } from "../search/Timeline";
import type { Region } from "./region";

interface Props {
  traces: TraceSummary[];
  range: { start: number; end: number } | null;
  region: Region | null;
  setRegion: (region: Region | null) => void;
}

const HEIGHT = 180;
const LEFT = 56;
const BOTTOM = 20;
const TOP = 8;
const CELL = 10;
const HEAT_FROM = 400;

export function DurationPlot({ traces, range, region, setRegion }: Props) {
  const theme = useTheme();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [box, { width }] = useSize<HTMLDivElement>();
  const [drag, setDrag] = useState<{ x0: number; y0: number; x1: number; y1: number } | null>(null);

  const scale = useMemo(() => {
    const times = traces.map((t) => t.start);
    const durations = traces.map((t) => Math.max(t.duration_ms, 0.001));
    const first = Math.min(...times);
    const last = Math.max(...times);
    const start = range && range.start > 0 ? range.start : first - 1;
    const end = Math.max(range ? range.end : last + 1, start + 1e-3);
    const low = Math.log10(Math.min(...durations) * 0.8);
    const high = Math.max(Math.log10(Math.max(...durations) * 1.25), low + 0.5);
    const plotW = Math.max(1, width - LEFT - 8);
    const plotH = HEIGHT - BOTTOM - TOP;
    return {
      start,
      end,
      low,
      high,
      x: (t: number) => LEFT + ((t - start) / (end - start)) * plotW,
      y: (ms: number) => TOP + (1 - (Math.log10(Math.max(ms, 0.001)) - low) / (high - low)) * plotH,
      time: (px: number) => start + ((px - LEFT) / plotW) * (end - start),
      ms: (py: number) => 10 ** (low + (1 - (py - TOP) / plotH) * (high - low)),
      plotW,
    };
  }, [traces, range, width]);

  useEffect(() => {
    const element = canvas.current;
    if (!element || width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    element.width = width * ratio;
    element.height = HEIGHT * ratio;
    const c = element.getContext("2d")!;
    const ink = inkOf(theme);
    c.scale(ratio, ratio);
    c.clearRect(0, 0, width, HEIGHT);
    c.font = `12px system-ui, sans-serif`;
    c.fillStyle = ink.quiet;
    c.strokeStyle = ink.line;
    c.lineWidth = 1;
    const decades = Math.floor(scale.high) - Math.ceil(scale.low);
    const factors = decades < 1 ? [1, 2, 5] : [1];
    let labelled = Infinity;
    for (let power = Math.floor(scale.low); power <= Math.ceil(scale.high); power++) {
      for (const factor of factors) {
        const ms = factor * 10 ** power;
        const y = Math.round(scale.y(ms)) + 0.5;
        if (y < TOP || y > HEIGHT - BOTTOM || labelled - y < 18) continue;
        labelled = y;
        c.beginPath();
        c.moveTo(LEFT, y);
        c.lineTo(width - 8, y);
        c.stroke();
        c.textAlign = "right";
        c.fillText(formatMs(ms), LEFT - 8, y + 4);
      }
    }
    for (const t of ticks(scale.start, scale.end, scale.plotW)) {
      const x = scale.x(t);
      c.textAlign = x < LEFT + 20 ? "left" : x > width - 40 ? "right" : "center";
      c.fillText(tickLabel(t, scale.end - scale.start), x, HEIGHT - 4);
    }
    const quiet = traces.filter((t) => t.error_count === 0);
    if (quiet.length > HEAT_FROM) {
      const cells = new Map<string, number>();
      for (const t of quiet) {
        const key = `${Math.floor((scale.x(t.start) - LEFT) / CELL)}:${Math.floor((scale.y(t.duration_ms) - TOP) / CELL)}`;
        cells.set(key, (cells.get(key) ?? 0) + 1);
      }
      const most = Math.max(...cells.values());
      for (const [key, n] of cells) {
        const [cx, cy] = key.split(":").map(Number) as [number, number];
        c.fillStyle = sequential(0.3 + 0.7 * (Math.log(n + 1) / Math.log(most + 1)), theme);
        c.fillRect(LEFT + cx * CELL, TOP + cy * CELL, CELL - 1, CELL - 1);
      }
    } else {
      c.fillStyle = ink.accent;
      c.globalAlpha = 0.7;
      for (const t of quiet) {
        c.beginPath();
        c.arc(scale.x(t.start), scale.y(t.duration_ms), 2.5, 0, 7);
        c.fill();
      }
      c.globalAlpha = 1;
    }
    // Errors are crosses: a shape, and not only a colour.
    c.strokeStyle = ink.error;
    c.lineWidth = 1.5;
    for (const t of traces) {
      if (t.error_count === 0) continue;
      const [x, y] = [scale.x(t.start), scale.y(t.duration_ms)];
      c.beginPath();
      c.moveTo(x - 3, y - 3);
      c.lineTo(x + 3, y + 3);
      c.moveTo(x + 3, y - 3);
      c.lineTo(x - 3, y + 3);
      c.stroke();
    }
  }, [traces, scale, theme, width]);

  const at = (event: React.PointerEvent): [number, number] => {
    const b = event.currentTarget.getBoundingClientRect();
    return [
      Math.max(LEFT, Math.min(b.width - 8, event.clientX - b.left)),
      Math.max(TOP, Math.min(HEIGHT - BOTTOM, event.clientY - b.top)),
    ];
  };
  const shown = drag
    ? {
        left: Math.min(drag.x0, drag.x1),
        top: Math.min(drag.y0, drag.y1),
        width: Math.abs(drag.x1 - drag.x0),
        height: Math.abs(drag.y1 - drag.y0),
      }
    : region && width > 0
      ? {
          left: scale.x(region.start),
          top: scale.y(region.max_ms),
          width: scale.x(region.end) - scale.x(region.start),
          height: scale.y(region.min_ms) - scale.y(region.max_ms),
        }
      : null;
  const errors = traces.filter((t) => t.error_count > 0).length;
  return (
    <div
      ref={box}
      className="duration-plot"
      role="img"
      aria-label={`Durations of ${traces.length} traces over time, ${errors} with errors. Drag a region to compare it with the rest.`}
      onPointerDown={(e) => {
        if (e.button !== 0) return;
        e.currentTarget.setPointerCapture(e.pointerId);
        const [x, y] = at(e);
        setDrag({ x0: x, y0: y, x1: x, y1: y });
      }}
      onPointerMove={(e) => {
        const [x, y] = at(e);
        setDrag((d) => (d ? { ...d, x1: x, y1: y } : null));
      }}
      onPointerUp={() => {
        if (drag) {
          const wide = Math.abs(drag.x1 - drag.x0) > 4;
          const tall = Math.abs(drag.y1 - drag.y0) > 4;
          if (!wide && !tall) setRegion(null);
          else {
            // A drag along one axis selects everything across the other.
            const xs = wide ? [drag.x0, drag.x1] : [LEFT, width - 8];
            const ys = tall ? [drag.y0, drag.y1] : [TOP, HEIGHT - BOTTOM];
            setRegion({
              start: scale.time(Math.min(...xs)),
              end: scale.time(Math.max(...xs)),
              min_ms: scale.ms(Math.max(...ys)),
              max_ms: scale.ms(Math.min(...ys)),
            });
          }
        }
        setDrag(null);
      }}
      onPointerCancel={() => setDrag(null)}
    >
      <canvas ref={canvas} style={{ width: "100%", height: HEIGHT }} aria-hidden="true" />
      {shown && <div className="duration-region" style={shown} />}
      <p className="duration-key" aria-hidden="true">
        <span className="tone-error">×</span> with errors
      </p>
    </div>
  );
}
