import { describe, expect, it } from "vitest";
import { cutAtWords } from "../src/search/highlight";

const marked = (text: string, words: string[]): string =>
  cutAtWords(text, words)
    .map((piece) => (piece.marked ? `[${piece.text}]` : piece.text))
    .join("");

describe("words of a search in a text", () => {
  it("are marked wherever they stand, in any case", () => {
    expect(marked("GET /a took 5 ms, get", ["get", "took 5"])).toBe("[GET] /a [took 5] ms, [get]");
  });

  it("take the longest where several begin", () => {
    expect(marked("errors", ["error", "errors"])).toBe("[errors]");
  });

  it("are plain text, not expressions", () => {
    expect(marked("a.b axb (c)", ["a.b", "(c)"])).toBe("[a.b] axb [(c)]");
  });

  it("leave a text without them as it is", () => {
    expect(cutAtWords("abc", [])).toEqual([{ text: "abc", marked: false }]);
    expect(cutAtWords("", ["x", ""])).toEqual([{ text: "", marked: false }]);
  });
});
