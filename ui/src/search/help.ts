/** Inline help: what a command, function or option of the registry is, as a small card. */
import type { Registry } from "../api/types";

export interface Help {
  name: string;
  summary: string;
  syntax?: string;
  example?: string;
  notes?: string;
}

/** Help for a name; `kind` narrows it where one name is a command and a function. */
export function helpFor(name: string, kind: string, registry: Registry): Help | undefined {
  const lower = name.toLowerCase();
  if (kind === "command" || kind === "")
    for (const c of registry.commands)
      if (c.name.toLowerCase() === lower || c.aliases?.some((a) => a.toLowerCase() === lower))
        return { ...c, name: c.name };
  if (kind === "function" || kind === "aggregate" || kind === "") {
    const wanted = kind === "function" ? "eval" : kind;
    const stem = lower.replace(/\d+(\.\d+)?$/, "");
    const found =
      registry.functions.find((f) => f.name === lower && (wanted === "" || f.kind === wanted)) ??
      registry.functions.find((f) => f.name === stem && f.kind === "aggregate");
    if (found) return { ...found, summary: found.summary ?? "" };
  }
  if (kind === "name" || kind === "") {
    const found = [...registry.algorithms, ...registry.scorers].find((a) => a.name === name);
    if (found) return { name: found.name, summary: found.summary ?? "" };
  }
  return undefined;
}

/** Where a name stands in a search text: after a pipe or bracket it is a command, before a parenthesis a function. */
export function kindAt(text: string, from: number, to: number): string {
  const before = text.slice(0, from).trimEnd();
  if (before === "" || before.endsWith("|") || before.endsWith("[")) return "command";
  return text[to] === "(" ? "" : "name";
}

/** The innermost call that is open at the end of a text: `round(x, ` is `round`, second argument. */
export function openCall(text: string): { name: string; argument: number } | null {
  const open: { name: string; argument: number }[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === "\\") i++;
      if (i >= text.length) return null;
    } else if (c === "(") {
      open.push({ name: /[A-Za-z_]\w*$/.exec(text.slice(0, i))?.[0] ?? "", argument: 0 });
    } else if (c === ")") {
      open.pop();
    } else if (c === "|") {
      open.length = 0;
    } else if (c === "," && open.length > 0) {
      open[open.length - 1]!.argument++;
    }
  }
  return open.findLast((call) => call.name !== "") ?? null;
}

export function helpCard(help: Help, whole = false): HTMLElement {
  const box = document.createElement("div");
  box.className = "complete-card";
  for (const [tag, text] of [
    ["p", help.summary],
    ["code", help.syntax],
    ["code", help.example],
    // The notes are wrapped for the source's width; only an empty line, or an indented one, begins anew.
    ["p", whole ? help.notes?.replace(/(\S)\n(?=\S)/g, "$1 ") : undefined],
  ] as const) {
    if (!text) continue;
    const part = document.createElement(tag);
    part.textContent = text;
    box.append(part);
  }
  return box;
}
