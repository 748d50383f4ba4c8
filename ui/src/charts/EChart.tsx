/** ECharts in React: draws an option, follows its box, shares the crosshair, and turns a drag into a time range. */
import { BarChart, LineChart, PieChart, ScatterChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef, useState } from "react";
import { hoverTime, onHoverTime } from "./crosshair";

echarts.use([
  LineChart,
  BarChart,
  PieChart,
  ScatterChart,
  GridComponent,
  TooltipComponent,
  MarkLineComponent,
  CanvasRenderer,
]);

interface Props {
  option: echarts.EChartsCoreOption;
  label: string;
  /** True when x is time: the crosshair is shared and a drag zooms. */
  time: boolean;
  onZoom?: (start: number, end: number) => void;
  onPick?: (name: string) => void;
}

export default function EChart({ option, label, time, onZoom, onPick }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<echarts.ECharts | null>(null);
  const line = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const latest = useRef({ onZoom, onPick, time });
  latest.current = { onZoom, onPick, time };

  useEffect(() => {
    const made = echarts.init(host.current!, undefined, { renderer: "canvas" });
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(host.current!);
    made.on("click", (event) => {
      const name = (event as { name?: string }).name;
      if (name) latest.current.onPick?.(name);
    });
    made.getZr().on("mousemove", (event: { offsetX: number; offsetY: number }) => {
      if (!latest.current.time) return;
      const inside = made.containPixel("grid", [event.offsetX, event.offsetY]);
      hoverTime(inside ? Number(made.convertFromPixel({ xAxisIndex: 0 }, event.offsetX)) : null, made);
    });
    made.getZr().on("globalout", () => hoverTime(null, made));
    return () => {
      observer.disconnect();
      made.dispose();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    chart.current?.setOption(option, { notMerge: true, lazyUpdate: true });
  }, [option]);

  useEffect(() => {
    if (!time) return;
    return onHoverTime((at, from) => {
      const mark = line.current;
      const here = chart.current;
      if (!mark || !here) return;
      const x = at === null || from === here ? null : Number(here.convertToPixel({ xAxisIndex: 0 }, at));
      const visible = x !== null && Number.isFinite(x) && x >= 0 && x <= here.getWidth();
      mark.style.display = visible ? "block" : "none";
      if (visible) mark.style.transform = `translateX(${x}px)`;
    });
  }, [time]);

  const at = (event: React.PointerEvent): number => event.clientX - event.currentTarget.getBoundingClientRect().left;
  return (
    <div
      className="echart"
      role="img"
      aria-label={label}
      onPointerDown={(e) => {
        if (time && onZoom && e.button === 0 && e.pointerType === "mouse") setDrag([at(e), at(e)]);
      }}
      onPointerMove={(e) => setDrag((was) => (was ? [was[0], at(e)] : null))}
      onPointerUp={() => {
        const made = chart.current;
        if (drag && made && Math.abs(drag[1] - drag[0]) > 6) {
          const ends = drag
            .map((px) => Number(made.convertFromPixel({ xAxisIndex: 0 }, px)) / 1000)
            .sort((a, b) => a - b);
          onZoom?.(ends[0]!, ends[1]!);
        }
        setDrag(null);
      }}
      onPointerLeave={() => setDrag(null)}
    >
      <div ref={host} className="echart-host" />
      <div ref={line} className="echart-cross" aria-hidden="true" />
      {drag && Math.abs(drag[1] - drag[0]) > 3 && (
        <div className="echart-brush" style={{ left: Math.min(...drag), width: Math.abs(drag[1] - drag[0]) }} />
      )}
    </div>
  );
}
