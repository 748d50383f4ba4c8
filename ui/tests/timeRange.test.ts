import { describe, expect, it } from "vitest";
import {
  absoluteRange,
  parseTime,
  rangeLabel,
  rangeProblem,
  resolveRange,
  toSplTime,
  zoomOut,
} from "../src/app/timeRange";

// Wednesday, 1 April 2026, 12:34:56 local time.
const now = new Date(2026, 3, 1, 12, 34, 56).getTime() / 1000;
const local = (...parts: [number, number, number, number?, number?, number?]): number =>
  new Date(...parts).getTime() / 1000;

describe("time modifiers", () => {
  it.each([
    ["now", now],
    ["-15m", now - 900],
    ["-4h@h", local(2026, 3, 1, 8)],
    ["@d", local(2026, 3, 1)],
    ["-1d@d", local(2026, 2, 31)],
    ["@w0", local(2026, 2, 29)],
    ["@w1", local(2026, 2, 30)],
    ["-mon@mon", local(2026, 2, 1)],
    ["@q", local(2026, 3, 1)],
    ["-1y@y", local(2025, 0, 1)],
    ["-1d@d+9h", local(2026, 2, 31, 9)],
    ["1743500000.5", 1743500000.5],
    ["2026-03-30", local(2026, 2, 30)],
    ["2026-03-30 12:30:15", local(2026, 2, 30, 12, 30, 15)],
  ])("reads %s", (text, expected) => {
    expect(parseTime(text, now)).toBeCloseTo(expected, 3);
  });

  it("keeps the last day of a shorter month", () => {
    expect(parseTime("-1mon", local(2026, 2, 31))).toBe(local(2026, 1, 28));
  });

  it.each(["yesterday", "-4x", "@m3", "--1h", "4h", "2026-13-01"])("refuses %s", (text) => {
    expect(parseTime(text, now)).toBeNull();
  });
});

describe("ranges", () => {
  it("has no empty range", () => {
    expect(resolveRange({ earliest: "now", latest: "-1h" }, now)).toBeNull();
    expect(rangeProblem({ earliest: "now", latest: "-1h" }, now)).toBe("earliest must be before latest");
    expect(rangeProblem({ earliest: "soon", latest: "now" }, now)).toContain('"soon" is not a time');
    expect(rangeProblem({ earliest: "-1h", latest: "now" }, now)).toBeNull();
  });

  it("zooms a range that ends now out to the next usual length", () => {
    expect(zoomOut({ earliest: "-15m", latest: "now" }, now)).toEqual({ earliest: "-1h", latest: "now" });
    expect(zoomOut({ earliest: "-30d", latest: "now" }, now)).toEqual({ earliest: "0", latest: "now" });
  });

  it("doubles a fixed range around its middle, and never past now", () => {
    const wider = resolveRange(zoomOut(absoluteRange(now - 5000, now - 4000), now), now)!;
    expect(wider.end - wider.start).toBe(2000);
    expect(resolveRange(zoomOut(absoluteRange(now - 100, now), now), now)!.end).toBeLessThanOrEqual(Math.ceil(now));
  });

  it("names ranges", () => {
    expect(rangeLabel({ earliest: "-1h", latest: "now" })).toBe("Last hour");
    expect(rangeLabel({ earliest: "-4h@h", latest: "@h" })).toBe("-4h@h → @h");
  });

  it("sends typed dates as seconds and leaves modifiers alone", () => {
    expect(toSplTime("-4h@h")).toBe("-4h@h");
    expect(Number(toSplTime("2026-03-30"))).toBe(local(2026, 2, 30));
  });
});
