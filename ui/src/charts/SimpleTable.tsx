/** A result as a small table, for panels: numbers right-aligned with a bar, times as times. */
import { useState } from "react";
import type { Cell, ResultField } from "../api/types";
import { formatNumber, formatTime, formatUnit, measure, toEpoch } from "../design/format";
import { asNumber, naturally, type Table } from "./shape";

interface Props {
  table: Table;
  unit?: string;
  limit?: number;
  onPick?: (field: string, value: string) => void;
}

export function SimpleTable({ table, unit, limit = 200, onPick }: Props) {
  const [sort, setSort] = useState<{ at: number; desc: boolean } | null>(null);
  const shown = table.fields
    .map((_, i) => i)
    .filter((i) => table.fields[i]!.name !== "_raw" || table.fields.length === 1);
  const numbered = table.rows.map((row, at) => ({ row, at }));
  const rows = sort
    ? numbered.sort((a, b) => compare(a.row[sort.at], b.row[sort.at]) * (sort.desc ? -1 : 1))
    : numbered;
  const most = table.fields.map((f, i) =>
    f.type === "number" ? Math.max(...table.rows.map((r) => asNumber(r[i]) ?? 0), 0) : 0,
  );
  return (
    <div className="table-wrap simple-table">
      <table className="plain">
        <thead>
          <tr>
            {shown.map((i) => {
              const field = table.fields[i]!;
              const on = sort?.at === i;
              return (
                <th
                  key={field.name}
                  scope="col"
                  className={field.type === "number" ? "num" : ""}
                  aria-sort={on ? (sort.desc ? "descending" : "ascending") : "none"}
                >
                  <button
                    type="button"
                    className="sort-button"
                    onClick={() => setSort(on && sort.desc ? null : { at: i, desc: on ? true : false })}
                  >
                    {field.name}
                    {on && <span aria-hidden="true"> {sort.desc ? "↓" : "↑"}</span>}
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, limit).map(({ row, at }, r) => (
            <tr key={r}>
              {shown.map((i) => {
                const field = table.fields[i]!;
                const cell = row[i] ?? null;
                const text = table.display?.[field.name]?.[at] ?? cellText(field, cell, unit);
                const share =
                  field.type === "number" && most[i]! > 0 ? Math.max(0, (asNumber(cell) ?? 0) / most[i]!) : 0;
                return (
                  <td
                    key={field.name}
                    className={field.type === "number" ? "num bar-cell" : "clip-cell"}
                    style={share > 0 ? ({ "--share": share } as React.CSSProperties) : undefined}
                  >
                    {onPick && field.type === "string" && cell !== null ? (
                      <button
                        type="button"
                        className="text-button cell-link"
                        onClick={() => onPick(field.name, String(cell))}
                      >
                        {text}
                      </button>
                    ) : (
                      <span title={field.type === "string" ? text : undefined}>{text}</span>
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > limit && (
        <p className="dim small">
          The first {formatNumber(limit)} of {formatNumber(rows.length)} rows
        </p>
      )}
    </div>
  );
}

export function cellText(field: ResultField, cell: Cell, unit?: string): string {
  if (cell === null) return "";
  if (Array.isArray(cell)) return cell.map(String).join(", ");
  if (field.type === "time") {
    const time = toEpoch(cell);
    return time === null ? String(cell) : formatTime(time, Number.isInteger(time) ? "s" : "ms");
  }
  if (field.type === "number" && typeof cell === "number") return formatUnit(cell, measure(unit));
  return String(cell);
}

function compare(a: Cell | undefined, b: Cell | undefined): number {
  const [x, y] = [asNumber(a ?? null), asNumber(b ?? null)];
  if (x !== null && y !== null) return x - y;
  return naturally(String(a ?? ""), String(b ?? ""));
}
