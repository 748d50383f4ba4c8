import { describe, expect, it } from "vitest";
import { settle } from "../src/dashboards/grid";
import { overRepresented, parseRegion, regionText } from "../src/traces/region";
import { stretches } from "../src/alerts/state";
import { judge, overall, scoringOf, trainingOf } from "../src/models/scores";
import type { SavedSearch } from "../src/api/types";

const box = (id: string, x: number, y: number, w = 12, h = 4) => ({ id, x, y, w, h });

describe("the panel grid", () => {
  it("pushes what a moved panel covers down, and closes gaps", () => {
    const placed = settle([box("a", 0, 0), box("b", 12, 0), box("c", 0, 20)], box("b", 0, 0));
    expect(Object.fromEntries(placed.map((b) => [b.id, [b.x, b.y]]))).toEqual({ a: [0, 4], b: [0, 0], c: [0, 8] });
  });

  it("keeps panels inside the grid", () => {
    expect(settle([box("a", 20, 0, 40, 1)])[0]).toMatchObject({ x: 0, w: 24, h: 3 });
  });
});

describe("a region of traces", () => {
  it("travels in the address", () => {
    const region = { start: 1000.5, end: 2000, min_ms: 0.25, max_ms: 1500 };
    expect(parseRegion(regionText(region))).toEqual(region);
    expect(parseRegion("1_2_3")).toBeNull();
  });

  it("ranks values by how much more common they are inside", () => {
    const inside = [
      { warehouse: ["north"], service: ["web"] },
      { warehouse: ["north"], service: ["web"] },
    ];
    const outside = [
      { warehouse: ["south"], service: ["web"] },
      { warehouse: ["north"], service: ["web"] },
    ];
    expect(overRepresented(inside, outside)).toEqual([{ field: "warehouse", value: "north", inside: 1, outside: 0.5 }]);
  });
});

describe("an alert's history", () => {
  it("is firing from the first notice until it is cleared, or until now", () => {
    const event = (time: number, name: string) => ({ time, event: name, detail: "" });
    expect(stretches([event(40, "fired"), event(30, "cleared"), event(20, "fired"), event(10, "fired")], 50)).toEqual([
      { start: 10, end: 30, kind: "firing" },
      { start: 40, end: 50, kind: "firing" },
    ]);
  });
});

describe("scores of a model", () => {
  const saved = (name: string, search: string) => ({ name, search }) as SavedSearch;
  const point = (time: number, value: number, label = "") => ({ time, metric: "recall", label, value });

  it("come from the search that applies the model and collects", () => {
    const searches = [
      saved("other", "index=a | apply usermodel2 | mcollect index=x"),
      saved("score", "index=a | apply usermodel as p | score accuracy_score a against p | mcollect index=scores"),
    ];
    expect(scoringOf("usermodel", searches)?.index).toBe("scores");
    expect(scoringOf("missing", searches)).toBeNull();
    expect(
      trainingOf("m", [saved("train", "index=a | fit PCA x into m"), saved("no", "index=a | fit PCA x into m2")]).map(
        (s) => s.name,
      ),
    ).toEqual(["train"]);
  });

  it("say that a model is worse only when it is", () => {
    const steady = [0.95, 0.96, 0.94, 0.95].map((v, i) => point(i, v));
    expect(judge(overall(steady, "recall")).state).toBe("good");
    expect(judge(overall([...steady, point(9, 0.7, "bo")], "recall"))).toMatchObject({
      state: "worse",
      reason: expect.stringContaining("worst for bo"),
    });
    expect(judge([]).state).toBe("unknown");
  });
});
