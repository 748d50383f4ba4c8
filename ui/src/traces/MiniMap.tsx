/** The whole trace in a strip; drag across it to zoom the waterfall, click to go back. */
import { useEffect, useRef, useState } from "react";
import type { Span } from "../api/types";
import { useTheme } from "../app/theme";
import { inkOf } from "../charts/theme";
import { pageColours } from "../design/colour";
import { useSize } from "../design/useSize";
import type { Tree } from "./waterfall";

const HEIGHT = 40;

export function MiniMap({
  tree,
  spans,
  view,
  setView,
}: {
  tree: Tree;
  spans: Span[];
  view: [number, number];
  setView: (view: [number, number]) => void;
}) {
  const theme = useTheme();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [box, { width }] = useSize<HTMLDivElement>();
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const total = Math.max(tree.duration_ms, 1e-6);

  useEffect(() => {
    const element = canvas.current;
    if (!element || width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    element.width = width * ratio;
    element.height = HEIGHT * ratio;
    const c = element.getContext("2d")!;
    c.scale(ratio, ratio);
    c.clearRect(0, 0, width, HEIGHT);
    const step = Math.max(0.02, Math.min(4, (HEIGHT - 4) / Math.max(1, spans.length)));
    const ink = inkOf(theme);
    spans.forEach((span, i) => {
      const left = (tree.start_ms(span) / total) * width;
      const wide = Math.max(1, (span.duration_ms / total) * width);
      c.fillStyle = span.error ? ink.error : pageColours.colour(span.service, theme);
      c.globalAlpha = span.error ? 1 : 0.8;
      c.fillRect(left, 2 + i * step, wide, Math.max(1, step - 0.5));
    });
  }, [tree, spans, theme, width, total]);

  const at = (event: React.PointerEvent): number => {
    const b = event.currentTarget.getBoundingClientRect();
    return Math.max(0, Math.min(b.width, event.clientX - b.left));
  };
  const zoomed = view[0] > 0 || view[1] < total;
  const [from, to] = drag
    ? [Math.min(...drag), Math.max(...drag)]
    : [(view[0] / total) * width, (view[1] / total) * width];
  return (
    <div
      ref={box}
      className="minimap"
      role="img"
      aria-label="Overview of the trace. Drag to zoom, click to see all of it."
      onPointerDown={(e) => {
        e.currentTarget.setPointerCapture(e.pointerId);
        setDrag([at(e), at(e)]);
      }}
      onPointerMove={(e) => setDrag((d) => (d ? [d[0], at(e)] : null))}
      onPointerUp={() => {
        if (drag)
          setView(
            Math.abs(drag[1] - drag[0]) > 3
              ? [(Math.min(...drag) / width) * total, (Math.max(...drag) / width) * total]
              : [0, total],
          );
        setDrag(null);
      }}
      onPointerCancel={() => setDrag(null)}
    >
      <canvas ref={canvas} style={{ width: "100%", height: HEIGHT }} aria-hidden="true" />
      {(drag !== null || zoomed) && width > 0 && (
        <>
          <div className="minimap-shade" style={{ left: 0, width: from }} />
          <div className="minimap-shade" style={{ left: to, right: 0 }} />
        </>
      )}
    </div>
  );
}
