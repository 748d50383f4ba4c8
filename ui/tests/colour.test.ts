import { describe, expect, it } from "vitest";
import { ColourScale, hashText, inkOn, sequential } from "../src/design/colour";

describe("series colours", () => {
  it("are the same in every session", () => {
    expect(hashText("gateway")).toBe(hashText("gateway"));
    expect(new ColourScale().colour("gateway", "dark")).toBe(new ColourScale().colour("gateway", "dark"));
  });

  it("differ for the first eight values, whatever their hashes", () => {
    const scale = new ColourScale();
    const values = Array.from({ length: 8 }, (_, i) => `service-${i}`);
    expect(new Set(values.map((v) => scale.colour(v, "dark"))).size).toBe(8);
  });

  it("stay with their value when others come", () => {
    const scale = new ColourScale();
    const before = scale.colour("a", "light");
    for (let i = 0; i < 40; i++) scale.colour(`v${i}`, "light");
    expect(scale.colour("a", "light")).toBe(before);
  });

  it("give severities their meaning", () => {
    expect(new ColourScale().colour("ERROR", "dark")).toBe(new ColourScale().colour("error", "dark"));
  });
});

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

describe("the sequential map", () => {
  it.each(["dark", "light"] as const)("rises evenly and carries readable ink on %s", (theme) => {
    let before: number | null = null;
    for (let t = 0; t <= 1.0001; t += 0.05) {
      const ground = luminance(sequential(t, theme));
      if (before !== null) expect(theme === "dark" ? ground > before : ground < before).toBe(true);
      before = ground;
      const ink = luminance(inkOn(t, theme));
      expect((Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)).toBeGreaterThan(4.5);
    }
  });
});
