import { describe, expect, it } from "vitest";
import type { Span } from "../src/api/types";
import {
  ancestors,
  axisMarks,
  buildTree,
  criticalSegments,
  layout,
  rowOf,
  selfIntervals,
} from "../src/traces/waterfall";

function span(
  span_id: string,
  parent_span_id: string,
  start_ms: number,
  duration_ms: number,
  more: Partial<Span> = {},
): Span {
  return {
    span_id,
    parent_span_id,
    missing_parent: false,
    service: "web",
    name: span_id,
    kind: "internal",
    start: start_ms / 1000,
    start_ns: String(1_700_000_000_000_000_000n + BigInt(Math.round(start_ms * 1e6))),
    offset_ms: start_ms,
    duration_ms,
    self_ms: 0,
    status: "unset",
    attributes: {},
    events: [],
    links: [],
    error: false,
    root_cause: false,
    critical: [],
    ...more,
  };
}

const none = new Set<string>();
const root = span("root", "", 0, 100);

describe("rows of a waterfall", () => {
  it("puts children below their parent in order of start, deeper by one", () => {
    const tree = buildTree([
      span("late", "root", 50, 10),
      root,
      span("early", "root", 5, 10),
      span("grandchild", "early", 6, 2),
    ]);
    expect(layout(tree, none, none).map((r) => [r.key, r.depth])).toEqual([
      ["root", 0],
      ["early", 1],
      ["grandchild", 2],
      ["late", 1],
    ]);
  });

  it("hides what is under a closed span", () => {
    const tree = buildTree([root, span("a", "root", 5, 10), span("b", "a", 6, 2)]);
    expect(layout(tree, new Set(["a"]), none).map((r) => [r.key, r.closed])).toEqual([
      ["root", false],
      ["a", true],
    ]);
  });

  it("folds four siblings alike, and opens them again", () => {
    const tree = buildTree([
      root,
      ...[0, 1, 2, 3].map((i) => span(`q${i}`, "root", 10 * i, 5, { name: "SELECT" })),
      span("other", "root", 90, 5),
    ]);
    const rows = layout(tree, none, none);
    expect(rows.map((r) => [r.key, r.folded?.length])).toEqual([
      ["root", undefined],
      ["run:q0", 4],
      ["other", undefined],
    ]);
    expect([rows[1]!.start_ms, rows[1]!.end_ms]).toEqual([0, 35]);
    expect(layout(tree, none, new Set(["run:q0"])).map((r) => r.key)).toEqual([
      "root",
      "q0",
      "q1",
      "q2",
      "q3",
      "other",
    ]);
  });

  it("does not fold a failed sibling away", () => {
    const tree = buildTree([
      root,
      ...[0, 1, 2, 3, 4].map((i) => span(`q${i}`, "root", 10 * i, 5, { name: "SELECT", error: i === 2 })),
    ]);
    expect(layout(tree, none, none).every((r) => r.folded === undefined)).toBe(true);
  });

  it("shows a span without its parent as a root, and cuts a ring of parents", () => {
    const tree = buildTree([root, span("orphan", "gone", 3, 1), span("x", "y", 5, 1), span("y", "x", 6, 1)]);
    expect(
      layout(tree, none, none)
        .map((r) => r.key)
        .sort(),
    ).toEqual(["orphan", "root", "x", "y"]);
  });

  it("leads from a hidden span to the row that stands for it", () => {
    const tree = buildTree([root, span("a", "root", 5, 10), span("b", "a", 6, 2)]);
    const find = rowOf(layout(tree, new Set(["a"]), none), tree);
    expect(find("b")).toBe(1);
    expect(ancestors(tree, "b")).toEqual(["a", "root"]);
  });
});

describe("times", () => {
  it("keeps nanoseconds apart that a double cannot", () => {
    const tree = buildTree([
      span("a", "", 0, 1, { start_ns: "1700000000000000001" }),
      span("b", "", 0, 1, { start_ns: "1700000000000000101" }),
    ]);
    expect(tree.start_ms(tree.roots[1]!)).toBeCloseTo(0.0001, 9);
  });

  it("takes children's time out of a span once, also where they overlap", () => {
    const tree = buildTree([root, span("a", "root", 10, 30), span("b", "root", 30, 30), span("c", "root", 90, 50)]);
    expect(selfIntervals(tree, root)).toEqual([
      [0, 10],
      [60, 90],
    ]);
  });

  it("orders the critical path by time", () => {
    const spans = [
      span("a", "", 0, 10, {
        critical: [
          [8, 10],
          [0, 2],
        ],
      }),
      span("b", "a", 2, 6, { critical: [[2, 8]] }),
    ];
    expect(criticalSegments(spans).map((s) => s.span_id)).toEqual(["a", "b", "a"]);
  });

  it("marks round numbers on the axis", () => {
    expect(axisMarks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(axisMarks(0, 0, 5)).toEqual([]);
  });
});
