/** Alert states and events in words, and the stretches of firing that a history tells of. Pure. */
import type { AlertAction, AlertEvent, AlertState } from "../api/types";
import type { Tone } from "../design/States";

export const STATE_TONES: Record<AlertState, Tone> = { ok: "ok", firing: "error", suppressed: "warn", error: "warn" };
export const STATE_WORDS: Record<AlertState, string> = {
  ok: "ok",
  firing: "firing",
  suppressed: "suppressed",
  error: "cannot run",
};

/** How pressing a state is; lists put the largest first. */
export const urgency = (state: AlertState): number => ({ firing: 3, error: 2, suppressed: 1, ok: 0 })[state] ?? 0;

const EVENT_TONES: Record<string, Tone> = {
  fired: "error",
  cleared: "ok",
  suppressed: "warn",
  delivery: "info",
  error: "warn",
};

export const eventTone = (e: AlertEvent): Tone =>
  e.event === "delivery" && e.detail?.startsWith("not delivered") ? "warn" : (EVENT_TONES[e.event] ?? "quiet");

export interface Stretch {
  start: number;
  end: number;
  kind: "firing" | "error";
}

/** When the alert was firing or could not run, oldest first. `history` is newest first. */
export function stretches(history: AlertEvent[], now: number): Stretch[] {
  const out: Stretch[] = [];
  let open: { start: number; kind: Stretch["kind"] } | null = null;
  for (const event of [...history].reverse()) {
    if (event.event === "fired" && open?.kind !== "firing") {
      if (open) out.push({ ...open, end: event.time });
      open = { start: event.time, kind: "firing" };
    } else if (event.event === "error" && open === null) {
      open = { start: event.time, kind: "error" };
    } else if (event.event === "cleared" && open) {
      out.push({ ...open, end: event.time });
      open = null;
    }
  }
  if (open) out.push({ ...open, end: now });
  return out;
}

/** A condition in words. */
export function conditionText(c: {
  kind: string;
  relation?: string | null;
  quantity?: number | string | null;
  search?: string | null;
}): string {
  if (c.kind === "always") return "every run";
  return c.kind === "search"
    ? `rows of "${c.search ?? ""}"`
    : `number of rows ${c.relation ?? "greater than"} ${c.quantity ?? 0}`;
}

/** An action in words: what it is and whom it tells. */
export function actionText(action: AlertAction): string {
  const whom = action.kind === "email" ? [action.to, action.cc, action.bcc].filter(Boolean).join(", ") : action.url;
  return `${action.kind} ${whom ?? ""}`.trim();
}
