/** The one time range control of the page: quick ranges, typed ranges, zoom out. */
import { useState } from "react";
import { Icon } from "../design/Icon";
import { MenuItem, Popover } from "../design/Popover";
import { formatTime } from "../design/format";
import { QUICK_RANGES, rangeLabel, rangeProblem, resolveRange, zoomOut } from "./timeRange";
import { useRange } from "./useRange";

export function TimeRangePicker() {
  const { range, setRange } = useRange();
  return (
    <div className="range" role="group" aria-label="Time range">
      <Popover
        className="button range-button"
        align="right"
        width={340}
        role="dialog"
        name={`Time range: ${rangeLabel(range)}`}
        label={
          <>
            <Icon name="clock" />
            <span className="range-label">{rangeLabel(range)}</span>
          </>
        }
      >
        {(close) => (
          <div className="range-panel">
            <RangeForm
              apply={(next) => {
                setRange(next);
                close();
              }}
            />
            <div className="range-quick">
              {QUICK_RANGES.map((quick) => (
                <MenuItem
                  key={quick.label}
                  checked={quick.range.earliest === range.earliest && quick.range.latest === range.latest}
                  hint={quick.range.earliest === "0" ? "" : quick.range.earliest}
                  onSelect={() => {
                    setRange(quick.range);
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

function RangeForm({ apply }: { apply: (range: { earliest: string; latest: string }) => void }) {
  const { range } = useRange();
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
