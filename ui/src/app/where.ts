/** Where the reader is: the trail in the top bar and the window's title. */
import { useEffect, useSyncExternalStore } from "react";

export interface Step {
  label: string;
  to?: string;
}

let trail: Step[] = [];
const listeners = new Set<() => void>();

export function useWhere(...steps: Step[]): void {
  const key = JSON.stringify(steps);
  useEffect(() => {
    trail = JSON.parse(key) as Step[];
    document.title = `${[...trail]
      .reverse()
      .map((s) => s.label)
      .join(" · ")} · Sightline`;
    listeners.forEach((listener) => listener());
  }, [key]);
}

export function useTrail(): Step[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => trail,
  );
}
