/** Colours of the parts of a chart that carry no data. */
import type { Theme } from "../design/colour";

export interface Ink {
  text: string;
  quiet: string;
  line: string;
  ground: string;
  raised: string;
  accent: string;
  warn: string;
  error: string;
}

const INKS: Record<Theme, Ink> = {
  dark: {
    text: "#e6e9ed",
    quiet: "#85909c",
    line: "#23282f",
    ground: "#0e1013",
    raised: "#1a1e23",
    accent: "#6cb2ff",
    warn: "#f0b44c",
    error: "#ff8177",
  },
  light: {
    text: "#14181d",
    quiet: "#626d7a",
    line: "#e3e7eb",
    ground: "#fafbfc",
    raised: "#ffffff",
    accent: "#0b61cc",
    warn: "#8f5b00",
    error: "#c22f25",
  },
};

export const inkOf = (theme: Theme): Ink => INKS[theme];
