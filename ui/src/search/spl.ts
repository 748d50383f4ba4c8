/**
 * Edits of SPL text that the page's buttons make: add a term, exclude one, group by a field. Texts are cut at pipes
 * outside quotes, brackets and comments; everything else is left as the writer wrote it.
 */
import type { Cell } from "../api/types";
import { known } from "./names";

/** The stages of a search, without their pipes; a leading pipe gives an empty first stage. */
export function splitStages(text: string): string[] {
  const stages: string[] = [];
  let start = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (text.startsWith("```", i)) {
      const end = text.indexOf("```", i + 3);
      i = end < 0 ? text.length : end + 2;
    } else if (c === '"' || c === "`") {
      i = closing(text, i, c);
    } else if (c === "[" || c === "(") {
      depth++;
    } else if (c === "]" || c === ")") {
      depth--;
    } else if (c === "|" && depth <= 0) {
      stages.push(text.slice(start, i));
      start = i + 1;
    }
  }
  stages.push(text.slice(start));
  return stages;
}

function closing(text: string, open: number, quote: string): number {
  for (let i = open + 1; i < text.length; i++) {
    if (text[i] === "\\" && quote === '"') i++;
    else if (text[i] === quote) return i;
  }
  return text.length;
}

/** A value as SPL writes it: bare when that is safe, quoted otherwise. */
export function quoteValue(value: Cell): string {
  const text = typeof value === "string" ? value : String(value);
  return /^[\w.:/-]+$/.test(text) && !/^(and|or|not)$/i.test(text)
    ? text
    : `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
}

/** A field name as SPL writes it in a comparison. */
export const quoteField = (name: string): string =>
  /^[A-Za-z_][\w.]*$/.test(name) ? name : `"${name.replace(/"/g, '\\"')}"`;

/** A field name where an expression is expected. */
export const quoteInExpression = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`);

const term = (field: string, value: Cell): string =>
  value === null ? `NOT ${quoteField(field)}=*` : `${quoteField(field)}=${quoteValue(value)}`;

/** The command that a stage names, in lower case. */
const commandOf = (stage: string): string => /^\s*([A-Za-z_]\w*)/.exec(stage)?.[1]?.toLowerCase() ?? "";

const isTransforming = (stage: string): boolean => known.transforming.has(commandOf(stage));

const isImplicit = (stages: string[]): boolean =>
  stages[0]!.trim() !== "" && !(known.generating.has(commandOf(stages[0]!)) && !/^\s*\w+\s*[=<>!]/.test(stages[0]!));

/** Adds a condition where events are still events: in the first stage when it is a search, as a stage otherwise. */
export function addCondition(search: string, condition: string): string {
  const stages = splitStages(search.trim());
  if (isImplicit(stages)) {
    const first = stages[0]!.trimEnd();
    const rest = stages
      .slice(1)
      .map((s) => `|${s}`)
      .join("");
    const glue = rest === "" ? "" : /\n\s*$/.test(stages[0]!) ? "\n" : " ";
    return `${first} ${condition}${glue}${rest}`;
  }
  if (search.trim() === "") return condition;
  return `${search.trimEnd()}\n| search ${condition}`;
}

export const addTerm = (search: string, field: string, value: Cell): string => addCondition(search, term(field, value));

export const excludeTerm = (search: string, field: string, value: Cell): string =>
  addCondition(search, value === null ? `${quoteField(field)}=*` : `NOT ${term(field, value)}`);

/** The part of a search that still gives events: what stands before the first transforming command. */
export function eventsPart(search: string): string {
  const stages = splitStages(search.trim());
  const cut = stages.findIndex((stage, i) => (i > 0 || stage.trim() !== "") && isTransforming(stage));
  return (cut < 0 ? stages : stages.slice(0, cut)).join("|").trim();
}

/** Whether a search ends in events, as far as its text tells. */
export function givesEvents(search: string): boolean {
  const stages = splitStages(search.trim());
  return isImplicit(stages) && !stages.some((stage) => isTransforming(stage));
}

/** Counts of a field's values over the events of a search. */
export function groupBy(search: string, field: string): string {
  const base = eventsPart(search);
  return `${base === "" ? "*" : base}\n| stats count by ${quoteField(field)}\n| sort - count`;
}

export interface EventLike {
  time: number | null;
  values: Record<string, Cell>;
}

/** A search for one event, by what identifies it. */
export function eventAsSpl(event: EventLike): string {
  const parts: string[] = [];
  for (const name of ["index", "sourcetype", "host", "source", "trace_id", "span_id"]) {
    const value = event.values[name];
    if (value !== null && value !== undefined && value !== "") parts.push(term(name, value));
  }
  if (event.time !== null) parts.push(`earliest=${Math.floor(event.time)} latest=${Math.floor(event.time) + 1}`);
  return parts.join(" ");
}

/** Everything around one event: same index, host and source, `seconds` to each side. */
export function surrounding(
  event: EventLike,
  seconds: number,
): { search: string; earliest: string; latest: string } | null {
  if (event.time === null) return null;
  const parts = ["index", "host", "source"].flatMap((name) => {
    const value = event.values[name];
    return value === null || value === undefined || value === "" ? [] : [term(name, value)];
  });
  return {
    search: parts.join(" ") || "*",
    earliest: (event.time - seconds).toFixed(3),
    latest: (event.time + seconds).toFixed(3),
  };
}
