/** Which chart, and which fields play which part in it. */
import type { ChartKind, ResultField } from "../api/types";
import type { ChartOptions } from "../charts/Chart";

const KINDS: ChartKind[] = ["line", "area", "column", "bar", "heatmap", "scatter", "pie", "single", "table"];

interface Props {
  fields: ResultField[];
  kind: ChartKind;
  suggested: ChartKind;
  options: ChartOptions;
  set: (changes: Record<string, string | undefined>) => void;
}

export function ChartControls({ fields, kind, suggested, options, set }: Props) {
  return (
    <>
      <label className="inline small">
        Chart
        <select
          value={kind}
          onChange={(e) => set({ chart: e.target.value === suggested ? undefined : e.target.value })}
        >
          {KINDS.map((k) => (
            <option key={k} value={k}>
              {k === suggested ? `${k} (fits)` : k}
            </option>
          ))}
        </select>
      </label>
      {kind !== "single" && kind !== "table" && fields.length > 2 && (
        <>
          <FieldChoice label="X" value={options.x} fields={fields} set={(x) => set({ x })} />
          <FieldChoice label="Series" value={options.series} fields={fields} set={(series) => set({ series })} />
        </>
      )}
    </>
  );
}

function FieldChoice({
  label,
  value,
  fields,
  set,
}: {
  label: string;
  value: string | undefined;
  fields: ResultField[];
  set: (field: string | undefined) => void;
}) {
  return (
    <label className="inline small">
      {label}
      <select value={value ?? ""} onChange={(e) => set(e.target.value || undefined)}>
        <option value="">automatic</option>
        {fields.map((f) => (
          <option key={f.name} value={f.name}>
            {f.name}
          </option>
        ))}
      </select>
    </label>
  );
}
