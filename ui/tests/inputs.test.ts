import { describe, expect, it } from "vitest";
import type { DashboardInput, Results } from "../src/api/types";
import { choicesOf, chosen, holding, newInput, paramsOf, shown, valuesOf } from "../src/dashboards/inputs";

const input = (changes: Partial<DashboardInput>): DashboardInput => ({ ...newInput(), token: "host", ...changes });
const results = (names: string[], rows: string[][]): Results => ({
  fields: names.map((name) => ({ name, type: "string" })),
  rows,
  total: rows.length,
  partial: false,
});

describe("values of inputs", () => {
  it("are those parameters of the address that begin with form.", () => {
    expect(valuesOf({ "form.host": ["a", "b"], "form.t.earliest": "-1h", edit: "1", "form.": "x" })).toEqual({
      host: ["a", "b"],
      "t.earliest": "-1h",
    });
    expect(paramsOf({ host: ["a", "b"], city: ["Asti"], text: [""], none: [] })).toEqual({
      "form.host": ["a", "b"],
      "form.city": "Asti",
      "form.text": undefined,
      "form.none": undefined,
    });
  });

  it("are what was chosen, and else what the server says", () => {
    expect(chosen(input({}), { host: "a" }, ["d"])).toEqual(["a"]);
    expect(chosen(input({}), {}, ["d"])).toEqual(["d"]);
    expect(chosen(input({}), {}, undefined)).toEqual([]);
    const time = input({ kind: "time", token: "t" });
    expect(chosen(time, { "t.earliest": "-1h" }, [])).toEqual(["-1h", "now"]);
    expect(chosen(time, {}, ["-7d", "now"])).toEqual(["-7d", "now"]);
    expect(holding(time, ["-1h", "now"])).toEqual({ "t.earliest": "-1h", "t.latest": "now" });
  });
});

describe("choices", () => {
  it("are the input's own, then those that its search found, each once", () => {
    const own = input({ choices: [{ value: "*", label: "all" }], search: "x" });
    const found = results(
      ["host", "name"],
      [
        ["web-1", "Web"],
        ["*", "star"],
        ["web-2", ""],
      ],
    );
    expect(choicesOf(own, found).choices.map((c) => c.label)).toEqual(["all", "web-1", "web-2"]);
    const named = { ...own, value_field: "host", label_field: "name" };
    expect(choicesOf(named, found).choices.map((c) => c.label)).toEqual(["all", "Web", "web-2"]);
    expect(choicesOf(own, undefined).choices).toHaveLength(1);
  });

  it("tell of a field that is not there", () => {
    const wrong = input({ search: "x", value_field: "hosts" });
    expect(choicesOf(wrong, results(["host"], [["a"]])).problem).toBe('the rows have no field "hosts"');
    expect(choicesOf(wrong, results([], [])).problem).toBe("");
  });
});

describe("a panel", () => {
  const panel = { id: "p", title: "$host$", search: "x $host$", chart: "table" as const, x: 0, y: 0, w: 12, h: 8 };
  const filled = { title: "a", search: "x a", earliest: "", latest: "-1h", waits_for: [] as string[], problem: "" };

  it("is held back until its values are known", () => {
    expect(shown(panel, undefined)).toEqual({ panel, held: true });
    expect(shown(panel, { ...filled, waits_for: ["Host", "City"] }).note).toBe("Waits for a value of Host, City");
    expect(shown(panel, { ...filled, problem: "no" })).toMatchObject({ held: true, problem: "no" });
  });

  it("has its values in title, search and range", () => {
    const { panel: now, held } = shown(panel, filled);
    expect(held).toBe(false);
    expect(now).toMatchObject({ title: "a", search: "x a", earliest: undefined, latest: "-1h" });
  });
});
