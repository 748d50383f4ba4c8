import { describe, expect, it } from "vitest";
import { addTerm, eventsPart, excludeTerm, givesEvents, groupBy, splitStages, surrounding } from "../src/search/spl";

describe("edits of a search", () => {
  it("cuts at pipes outside quotes, brackets and comments", () => {
    expect(splitStages('a="x|y" | append [search b | head 1] ```no | pipe``` | head 2')).toEqual([
      'a="x|y" ',
      " append [search b | head 1] ```no | pipe``` ",
      " head 2",
    ]);
  });

  it("adds conditions where events are still events", () => {
    expect(addTerm("index=main", "severity", "error")).toBe("index=main severity=error");
    expect(addTerm("index=main | stats count", "user name", 'a "b"')).toBe(
      'index=main "user name"="a \\"b\\"" | stats count',
    );
    expect(addTerm("index=main\n| stats count", "code", 500)).toBe("index=main code=500\n| stats count");
    expect(addTerm("| mstats avg(x) WHERE index=m BY host", "host", "a")).toBe(
      "| mstats avg(x) WHERE index=m BY host\n| search host=a",
    );
    expect(excludeTerm("index=main", "host", null)).toBe("index=main host=*");
    expect(excludeTerm("index=main", "host", "or")).toBe('index=main NOT host="or"');
  });

  it("groups the events and not their statistics", () => {
    expect(eventsPart("index=main error | eval a=1 | stats count by a | sort a")).toBe("index=main error | eval a=1");
    expect(groupBy("index=main | timechart count", "host")).toBe("index=main\n| stats count by host\n| sort - count");
  });

  it("tells events from tables by the text", () => {
    expect(givesEvents("index=main | head 5")).toBe(true);
    expect(givesEvents("index=main | stats count")).toBe(false);
    expect(givesEvents("| makeresults")).toBe(false);
  });

  it("looks around an event on its host and source", () => {
    expect(surrounding({ time: 1000, values: { index: "main", host: "web 1", source: "", _raw: "x" } }, 60)).toEqual({
      search: 'index=main host="web 1"',
      earliest: "940.000",
      latest: "1060.000",
    });
  });
});
