/**
 * Series colours. Eight hues that stay apart for colour-blind eyes, one set for each theme. A value keeps its colour on a
 * whole page: its hash names the slot, and a slot already taken by another value passes it on to the next free one.
 */

export type Theme = "dark" | "light";

const SERIES: Record<Theme, readonly string[]> = {
  dark: ["#6cb2ff", "#f2a93b", "#45cba8", "#c9683c", "#cf93e0", "#9fdcff", "#e6dc62", "#b8a692"],
  light: ["#1f6fd0", "#c47500", "#0a8a68", "#a8480f", "#9a3f9c", "#3b9ad4", "#9a8700", "#6f6558"],
};

const MEANING: Record<Theme, Record<string, string>> = {
  dark: {
    fatal: "#ff6fae",
    critical: "#ff6fae",
    error: "#ff8177",
    warn: "#f0b44c",
    warning: "#f0b44c",
    info: "#5c8fc4",
    debug: "#5f6b78",
    trace: "#4a545f",
    ok: "#57c79a",
    other: "#66717d",
    "": "#66717d",
    null: "#66717d",
  },
  light: {
    fatal: "#a81a63",
    critical: "#a81a63",
    error: "#d2453b",
    warn: "#c98a12",
    warning: "#c98a12",
    info: "#7fa9d8",
    debug: "#a9b3be",
    trace: "#c3cad2",
    ok: "#0c8a5a",
    other: "#9aa4af",
    "": "#9aa4af",
    null: "#9aa4af",
  },
};

/** FNV-1a, so that a value's colour is the same in every session and every browser. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** Gives values their slots; one instance for a page. */
export class ColourScale {
  private readonly slots = new Map<string, number>();
  private readonly taken = new Set<number>();

  slot(value: string): number {
    const known = this.slots.get(value);
    if (known !== undefined) return known;
    const count = SERIES.dark.length;
    let slot = hashText(value) % count;
    for (let step = 0; step < count && this.taken.has(slot); step++) slot = (slot + 1) % count;
    this.slots.set(value, slot);
    this.taken.add(slot);
    // All eight are in use: later values share by hash, and the legend tells them apart.
    if (this.taken.size === count) this.taken.clear();
    return slot;
  }

  colour(value: string, theme: Theme): string {
    return MEANING[theme][value.toLowerCase()] ?? SERIES[theme][this.slot(value)]!;
  }
}

/** The scale of the page on the screen. */
export const pageColours = new ColourScale();

export const severityRank = (value: string): number => {
  const order = ["trace", "debug", "info", "notice", "warn", "warning", "error", "critical", "fatal"];
  const rank = order.indexOf(value.toLowerCase());
  return rank < 0 ? 2.5 : rank;
};

/**
 * A sequential map with even steps of lightness (OKLCH), dark to bright on the dark theme and the reverse on the light one,
 * so that "more" always stands out from the ground. `t` runs from 0 to 1.
 */
export function sequential(t: number, theme: Theme): string {
  const x = Math.min(1, Math.max(0, t));
  const lightness = theme === "dark" ? 0.2 + 0.66 * x : 0.985 - 0.585 * x;
  const chroma = theme === "dark" ? 0.015 + 0.115 * Math.sin(Math.PI * (0.12 + 0.7 * x)) : 0.006 + 0.13 * x;
  const hue = theme === "dark" ? 262 - 72 * x : 225 + 32 * x;
  return oklch(lightness, chroma, hue);
}

/** Ink that reads on `sequential(t)`: whichever of white and black stands out more. */
export function inkOn(t: number, theme: Theme): string {
  const [r, g, b] = [1, 3, 5].map((i) => linear(parseInt(sequential(t, theme).slice(i, i + 2), 16) / 255)) as [
    number,
    number,
    number,
  ];
  // Above this luminance black has the higher contrast ratio of the two.
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}

const linear = (v: number): number => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);

function oklch(l: number, c: number, h: number): string {
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const l3 = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m3 = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s3 = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const rgb = [
    4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3,
    -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3,
    -0.0041960863 * l3 - 0.7034186147 * m3 + 1.707614701 * s3,
  ];
  const channel = (v: number): string => {
    const x = Math.min(1, Math.max(0, v));
    const srgb = x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055;
    return Math.round(srgb * 255)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${rgb.map(channel).join("")}`;
}
