/** The history that a person sees: what the server remembers of every browser, and what only this one knows yet. */
import type { PastSearch } from "../api/types";

export function merged(server: PastSearch[], browser: string[]): PastSearch[] {
  const known = new Set(server.map((p) => p.search));
  return [...browser.filter((search) => !known.has(search)).map((search) => ({ search, time: 0, runs: 1 })), ...server];
}
