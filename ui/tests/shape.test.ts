import { describe, expect, it } from "vitest";
import type { Cell, FieldType } from "../src/api/types";
import { chooseChart, lastIsIncomplete, stepOf, toMatrix, topNine, toSeries, type Table } from "../src/charts/shape";

function table(fields: Record<string, FieldType>, rows: Cell[][]): Table {
  return { fields: Object.entries(fields).map(([name, type]) => ({ name, type })), rows };
}

const byTime = table({ _time: "time", web: "number", api: "number" }, [
  [0, 1, 2],
  [60, null, 3],
  [120, 4, 5],
]);
const confusion = table({ actual: "string", "predicted(ana)": "number", "predicted(bo)": "number" }, [
  ["ana", 9, 1],
  ["bo", 2, 8],
]);
const pairs = table({ actual: "string", predicted: "string", n: "number" }, [
  ["ana", "ana", 9],
  ["ana", "bo", 1],
  ["bo", "ana", 2],
  ["bo", "bo", 8],
]);

describe("the chart a shape suggests", () => {
  it.each<[string, Table, string]>([
    ["one number", table({ accuracy: "number" }, [[0.9]]), "single"],
    ["a time column with several numbers", byTime, "line"],
    [
      "counts over time",
      table({ _time: "time", count: "number" }, [
        [0, 1],
        [60, 2],
      ]),
      "area",
    ],
    [
      "time, a name and a number",
      table({ _time: "time", host: "string", cpu: "number" }, [
        [0, "a", 1],
        [0, "b", 2],
      ]),
      "line",
    ],
    [
      "a category and a number",
      table({ feature: "string", importance: "number" }, [
        ["a", 1],
        ["b", 2],
      ]),
      "bar",
    ],
    [
      "numbers written as text",
      table({ feature: "string", importance: "string" }, [
        ["a", "1.5"],
        ["b", "2"],
      ]),
      "bar",
    ],
    ["a matrix whose columns are the labels of its rows", confusion, "heatmap"],
    ["all pairs of two categories", pairs, "heatmap"],
    [
      "two numbers in no order",
      table({ x: "number", y: "number" }, [
        [3, 1],
        [1, 2],
        [2, 2],
      ]),
      "scatter",
    ],
    ["texts only", table({ host: "string", message: "string" }, [["a", "b"]]), "table"],
    ["nothing", table({ count: "number" }, []), "table"],
  ])("%s", (_, given, expected) => {
    expect(chooseChart(given)).toBe(expected);
  });
});

describe("series", () => {
  it("keeps gaps as gaps", () => {
    const series = toSeries(byTime);
    expect(series.time).toBe(true);
    expect(series.x).toEqual([0, 60, 120]);
    expect(series.series).toEqual([
      { name: "web", values: [1, null, 4] },
      { name: "api", values: [2, 3, 5] },
    ]);
  });

  it("pivots long tables, with nulls where a series has no row", () => {
    const long = table({ _time: "time", host: "string", cpu: "number" }, [
      [60, "a", 1],
      [0, "b", 2],
    ]);
    expect(toSeries(long).x).toEqual([0, 60]);
    expect(toSeries(long).series).toEqual([
      { name: "a", values: [null, 1] },
      { name: "b", values: [2, null] },
    ]);
  });

  it("sums all but the nine largest as other", () => {
    const fields: Record<string, FieldType> = { _time: "time" };
    for (let i = 0; i < 12; i++) fields[`s${i}`] = "number";
    const top = topNine(
      toSeries(
        table(fields, [
          [0, ...Array.from({ length: 12 }, (_, i) => i)],
          [60, ...Array<null>(12).fill(null)],
        ]),
      ),
    );
    expect(top.series).toHaveLength(10);
    expect(top.series.at(-1)).toEqual({ name: "other", values: [0 + 1 + 2, null] });
  });

  it("knows a bucket that is still filling", () => {
    expect(stepOf([0, 60, 120, 240])).toBe(60);
    expect(lastIsIncomplete([0, 60, 120], 150)).toBe(true);
    expect(lastIsIncomplete([0, 60, 120], 180)).toBe(false);
  });
});

describe("matrices", () => {
  it("reads wide tables", () => {
    expect(toMatrix(confusion)).toMatchObject({
      rows: ["ana", "bo"],
      columns: ["predicted(ana)", "predicted(bo)"],
      values: [
        [9, 1],
        [2, 8],
      ],
    });
  });

  it("reads pairs, naturally sorted, with null for a pair that is not there", () => {
    const matrix = toMatrix(
      table({ a: "string", b: "string", n: "number" }, [
        ["10", "x", 1],
        ["9", "y", 2],
      ]),
    );
    expect(matrix).toMatchObject({
      rows: ["9", "10"],
      columns: ["x", "y"],
      values: [
        [null, 2],
        [1, null],
      ],
    });
  });
});
