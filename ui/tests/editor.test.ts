import { describe, expect, it } from "vitest";
import type { Registry } from "../src/api/types";
import { helpFor, kindAt, openCall } from "../src/search/help";
import { merged } from "../src/search/pastSearches";
import { quotedRanges } from "../src/search/marks";

const registry: Registry = {
  commands: [
    { name: "stats", summary: "Aggregates.", syntax: "stats <aggregate>...", kind: "transforming" },
    { name: "bin", summary: "Buckets.", aliases: ["bucket"] },
    { name: "replace", summary: "Replaces values." },
  ],
  functions: [
    { name: "replace", summary: "Replaces by a pattern.", kind: "eval" },
    { name: "perc", summary: "A percentile.", kind: "aggregate" },
  ],
  algorithms: [{ name: "KMeans", summary: "Clusters." }],
  scorers: [],
};

describe("inline help", () => {
  it("tells a command from a function of the same name by its place", () => {
    const text = '| replace a WITH b | eval x=replace(y, "a", "b")';
    expect(helpFor("replace", kindAt(text, 2, 9), registry)?.summary).toBe("Replaces values.");
    const at = text.lastIndexOf("replace");
    expect(kindAt(text, at, at + 7)).toBe("");
    expect(helpFor("replace", "function", registry)?.summary).toBe("Replaces by a pattern.");
  });

  it("knows aliases, percentiles and algorithms", () => {
    expect(helpFor("bucket", "command", registry)?.name).toBe("bin");
    expect(helpFor("perc95", "aggregate", registry)?.name).toBe("perc");
    expect(helpFor("KMeans", "name", registry)?.summary).toBe("Clusters.");
    expect(helpFor("nothing", "", registry)).toBeUndefined();
  });

  it.each([
    ["| eval x=round(y, ", { name: "round", argument: 1 }],
    ['| eval x=if(match(y, "a,(b"), ', { name: "if", argument: 1 }],
    ["| eval x=(1+", null],
    ['| eval x=len("(', null],
    ["| eval x=len(y) | stats ", null],
  ])("finds the open call of %s", (text, call) => {
    expect(openCall(text)).toEqual(call);
  });
});

describe("quotes", () => {
  it("pairs them outside of comments and tells the open one", () => {
    expect(quotedRanges('a="x\\"|" ```"``` `m("y")` "z')).toEqual([
      { from: 2, to: 8, closed: true },
      { from: 17, to: 25, closed: true },
      { from: 26, to: 28, closed: false },
    ]);
  });
});

describe("history", () => {
  it("puts what only the browser knows before what the server remembers", () => {
    const server = [{ search: "b", time: 5, runs: 2 }];
    expect(merged(server, ["a", "b"]).map((p) => p.search)).toEqual(["a", "b"]);
  });
});
