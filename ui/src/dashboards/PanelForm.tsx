/** Edits one panel, with the chart it makes beside it. */
import { useState } from "react";
import type { ChartKind, DashboardDefinition, Panel } from "../api/types";
import type { TimeRange } from "../app/timeRange";
import { Dialog } from "../design/Dialog";
import { SearchEditor } from "../search/SearchEditor";
import { useKnown } from "../search/useKnown";
import { shown, type Values } from "./inputs";
import { PanelView } from "./PanelView";
import { useFilled } from "./useFilled";
import "../search/search.css";

const KINDS: ChartKind[] = ["line", "area", "column", "bar", "single", "table", "heatmap", "pie", "scatter"];

interface Props {
  panel: Panel;
  /** The dashboard that it is in, for its inputs. */
  definition: DashboardDefinition;
  values: Values;
  range: TimeRange;
  onDone: (panel: Panel) => void;
  onClose: () => void;
}

export function PanelForm({ panel, definition, values, range, onDone, onClose }: Props) {
  const [draft, setDraft] = useState(panel);
  const [preview, setPreview] = useState(panel);
  const [options, setOptions] = useState(JSON.stringify(panel.options ?? {}, null, 2));
  const known = useKnown();
  const filled = useFilled(
    { ...definition, panels: preview.search.trim() === "" ? [] : [preview] },
    values,
    range,
  ).data;
  const parsed = parseObject(options);
  const set = <K extends keyof Panel>(name: K, value: Panel[K]): void => setDraft((was) => ({ ...was, [name]: value }));
  const number = (name: "x" | "y" | "w" | "h", max: number) => (
    <label className="quarter">
      {{ x: "Column", y: "Row", w: "Width", h: "Height" }[name]}
      <input
        type="number"
        min={name === "x" || name === "y" ? 0 : 3}
        max={max}
        value={draft[name]}
        onChange={(e) => set(name, Number(e.target.value))}
      />
    </label>
  );
  const ready = draft.title.trim() !== "" && draft.search.trim() !== "" && parsed !== null;
  return (
    <Dialog
      title={panel.title === "" ? "New panel" : `Edit "${panel.title}"`}
      wide
      onClose={onClose}
      onSubmit={() => ready && onDone({ ...draft, options: parsed })}
      actions={
        <>
          <button type="button" className="button" onClick={() => setPreview({ ...draft, options: parsed ?? {} })}>
            Preview
          </button>
          <span className="grow" />
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={!ready}>
            Done
          </button>
        </>
      }
    >
      <div className="form-grid">
        <label className="half">
          Title: the question it answers
          <input value={draft.title} onChange={(e) => set("title", e.target.value)} required />
        </label>
        <label className="quarter">
          Unit
          <input
            value={draft.unit ?? ""}
            onChange={(e) => set("unit", e.target.value)}
            placeholder="ms, %, share, bytes"
          />
        </label>
        <label className="quarter">
          Chart
          <select value={draft.chart} onChange={(e) => set("chart", e.target.value as ChartKind)}>
            {KINDS.map((k) => (
              <option key={k} value={k}>
                {k}
              </option>
            ))}
          </select>
        </label>
        <div className="panel-editor">
          <SearchEditor
            value={draft.search}
            onChange={(text) => set("search", text)}
            onRun={(text) => setPreview({ ...draft, search: text, options: parsed ?? {} })}
            known={known}
            label="The panel's search in SPL"
          />
        </div>
        <label className="quarter">
          From (empty: the page's)
          <input
            className="mono"
            value={draft.earliest ?? ""}
            onChange={(e) => set("earliest", e.target.value || undefined)}
          />
        </label>
        <label className="quarter">
          To
          <input
            className="mono"
            value={draft.latest ?? ""}
            onChange={(e) => set("latest", e.target.value || undefined)}
          />
        </label>
        <div className="half form-grid">
          {number("x", 21)}
          {number("y", 500)}
          {number("w", 24)}
          {number("h", 60)}
        </div>
        <label>
          Options (JSON: x, series, value, stacked, min, max, thresholds, row_percent)
          <textarea
            className="mono"
            rows={4}
            value={options}
            onChange={(e) => setOptions(e.target.value)}
            aria-invalid={parsed === null}
            spellCheck={false}
          />
        </label>
        {parsed === null && (
          <p className="tone-error small" role="alert">
            options must be a JSON object
          </p>
        )}
        <div className="panel-preview">
          <PanelView
            key={JSON.stringify(preview)}
            {...(definition.inputs?.length ? shown(preview, filled?.panels[preview.id]) : { panel: preview })}
            range={range}
            refreshMs={false}
            onZoom={() => undefined}
          />
        </div>
      </div>
    </Dialog>
  );
}

export function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text.trim() === "" ? "{}" : text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
