/** A line the height of a word: values over time, with the last one marked. Gaps stay gaps. */
interface Props {
  values: (number | null)[];
  width?: number;
  height?: number;
  /** Text alternative. */
  label: string;
  min?: number;
  max?: number;
  tone?: string;
}

export function Sparkline({ values, width = 96, height = 20, label, min, max, tone }: Props) {
  const present = values.filter((v): v is number => v !== null && Number.isFinite(v));
  if (present.length === 0)
    return (
      <span className="dim" aria-label={`${label}: no values`}>
        –
      </span>
    );
  const low = min ?? Math.min(...present);
  const high = max ?? Math.max(...present);
  const span = high - low || 1;
  const x = (i: number): number => (values.length === 1 ? width - 4 : 2 + (i / (values.length - 1)) * (width - 6));
  const y = (v: number): number => (high === low ? height / 2 : height - 3 - ((v - low) / span) * (height - 6));
  let path = "";
  let pen = false;
  values.forEach((v, i) => {
    if (v === null || !Number.isFinite(v)) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = true;
  });
  const lastAt = values.findLastIndex((v) => v !== null && Number.isFinite(v));
  const last = values[lastAt] as number;
  return (
    <svg
      className="sparkline"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
      style={tone ? { color: tone } : undefined}
    >
      <path d={path} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinejoin="round" />
      <circle cx={x(lastAt)} cy={y(last)} r="2" fill="currentColor" />
    </svg>
  );
}
