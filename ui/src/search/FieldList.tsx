/** The fields of the events: type, coverage, and on a click the top values with what can be done with them. */
import { useMemo, useState } from "react";
import type { Cell, FieldSummary } from "../api/types";
import { formatNumber, formatShare } from "../design/format";
import { Icon } from "../design/Icon";
import { Failure, Skeleton } from "../design/States";

export interface FieldActions {
  add: (field: string, value: Cell) => void;
  exclude: (field: string, value: Cell) => void;
  group: (field: string) => void;
  stackBy: (field: string) => void;
}

interface Props {
  fields: FieldSummary[] | undefined;
  error: unknown;
  open: string | undefined;
  setOpen: (field: string | undefined) => void;
  actions: FieldActions;
}

const TYPE_MARKS: Record<string, string> = { number: "#", string: "a", time: "◷", multi: "⋮", bool: "±" };
const BOOKKEEPING = new Set(["_raw", "_time", "_indextime"]);
const FIRST = ["index", "host", "source", "sourcetype", "severity", "service", "service.name"];

export function FieldList({ fields, error, open, setOpen, actions }: Props) {
  const [filter, setFilter] = useState("");
  const shown = useMemo(() => {
    const wanted = filter.trim().toLowerCase();
    const all = (fields ?? []).filter((f) => !BOOKKEEPING.has(f.name) && f.name.toLowerCase().includes(wanted));
    const place = (f: FieldSummary): number => {
      const at = FIRST.indexOf(f.name);
      return at < 0 ? FIRST.length : at;
    };
    return all.sort((a, b) => place(a) - place(b) || b.coverage - a.coverage || a.name.localeCompare(b.name));
  }, [fields, filter]);
  return (
    <section className="fields" aria-label="Fields">
      <input
        className="fields-filter"
        value={filter}
        onChange={(e) => setFilter(e.target.value)}
        placeholder={fields ? `Filter ${fields.length} fields` : "Filter fields"}
        aria-label="Filter fields"
        spellCheck={false}
      />
      {error ? (
        <Failure error={error} compact />
      ) : !fields ? (
        <Skeleton rows={10} />
      ) : shown.length === 0 ? (
        <p className="dim small fields-none">
          {fields.length === 0 ? "No fields: no events" : "No field has this name"}
        </p>
      ) : (
        <ul>
          {shown.map((field) => (
            <li key={field.name}>
              <button
                type="button"
                className="field-row"
                aria-expanded={open === field.name}
                onClick={() => setOpen(open === field.name ? undefined : field.name)}
                title={`${field.name}: ${field.type}, in ${formatShare(field.coverage)} of the events`}
              >
                <span className="field-type" aria-label={field.type}>
                  {TYPE_MARKS[field.type] ?? "a"}
                </span>
                <span className="field-name">{field.name}</span>
                <span className="field-coverage" aria-label={`coverage ${formatShare(field.coverage)}`}>
                  <i style={{ width: `${Math.max(4, Math.min(1, field.coverage) * 100)}%` }} />
                </span>
                <span className="field-distinct">{formatNumber(field.distinct)}</span>
              </button>
              {open === field.name && <FieldValues field={field} actions={actions} />}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function FieldValues({ field, actions }: { field: FieldSummary; actions: FieldActions }) {
  const most = Math.max(...field.top.map((t) => t.count), 1);
  return (
    <div className="field-values">
      <p className="dim small">
        {formatShare(field.coverage)} of events · {formatNumber(field.distinct)} values
      </p>
      <ul>
        {field.top.map((top, i) => (
          <li key={i} className="field-value">
            <i className="field-value-bar" style={{ width: `${(top.count / most) * 100}%` }} aria-hidden="true" />
            <span className="field-value-text" title={String(top.value)}>
              {top.value === null ? "not set" : String(top.value)}
            </span>
            <span className="field-value-count">{formatNumber(top.count)}</span>
            <span className="field-value-actions">
              <button
                type="button"
                className="icon-button tiny"
                aria-label={`Add ${field.name}=${String(top.value)} to the search`}
                title="Add to search"
                onClick={() => actions.add(field.name, top.value)}
              >
                <Icon name="plus" size={12} />
              </button>
              <button
                type="button"
                className="icon-button tiny"
                aria-label={`Exclude ${field.name}=${String(top.value)}`}
                title="Exclude"
                onClick={() => actions.exclude(field.name, top.value)}
              >
                <Icon name="minus" size={12} />
              </button>
            </span>
          </li>
        ))}
      </ul>
      <div className="row wrap field-more">
        <button type="button" className="text-button small" onClick={() => actions.group(field.name)}>
          Group by
        </button>
        <button type="button" className="text-button small" onClick={() => actions.stackBy(field.name)}>
          Stack timeline
        </button>
        <button type="button" className="text-button small" onClick={() => actions.add(field.name, "*")}>
          Must exist
        </button>
      </div>
    </div>
  );
}
