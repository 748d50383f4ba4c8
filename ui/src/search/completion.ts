/** Completion: the server says what may stand at the cursor; values of the results on the screen come first. */
import type { Completion as Option, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { request } from "../api/client";
import type { FieldSummary, Registry, Suggestion, Suggestions } from "../api/types";
import { helpCard, helpFor } from "./help";
import { quoteValue } from "./spl";

export interface Known {
  registry: Registry | undefined;
  /** Fields of the last results, with their values. */
  fields: FieldSummary[];
}

const KINDS: Record<string, string> = {
  command: "keyword",
  function: "function",
  aggregate: "function",
  option: "property",
  field: "variable",
  value: "constant",
  name: "class",
  word: "keyword",
};

/** Where a person who has typed no letter wants to be shown what there is. */
const OPEN = /[|=[(,`]\s*$|^\s*$|\b(?:by|over|as)\s+$|[|[]\s*\w+\s+$/i;

export function completionSource(read: () => Known) {
  return async (context: CompletionContext): Promise<CompletionResult | null> => {
    const text = context.state.doc.toString();
    const before = text.slice(0, context.pos);
    const word = context.matchBefore(/[\w.@{}-]+/);
    if (!context.explicit && word === null && !OPEN.test(before)) return null;
    const answer = await request<Suggestions>("/search/suggest", {
      method: "POST",
      body: { search: text, cursor: context.pos },
    }).catch(() => null);
    if (answer === null || context.aborted) return null;
    const { registry, fields } = read();
    const options = [
      ...shownValues(before, fields),
      ...answer.options.map((option, i) => asOption(option, registry, -i)),
    ];
    const seen = new Set<string>();
    const unique = options.filter((o) => !seen.has(o.label) && seen.add(o.label));
    return unique.length === 0 ? null : { from: answer.start, options: unique, validFor: /^[\w.@{}:/+-]*$/ };
  };
}

function asOption(suggestion: Suggestion, registry: Registry | undefined, rank: number): Option {
  const help = registry && helpFor(suggestion.label.replace(/=$/, ""), suggestion.kind, registry);
  return {
    label: suggestion.label,
    type: KINDS[suggestion.kind],
    apply: suggestion.insert,
    detail: suggestion.kind === "command" ? undefined : suggestion.detail || undefined,
    // The server's order is the order, as far as the editor's own ranking of matches leaves room.
    boost: Math.max(-90, rank / 3),
    info: help ? () => helpCard(help) : undefined,
  };
}

/** Values that the field before an equals sign has in the results on the screen. */
function shownValues(before: string, fields: FieldSummary[]): Option[] {
  const match = /([\w.{}-]+)\s*!?=\s*("?)[\w.:/-]*$/.exec(before);
  const found = match && fields.find((f) => f.name === match[1]);
  return (found?.top ?? [])
    .filter((t) => t.value !== null)
    .map((t, i) => ({
      label: String(t.value),
      type: "constant",
      detail: t.count.toLocaleString("en-US"),
      apply: match![2] ? String(t.value) : quoteValue(t.value),
      boost: 10 - i / 10,
    }));
}
