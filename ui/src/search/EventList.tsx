/** Events, newest first: virtualised lines that open to a table of their fields. */
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef } from "react";
import type { Cell, ResultField } from "../api/types";
import { useRowHeight } from "../app/theme";
import { hashText } from "../design/colour";
import { formatClock, formatTime, toEpoch } from "../design/format";
import { Icon } from "../design/Icon";
import { cutAtWords } from "./highlight";
import { eventAsSpl, type EventLike } from "./spl";
import type { PagedRows } from "./useJob";

export interface EventActions {
  add: (field: string, value: Cell) => void;
  exclude: (field: string, value: Cell) => void;
  surrounding: (event: EventLike) => void;
}

interface Props {
  rows: PagedRows;
  /** Words to mark in the texts, and fields whose values give events a coloured mark. */
  presentation?: { marks: string[]; icons: string[] };
  open: string | undefined;
  setOpen: (event: string | undefined) => void;
  actions: EventActions;
}

const NOTHING = { marks: [], icons: [] };
const HIDDEN = new Set(["_raw", "_time", "_indextime"]);

/** What names an event in the address: its time and a hash of its text. */
const nameOf = (event: EventLike): string =>
  `${event.time ?? ""}.${hashText(String(event.values._raw ?? JSON.stringify(event.values))).toString(36)}`;

export function toEvent(fields: ResultField[], row: Cell[]): EventLike {
  const values: Record<string, Cell> = {};
  fields.forEach((field, i) => {
    values[field.name] = row[i] ?? null;
  });
  return { time: toEpoch(values._time), values };
}

export function EventList({ rows, presentation = NOTHING, open, setOpen, actions }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const rowHeight = useRowHeight();
  // Only the day matters: it decides whether a line shows its date.
  const now = Math.floor(Date.now() / 3_600_000) * 3600;
  const virtual = useVirtualizer({
    count: rows.total,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 20,
    getItemKey: (index) => index,
  });
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items[items.length - 1]?.index ?? 0;
  const { show } = rows;
  useEffect(() => {
    if (rows.total > 0) show(first, last);
  }, [first, last, show, rows.total]);
  useEffect(() => virtual.measure(), [rowHeight, virtual]);
  const sourceField = useMemo(
    () => ["service.name", "service", "source", "host"].find((name) => rows.fields.some((f) => f.name === name)),
    [rows.fields],
  );

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp" && event.key !== "j" && event.key !== "k") return;
    const target = event.target as HTMLElement;
    const line = target.closest<HTMLElement>("[data-index]");
    if (!line || !target.classList.contains("event-line")) return;
    event.preventDefault();
    const next = Number(line.dataset.index) + (event.key === "ArrowDown" || event.key === "j" ? 1 : -1);
    if (next < 0 || next >= rows.total) return;
    virtual.scrollToIndex(next);
    requestAnimationFrame(() =>
      scroller.current
        ?.querySelector<HTMLElement>(`[data-index="${next}"] .event-line`)
        ?.focus({ preventScroll: true }),
    );
  };

  return (
    <div
      ref={scroller}
      className={rows.stale ? "events stale" : "events"}
      role="list"
      aria-label="Events"
      onKeyDown={onKeyDown}
    >
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {items.map((item) => {
          const row = rows.row(item.index);
          if (!row) {
            return (
              <div
                key={item.key}
                data-index={item.index}
                ref={virtual.measureElement}
                className="event"
                style={{ transform: `translateY(${item.start}px)` }}
                role="listitem"
              >
                <div className="event-line waiting" style={{ height: rowHeight }} />
              </div>
            );
          }
          return (
            <div
              key={item.key}
              data-index={item.index}
              ref={virtual.measureElement}
              className="event"
              style={{ transform: `translateY(${item.start}px)` }}
              role="listitem"
              aria-setsize={rows.total}
              aria-posinset={item.index + 1}
            >
              <EventRow
                fields={rows.fields}
                row={row}
                presentation={presentation}
                height={rowHeight}
                now={now}
                sourceField={sourceField}
                open={open}
                setOpen={setOpen}
                actions={actions}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  fields: ResultField[];
  row: Cell[];
  presentation: { marks: string[]; icons: string[] };
  height: number;
  now: number;
  sourceField: string | undefined;
  open: string | undefined;
  setOpen: (event: string | undefined) => void;
  actions: EventActions;
}

/** One event. Drawn again only when it changes itself: while the list scrolls, the rows that stay are left alone. */
const EventRow = memo(
  function EventRow({ fields, row, presentation, height, now, sourceField, open, setOpen, actions }: RowProps) {
    const event = useMemo(() => toEvent(fields, row), [fields, row]);
    const name = useMemo(() => nameOf(event), [event]);
    const expanded = open === name;
    const severity = String(event.values.severity ?? "").toLowerCase();
    const origin = sourceField ? event.values[sourceField] : null;
    return (
      <>
        <button
          type="button"
          className={`event-line sev-${severity || "none"}${sourceField ? "" : " no-origin"}${expanded ? " open" : ""}`}
          style={{ height }}
          aria-expanded={expanded}
          onClick={() => setOpen(expanded ? undefined : name)}
        >
          <span className="event-time">{event.time === null ? "" : formatClock(event.time, now, "ms")}</span>
          <span className="event-severity">{severity === "" ? "" : severity.slice(0, 5)}</span>
          {sourceField && (
            <span className="event-origin">{origin === null || origin === undefined ? "" : String(origin)}</span>
          )}
          <span className="event-text">
            {presentation.icons.length > 0 && <IconMark event={event} fields={presentation.icons} />}
            <Marked text={oneLine(event)} words={presentation.marks} />
          </span>
        </button>
        {expanded && <EventDetail event={event} marks={presentation.marks} actions={actions} />}
      </>
    );
  },
  // What a click does reads the newest search from the closures of an open row; closed rows do not need them.
  (before, after) =>
    before.row === after.row &&
    before.fields === after.fields &&
    before.presentation === after.presentation &&
    before.height === after.height &&
    before.open === after.open &&
    before.sourceField === after.sourceField &&
    after.open === undefined,
);

/** A text with the words that a search looked for. */
function Marked({ text, words }: { text: string; words: readonly string[] }) {
  if (words.length === 0) return text;
  return cutAtWords(text, words).map((piece, i) => (piece.marked ? <mark key={i}>{piece.text}</mark> : piece.text));
}

/** The mark that `iconify` gives an event: the same shape and colour for the same values. */
function IconMark({ event, fields }: { event: EventLike; fields: readonly string[] }) {
  const values = fields.map((name) => String(event.values[name] ?? ""));
  const hash = hashText(values.join("\u0000"));
  return (
    <span
      className={hash & 1 ? "event-icon round" : "event-icon"}
      style={{ backgroundColor: `hsl(${(hash >>> 1) % 360} 60% 52%)` }}
      title={fields.map((name, i) => `${name}=${values[i]}`).join(", ")}
    />
  );
}

/** The text of an event on one line; without a text, its fields. Terminal colour codes are left out. */
function oneLine(event: EventLike): string {
  const raw = event.values._raw;
  if (typeof raw === "string" && raw !== "") return stripColours(raw).replace(/\s+/g, " ").slice(0, 1000);
  return Object.entries(event.values)
    .filter(([name, value]) => !HIDDEN.has(name) && value !== null && value !== "" && name !== "index")
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(",") : String(value)}`)
    .join(" ")
    .slice(0, 1000);
}

// eslint-disable-next-line no-control-regex
const stripColours = (text: string): string => text.replace(/\u001b\[[0-9;]*m/g, "");

function EventDetail({ event, marks, actions }: { event: EventLike; marks: readonly string[]; actions: EventActions }) {
  const fields = Object.entries(event.values).filter(
    ([name, value]) => name !== "_raw" && name !== "_time" && value !== null && value !== "",
  );
  fields.sort(([a], [b]) => Number(a.startsWith("_")) - Number(b.startsWith("_")) || a.localeCompare(b));
  const raw = event.values._raw;
  const trace = event.values.trace_id;
  return (
    <div className="event-detail">
      <div className="row wrap event-actions">
        {event.time !== null && <span className="mono">{formatTime(event.time, "ms")}</span>}
        <button type="button" className="button" onClick={() => actions.surrounding(event)}>
          <Icon name="list" /> Show surrounding
        </button>
        {typeof trace === "string" && trace !== "" && (
          <Link
            to="/traces/$traceId"
            params={{ traceId: trace }}
            search={{
              span:
                typeof event.values.span_id === "string" && event.values.span_id !== ""
                  ? event.values.span_id
                  : undefined,
            }}
            className="button"
          >
            <Icon name="traces" /> Open trace
          </Link>
        )}
        <button type="button" className="button" onClick={() => void navigator.clipboard?.writeText(eventAsSpl(event))}>
          <Icon name="copy" /> Copy as SPL
        </button>
        <button
          type="button"
          className="button"
          onClick={() => void navigator.clipboard?.writeText(JSON.stringify(event.values, null, 2))}
        >
          <Icon name="copy" /> Copy as JSON
        </button>
      </div>
      {typeof raw === "string" && raw !== "" && (
        <pre className="event-raw">
          <Marked text={stripColours(pretty(raw))} words={marks} />
        </pre>
      )}
      <table className="event-fields">
        <tbody>
          {fields.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{display(name, value)}</td>
              <td className="event-field-actions">
                <button
                  type="button"
                  className="icon-button tiny"
                  aria-label={`Add ${name} to the search`}
                  title="Add to search"
                  onClick={() => actions.add(name, Array.isArray(value) ? (value[0] ?? null) : value)}
                >
                  <Icon name="plus" size={12} />
                </button>
                <button
                  type="button"
                  className="icon-button tiny"
                  aria-label={`Exclude this ${name}`}
                  title="Exclude"
                  onClick={() => actions.exclude(name, Array.isArray(value) ? (value[0] ?? null) : value)}
                >
                  <Icon name="minus" size={12} />
                </button>
                <button
                  type="button"
                  className="icon-button tiny"
                  aria-label={`Copy the value of ${name}`}
                  title="Copy"
                  onClick={() => void navigator.clipboard?.writeText(String(value))}
                >
                  <Icon name="copy" size={12} />
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function display(name: string, value: Cell): string {
  if (name === "_indextime") {
    const time = toEpoch(value);
    return time === null ? String(value) : formatTime(time, "ms");
  }
  return Array.isArray(value) ? value.map(String).join("\n") : String(value);
}

function pretty(raw: string): string {
  if (!/^\s*[[{]/.test(raw)) return raw;
  try {
    return JSON.stringify(JSON.parse(raw), null, 2);
  } catch {
    return raw;
  }
}
