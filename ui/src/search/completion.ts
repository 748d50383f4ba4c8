/** What may stand at the cursor: commands, functions, options, fields, values, indexes, models, algorithms. */
import type { Completion as Option, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import type { Completion, FieldSummary, Registry } from "../api/types";
import { quoteField, quoteValue } from "./spl";

export interface Known {
  registry: Registry | undefined;
  names: Completion | undefined;
  /** Fields of the last results, with their values. */
  fields: FieldSummary[];
}

const AGGREGATING = new Set(["stats", "eventstats", "streamstats", "timechart", "chart", "mstats", "tstats"]);
const EVALUATING = new Set(["eval", "where", "fieldformat"]);

/** The command the cursor is in: name, text after it, and whether the name itself is being typed. */
export function stageAt(text: string): { command: string; rest: string; naming: boolean } {
  const starts = [0];
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quoted && c === "\\") i++;
    else if (c === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (c === "[") starts.push(i + 1);
    else if (c === "]" && starts.length > 1) starts.pop();
    else if (c === "|") starts[starts.length - 1] = i + 1;
  }
  const start = starts[starts.length - 1]!;
  const stage = text.slice(start).replace(/^\s+/, "");
  const match = /^(\w+)(\s+|$)/.exec(stage);
  if (start === 0) return { command: "search", rest: stage, naming: false };
  if (stage === "" || (match?.[0] === stage && match[2] === "")) return { command: "", rest: stage, naming: true };
  return { command: (match?.[1] ?? "").toLowerCase(), rest: stage.slice(match?.[0].length ?? 0), naming: false };
}

export function completionSource(read: () => Known) {
  return (context: CompletionContext): CompletionResult | null => {
    const { registry, names, fields } = read();
    const before = context.state.sliceDoc(0, context.pos);
    const word = context.matchBefore(/[\w.@{}-]*/);
    const from = word?.from ?? context.pos;
    if (!context.explicit && from === context.pos && !/[|=[]\s*$|^\s*$/.test(before)) return null;
    const stage = stageAt(before);

    if (stage.naming) return result(from, commandOptions(registry));
    const valueOf = /([\w.{}-]+)\s*(?:=|!=)\s*"?([\w.:/-]*)$/.exec(before);
    if (valueOf) {
      const typed = valueOf[2]!;
      const options = valueOptions(valueOf[1]!, names, fields);
      return options.length === 0 ? null : { from: context.pos - typed.length, options, validFor: /^[\w.:/-]*$/ };
    }
    const named = namedOptions(stage, registry, names);
    if (named.length > 0) return result(from, named);
    return result(from, [
      ...optionOptions(stage.command, registry),
      ...functionOptions(stage.command, registry),
      ...fieldOptions(names, fields),
      ...wordOptions(stage.command),
    ]);
  };
}

const result = (from: number, options: Option[]): CompletionResult => ({ from, options, validFor: /^[\w.@{}-]*$/ });

function commandOptions(registry: Registry | undefined): Option[] {
  return (registry?.commands ?? []).map((command) => ({
    label: command.name,
    type: "keyword",
    apply: `${command.name} `,
    info: () => card(command.summary, command.syntax, command.example),
  }));
}

function functionOptions(command: string, registry: Registry | undefined): Option[] {
  const wanted = AGGREGATING.has(command) ? "aggregate" : EVALUATING.has(command) ? "eval" : null;
  if (wanted === null) return [];
  const functions = (registry?.functions ?? []).filter((f) => f.kind === wanted || AGGREGATING.has(command));
  const seen = new Set<string>();
  return functions.flatMap((f) => {
    if (seen.has(f.name)) return [];
    seen.add(f.name);
    return [
      {
        label: f.name,
        type: "function",
        boost: f.kind === wanted ? 1 : -20,
        apply: f.name === "count" ? "count" : `${f.name}(`,
        detail: f.kind === "aggregate" ? "aggregate" : undefined,
        info: () => card(f.summary ?? "", f.syntax),
      },
    ];
  });
}

function optionOptions(command: string, registry: Registry | undefined): Option[] {
  const found = registry?.commands.find((c) => c.name.toLowerCase() === command);
  return (found?.options ?? []).map((o) => ({ label: `${o.name}=`, type: "property", detail: o.type, boost: -1 }));
}

function fieldOptions(names: Completion | undefined, fields: FieldSummary[]): Option[] {
  const coverage = new Map(fields.map((f) => [f.name, f.coverage]));
  const all = new Map<string, string>();
  for (const f of fields) all.set(f.name, f.type);
  for (const f of names?.fields ?? []) if (!all.has(f.name)) all.set(f.name, f.types.join(", "));
  return [...all].map(([name, type]) => ({
    label: name,
    type: "variable",
    detail: type,
    apply: quoteField(name),
    boost: (coverage.get(name) ?? 0) * 5,
  }));
}

function wordOptions(command: string): Option[] {
  const words =
    AGGREGATING.has(command) || command === "top" || command === "rare"
      ? ["by", "as"]
      : command === "search"
        ? ["AND", "OR", "NOT", "IN"]
        : ["by", "as", "from", "into", "against"];
  return words.map((label) => ({ label, type: "keyword", boost: -10, apply: `${label} ` }));
}

/** Names that a command takes as its first word. */
function namedOptions(
  stage: { command: string; rest: string },
  registry: Registry | undefined,
  names: Completion | undefined,
): Option[] {
  if (/\S\s/.test(stage.rest)) return [];
  const simple = (list: string[] | undefined, type: string): Option[] =>
    (list ?? []).map((label) => ({ label, type, apply: `${label} ` }));
  switch (stage.command) {
    case "fit":
      return (registry?.algorithms ?? []).map((a) => ({
        label: a.name,
        type: "class",
        apply: `${a.name} `,
        info: () => card(a.summary ?? ""),
      }));
    case "score":
      return (registry?.scorers ?? []).map((a) => ({
        label: a.name,
        type: "class",
        apply: `${a.name} `,
        info: () => card(a.summary ?? ""),
      }));
    case "apply":
    case "summary":
    case "deletemodel":
      return simple(names?.models, "class");
    case "lookup":
    case "inputlookup":
    case "outputlookup":
      return simple(names?.lookups, "class");
    default:
      return [];
  }
}

function valueOptions(field: string, names: Completion | undefined, fields: FieldSummary[]): Option[] {
  const lower = field.toLowerCase();
  if (lower === "index") return (names?.indexes ?? []).map((label) => ({ label, type: "class" }));
  if (lower === "metric_name")
    return (names?.metrics ?? []).map((label) => ({ label, type: "class", apply: quoteValue(label) }));
  if (lower === "earliest" || lower === "latest")
    return ["-5m", "-15m", "-1h", "-4h@h", "-24h", "-7d@d", "@d", "now"].map((label) => ({ label, type: "constant" }));
  const found = fields.find((f) => f.name === field);
  return (found?.top ?? [])
    .filter((t) => t.value !== null)
    .map((t, i) => ({
      label: String(t.value),
      type: "constant",
      detail: t.count.toLocaleString("en-US"),
      apply: quoteValue(t.value),
      boost: -i,
    }));
}

function card(summary: string, syntax?: string, example?: string): HTMLElement {
  const box = document.createElement("div");
  box.className = "complete-card";
  for (const [tag, text] of [
    ["p", summary],
    ["code", syntax],
    ["code", example],
  ] as const) {
    if (!text) continue;
    const part = document.createElement(tag);
    part.textContent = text;
    box.append(part);
  }
  return box;
}
