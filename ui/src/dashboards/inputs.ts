/** The inputs of a dashboard: their values in the address, their choices, and what panels have to wait for. Pure. */
import type { Choice, DashboardInput, Filled, Panel, Results } from "../api/types";

/** Values by token; a time range has the tokens `<token>.earliest` and `<token>.latest`. */
export type Values = Record<string, string | string[]>;

const PREFIX = "form.";

export const isInputParameter = (name: string): boolean => name.startsWith(PREFIX) && name.length > PREFIX.length;

/** Whether several values may be chosen at once. */
export const holdsSeveral = (input: DashboardInput): boolean =>
  input.kind === "multiselect" || input.kind === "checkbox";

/** The values that an address holds: `form.host=a&form.host=b`. */
export function valuesOf(params: Record<string, unknown>): Values {
  return Object.fromEntries(
    Object.entries(params)
      .filter(([name]) => isInputParameter(name))
      .map(([name, value]) => [name.slice(PREFIX.length), Array.isArray(value) ? value.map(String) : String(value)]),
  );
}

/** Parameters of the address for these values; undefined takes one away. */
export function paramsOf(values: Values): Record<string, string | string[] | undefined> {
  return Object.fromEntries(
    Object.entries(values).map(([token, value]) => {
      const given = [value].flat().filter((one) => one !== "");
      return [PREFIX + token, given.length === 0 ? undefined : given.length === 1 ? given[0] : given];
    }),
  );
}

/** What an input holds as a list: a range is its two ends. `known` is what the server says of defaults. */
export function chosen(input: DashboardInput, values: Values, known: string[] | undefined): string[] {
  if (input.kind === "time") {
    const ends = ["earliest", "latest"].map((end) => values[`${input.token}.${end}`]);
    return ends[0] === undefined ? (known ?? []) : [String(ends[0]), String(ends[1] ?? "now")];
  }
  const given = values[input.token];
  return given === undefined ? (known ?? []) : [given].flat();
}

/** Values that say an input holds this; the reverse of `chosen`. */
export const holding = (input: DashboardInput, held: string[]): Values =>
  input.kind === "time"
    ? { [`${input.token}.earliest`]: held[0] ?? "", [`${input.token}.latest`]: held[1] ?? "" }
    : { [input.token]: held };

/** The choices of an input: its own, then those that a search found; each value once. */
export function choicesOf(input: DashboardInput, found: Results | undefined): { choices: Choice[]; problem: string } {
  const choices = new Map(input.choices.map((choice) => [choice.value, choice]));
  const names = found?.fields.map((field) => field.name) ?? [];
  const value = input.value_field || input.label_field || (names[0] ?? "");
  const label = input.label_field || value;
  const missing = found && found.rows.length > 0 ? [value, label].find((name) => !names.includes(name)) : undefined;
  if (missing !== undefined) return { choices: [...choices.values()], problem: `the rows have no field "${missing}"` };
  for (const row of found?.rows ?? []) {
    const text = cellText(row[names.indexOf(value)]);
    if (text !== "" && !choices.has(text))
      choices.set(text, { value: text, label: cellText(row[names.indexOf(label)]) || text });
  }
  return { choices: [...choices.values()], problem: "" };
}

const cellText = (cell: unknown): string => (cell === null || cell === undefined ? "" : String(cell));

/** A panel as it is drawn: with values in it, or held back, with a sentence that says why once that is known. */
export interface Shown {
  panel: Panel;
  held: boolean;
  note?: string;
  problem?: string;
}

export function shown(panel: Panel, filled: (Filled & { title: string }) | undefined): Shown {
  if (!filled) return { panel, held: true };
  const { title, search, earliest, latest } = filled;
  return {
    panel: { ...panel, title, search, earliest: earliest || undefined, latest: latest || undefined },
    held: filled.waits_for.length > 0 || filled.problem !== "",
    note: filled.waits_for.length > 0 ? `Waits for a value of ${filled.waits_for.join(", ")}` : undefined,
    problem: filled.problem || undefined,
  };
}

export const newInput = (): DashboardInput => ({
  token: "",
  kind: "dropdown",
  label: "",
  choices: [],
  search: "",
  earliest: "",
  latest: "",
  label_field: "",
  value_field: "",
  default: null,
  select_first: false,
  prefix: "",
  suffix: "",
  value_prefix: "",
  value_suffix: "",
  delimiter: " ",
});
