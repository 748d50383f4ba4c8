/** Table results: virtualised rows, sorting by the server, resizable columns, bars behind numbers, drill-down on a click. */
import {
  flexRender,
  getCoreRowModel,
  useReactTable,
  type ColumnDef,
  type ColumnSizingState,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Cell, ResultField } from "../api/types";
import { useRowHeight } from "../app/theme";
import { asNumber } from "../charts/shape";
import { cellText } from "../charts/SimpleTable";
import { AnchoredMenu, anchorOf, type Anchor } from "../design/AnchoredMenu";
import { MenuItem } from "../design/Popover";
import { Sparkline } from "../design/Sparkline";
import type { PagedRows } from "./useJob";

interface Props {
  rows: PagedRows;
  sort: { field: string; desc: boolean } | null;
  setSort: (sort: { field: string; desc: boolean } | null) => void;
  onAdd: (field: string, value: Cell) => void;
  onExclude: (field: string, value: Cell) => void;
  onEvents: (field: string, value: Cell) => void;
}

interface Chosen {
  anchor: Anchor;
  field: ResultField;
  value: Cell;
}

export function ResultTable({ rows, sort, setSort, onAdd, onExclude, onEvents }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const rowHeight = useRowHeight();
  const [sizing, setSizing] = useState<ColumnSizingState>({});
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const { fields, loaded, shown } = rows;

  const shape = useMemo(() => {
    const sample = loaded.slice(0, 500);
    return fields.map((field, i) => {
      const longest = sample.reduce(
        (most, row, at) => Math.max(most, (shown(at, field.name) ?? cellText(field, row[i] ?? null)).length),
        field.name.length + 2,
      );
      const most = field.type === "number" ? sample.reduce((m, row) => Math.max(m, asNumber(row[i]) ?? 0), 0) : 0;
      const least = field.type === "number" ? sample.reduce((m, row) => Math.min(m, asNumber(row[i]) ?? 0), 0) : 0;
      return {
        width: Math.min(field.type === "number" ? 180 : 520, Math.max(72, longest * 7.4 + 28)),
        most: least < 0 ? 0 : most,
      };
    });
  }, [fields, loaded, shown]);

  const columns = useMemo<ColumnDef<number>[]>(
    () =>
      fields.map((field, i) => ({
        id: `${i}`,
        header: field.name,
        size: shape[i]?.width ?? 120,
        minSize: 48,
        maxSize: 1600,
      })),
    [fields, shape],
  );
  const indexes = useMemo(() => Array.from({ length: rows.total }, (_, i) => i), [rows.total]);
  const table = useReactTable({
    data: indexes,
    columns,
    state: { columnSizing: sizing },
    onColumnSizingChange: setSizing,
    columnResizeMode: "onChange",
    getCoreRowModel: getCoreRowModel(),
    manualSorting: true,
  });

  const virtual = useVirtualizer({
    count: rows.total,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 16,
  });
  useEffect(() => virtual.measure(), [rowHeight, virtual]);
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items[items.length - 1]?.index ?? 0;
  const { show } = rows;
  useEffect(() => {
    if (rows.total > 0) show(first, last);
  }, [first, last, show, rows.total]);

  const headers = table.getFlatHeaders();
  const grid = headers.map((h) => `${h.getSize()}px`).join(" ");
  const width = table.getTotalSize();
  const close = (): void => setChosen(null);
  const menu = chosen && (
    <AnchoredMenu anchor={chosen.anchor} onClose={close} label={`${chosen.field.name}: ${String(chosen.value)}`}>
      <MenuItem onSelect={() => (close(), onAdd(chosen.field.name, chosen.value))}>Add to search</MenuItem>
      <MenuItem onSelect={() => (close(), onExclude(chosen.field.name, chosen.value))}>Exclude</MenuItem>
      <MenuItem onSelect={() => (close(), onEvents(chosen.field.name, chosen.value))}>Show the events</MenuItem>
      <MenuItem onSelect={() => (close(), void navigator.clipboard?.writeText(String(chosen.value)))}>Copy</MenuItem>
    </AnchoredMenu>
  );

  return (
    <div
      ref={scroller}
      className={rows.stale ? "grid stale" : "grid"}
      role="table"
      aria-label="Results"
      aria-rowcount={rows.total + 1}
      aria-colcount={fields.length}
    >
      <div style={{ width: Math.max(width, 1), minWidth: "100%" }} role="rowgroup">
        <div className="grid-head" role="row" style={{ gridTemplateColumns: grid }}>
          {headers.map((header, i) => {
            const field = fields[i]!;
            const on = sort?.field === field.name;
            return (
              <div
                key={header.id}
                role="columnheader"
                className={field.type === "number" ? "grid-th num" : "grid-th"}
                aria-sort={on ? (sort.desc ? "descending" : "ascending") : "none"}
              >
                <button
                  type="button"
                  className="grid-sort"
                  title={field.name}
                  onClick={() =>
                    setSort(
                      !on
                        ? { field: field.name, desc: field.type === "number" }
                        : sort.desc === (field.type === "number")
                          ? { field: field.name, desc: !sort.desc }
                          : null,
                    )
                  }
                >
                  {flexRender(header.column.columnDef.header, header.getContext())}
                  {on && <span aria-hidden="true"> {sort.desc ? "↓" : "↑"}</span>}
                </button>
                <span
                  className="grid-resize"
                  aria-hidden="true"
                  onPointerDown={(e) => (e.stopPropagation(), header.getResizeHandler()(e))}
                  onDoubleClick={() => header.column.resetSize()}
                />
              </div>
            );
          })}
        </div>
      </div>
      <div
        role="rowgroup"
        style={{ height: virtual.getTotalSize(), width: Math.max(width, 1), minWidth: "100%", position: "relative" }}
      >
        {items.map((item) => {
          const row = rows.row(item.index);
          return (
            <div
              key={item.key}
              role="row"
              aria-rowindex={item.index + 2}
              className="grid-row"
              style={{ gridTemplateColumns: grid, height: rowHeight, transform: `translateY(${item.start}px)` }}
            >
              {row ? (
                fields.map((field, i) => (
                  <GridCell
                    key={i}
                    field={field}
                    value={row[i] ?? null}
                    shown={shown(item.index, field.name)}
                    most={shape[i]?.most ?? 0}
                    choose={(target) =>
                      setChosen({
                        anchor: anchorOf(target),
                        field,
                        value: Array.isArray(row[i]) ? ((row[i] as Cell[])[0] ?? null) : (row[i] ?? null),
                      })
                    }
                  />
                ))
              ) : (
                <div className="grid-waiting" role="cell" />
              )}
            </div>
          );
        })}
      </div>
      {menu}
    </div>
  );
}

function GridCell({
  field,
  value,
  shown,
  most,
  choose,
}: {
  field: ResultField;
  value: Cell;
  shown: string | undefined;
  most: number;
  choose: (target: HTMLElement) => void;
}) {
  if (value === null) return <div role="cell" className="grid-td none" aria-label="no value" />;
  if (shown === undefined && Array.isArray(value) && value.length > 2 && value.every((v) => asNumber(v) !== null)) {
    return (
      <div role="cell" className="grid-td">
        <Sparkline values={value.map((v) => asNumber(v))} label={`${field.name}: ${value.length} values`} />
      </div>
    );
  }
  const text = shown ?? cellText(field, value);
  const share = most > 0 ? Math.max(0, Math.min(1, (asNumber(value) ?? 0) / most)) : 0;
  return (
    <div
      role="cell"
      className={field.type === "number" ? "grid-td num" : "grid-td"}
      style={share > 0 ? ({ "--share": share } as React.CSSProperties) : undefined}
    >
      <button
        type="button"
        className="grid-value"
        title={text.length > 40 ? text : undefined}
        onClick={(e) => choose(e.currentTarget)}
      >
        {text}
      </button>
    </div>
  );
}
