/**
 * The names the page knows of the language; filled when the registry arrives. Apart from the editor, so that pages
 * without one stay small.
 */
import type { Registry } from "../api/types";

export const known = {
  commands: new Set<string>(),
  functions: new Set<string>(),
  /** Commands after which rows are no longer events; the most frequent ones until the registry has arrived. */
  transforming: new Set(["stats", "timechart", "chart", "top", "rare", "table"]),
  /** Commands that make rows of their own. */
  generating: new Set(["mstats", "makeresults", "inputlookup", "mcatalog", "tstats", "from"]),
};

export function learn(registry: Registry): void {
  const named = (kinds: string[]): Set<string> =>
    new Set(
      registry.commands
        .filter((c) => c.name !== "search" && kinds.includes(c.kind ?? ""))
        .flatMap((c) => [c.name, ...(c.aliases ?? [])].map((name) => name.toLowerCase())),
    );
  known.commands = new Set(
    registry.commands.flatMap((c) => [c.name, ...(c.aliases ?? [])].map((n) => n.toLowerCase())),
  );
  known.functions = new Set(registry.functions.map((f) => f.name.toLowerCase()));
  known.generating = named(["generating"]);
  known.transforming = new Set([...named(["transforming", "generating"]), "multireport"]);
}
