/** The one time range control of the page: quick ranges, typed ranges, zoom out. */
import { useState } from "react";
import { Icon } from "../design/Icon";
import { MenuItem, Popover } from "../design/Popover";
import { formatTime } from "../design/format";
import {
  DEFAULT_RANGE,
  QUICK_RANGES,
  rangeLabel,
  rangeProblem,
  resolveRange,
  zoomOut,
  type TimeRange,
} from "./timeRange";
import { useRange } from "./useRange";

export function TimeRangePicker() {
  const { range, setRange } = useRange();
  return (
    <div className="range" role="group" aria-label="Time range">
      <RangeChoice name="Time range" range={range} onChange={setRange} />
      <button
        type="button"
        className="icon-button"
        aria-label="Zoom out"
        title="Zoom out"
        onClick={() => setRange(zoomOut(range, Date.now() / 1000))}
      >
        <Icon name="zoomout" />
      </button>
    </div>
  );
}

interface Props {
  name: string;
  /** Null while none is chosen. */
  range: TimeRange | null;
  onChange: (range: TimeRange) => void;
  align?: "left" | "right";
}

/** A button with a range on it, which opens the ranges that can be chosen. */
export function RangeChoice({ name, range, onChange, align = "right" }: Props) {
  const label = range ? rangeLabel(range) : "choose";
  return (
    <Popover
      className="button range-button"
      align={align}
      width={340}
      role="dialog"
      name={`${name}: ${label}`}
      label={
        <>
          <Icon name="clock" />
          <span className="range-label">{label}</span>
        </>
      }
    >
      {(close) => (
        <div className="range-panel">
          <RangeForm
            range={range ?? DEFAULT_RANGE}
            apply={(next) => {
              onChange(next);
              close();
            }}
          />
          <div className="range-quick">
            {QUICK_RANGES.map((quick) => (
              <MenuItem
                key={quick.label}
                checked={quick.range.earliest === range?.earliest && quick.range.latest === range.latest}
                hint={quick.range.earliest === "0" ? "" : quick.range.earliest}
                onSelect={() => {
                  onChange(quick.range);
                  close();
                }}
              >
                {quick.label}
              </MenuItem>
            ))}
          </div>
        </div>
      )}
    </Popover>
  );
}

function RangeForm({ range, apply }: { range: TimeRange; apply: (range: TimeRange) => void }) {
  const [earliest, setEarliest] = useState(range.earliest);
  const [latest, setLatest] = useState(range.latest);
  const now = Date.now() / 1000;
  const typed = { earliest: earliest.trim(), latest: latest.trim() || "now" };
  const problem = rangeProblem(typed, now);
  const resolved = resolveRange(typed, now);
  return (
    <form
      className="range-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (problem === null) apply(typed);
      }}
    >
      <label>
        From
        <input
          className="mono"
          value={earliest}
          onChange={(e) => setEarliest(e.target.value)}
          spellCheck={false}
          data-autofocus
          aria-describedby="range-note"
        />
      </label>
      <label>
        To
        <input
          className="mono"
          value={latest}
          onChange={(e) => setLatest(e.target.value)}
          spellCheck={false}
          aria-describedby="range-note"
        />
      </label>
      <button type="submit" className="button primary" disabled={problem !== null}>
        Apply
      </button>
      <p id="range-note" className={problem ? "range-note bad" : "range-note"} role="status">
        {problem ??
          (resolved
            ? `${resolved.start <= 0 ? "the beginning" : formatTime(resolved.start, "s")} to ${formatTime(resolved.end, "s")}`
            : "")}
      </p>
    </form>
  );
}
