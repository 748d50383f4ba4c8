/** A matrix as a heat map whose numbers can be read: counts, row shares, and a sentence for the cell under the pointer. */
import { useState } from "react";
import { inkOn, sequential } from "../design/colour";
import { formatNumber, formatShare, formatUnit, measure } from "../design/format";
import { useTheme } from "../app/theme";
import { bareLabel, type Matrix } from "./shape";

interface Props {
  matrix: Matrix;
  title: string;
  unit?: string;
  /** Writes each cell's share of its row under the number. */
  shares?: boolean;
  rowTitle?: string;
  columnTitle?: string;
  onPick?: (row: string, column: string) => void;
}

export function HeatTable({ matrix, title, unit, shares, rowTitle, columnTitle, onPick }: Props) {
  const theme = useTheme();
  const [over, setOver] = useState<[number, number] | null>(null);
  const { rows, columns, values } = matrix;
  const sums = values.map((row) => row.reduce<number>((sum, v) => sum + Math.max(0, v ?? 0), 0));
  const flat = values.flat().filter((v): v is number => v !== null);
  const low = Math.min(0, ...flat);
  const high = Math.max(...flat, low + 1e-9);
  // With shares the colour compares cells within their row: a rare class is as readable as a common one.
  const level = (r: number, v: number): number => (shares ? v / Math.max(1e-9, sums[r]!) : (v - low) / (high - low));
  const explain = (): string => {
    if (!over) return "";
    const [r, c] = over;
    const value = values[r]?.[c] ?? null;
    const row = bareLabel(rows[r] ?? "");
    const column = bareLabel(columns[c] ?? "");
    if (value === null) return `No value for ${row} and ${column}`;
    if (!shares)
      return `${rowTitle ?? matrix.rowName} ${row}, ${columnTitle ?? matrix.columnName} ${column}: ${formatUnit(value, unit)}`;
    const share = formatShare(value / Math.max(1e-9, sums[r]!));
    return row === column
      ? `${formatNumber(value)} of ${formatNumber(sums[r]!)} "${row}" were predicted right (${share})`
      : `${formatNumber(value)} of ${formatNumber(sums[r]!)} "${row}" were taken for "${column}" (${share})`;
  };
  return (
    <div className="heat-box">
      <div className="heat-scroll">
        <table className="heat" aria-label={title} onPointerLeave={() => setOver(null)}>
          <thead>
            {columnTitle && (
              <tr>
                <td />
                <th colSpan={columns.length} className="heat-axis">
                  {columnTitle}
                </th>
              </tr>
            )}
            <tr>
              <th scope="col" className="heat-corner">
                {rowTitle ?? matrix.rowName}
              </th>
              {columns.map((column) => (
                <th key={column} scope="col" title={column}>
                  <span>{bareLabel(column)}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, r) => (
              <tr key={`${row}-${r}`}>
                <th scope="row" title={row}>
                  <span>{bareLabel(row)}</span>
                </th>
                {columns.map((column, c) => {
                  const value = values[r]![c] ?? null;
                  if (value === null)
                    return (
                      <td key={column} className="heat-none" onPointerEnter={() => setOver([r, c])}>
                        –
                      </td>
                    );
                  const t = level(r, value);
                  return (
                    <td
                      key={column}
                      style={{ background: sequential(t, theme), color: inkOn(t, theme) }}
                      className={over?.[0] === r && over[1] === c ? "over" : undefined}
                      onPointerEnter={() => setOver([r, c])}
                      onClick={onPick ? () => onPick(row, column) : undefined}
                    >
                      <span className="heat-value">{formatUnit(value, measure(unit))}</span>
                      {shares && <span className="heat-share">{formatShare(value / Math.max(1e-9, sums[r]!))}</span>}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="heat-note" aria-live="polite">
        {explain()}
      </p>
    </div>
  );
}
