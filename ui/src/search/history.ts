/** The searches run in this browser, newest first, without repeats. */
import { readList, writeList } from "../app/theme";

const LIMIT = 100;

export const readHistory = (): string[] => readList("history");

export function remember(search: string): void {
  const text = search.trim();
  if (text === "") return;
  writeList("history", [text, ...readHistory().filter((old) => old !== text)].slice(0, LIMIT));
}
