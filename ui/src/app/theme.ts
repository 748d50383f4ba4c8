/** Preferences kept in this browser: theme, density, rail. Reads never fail when storage is blocked. */
import { useSyncExternalStore } from "react";
import type { Theme } from "../design/colour";

interface Preferences {
  theme: Theme;
  density: "compact" | "comfortable";
  rail: "wide" | "small";
}

const listeners = new Set<() => void>();

function read(name: string): string | null {
  try {
    return localStorage.getItem(`sightline.${name}`);
  } catch {
    return null;
  }
}

function write(name: string, value: string): void {
  try {
    localStorage.setItem(`sightline.${name}`, value);
  } catch {
    // Storage is blocked: the choice holds until the page is closed.
  }
}

let current: Preferences = {
  theme: document.documentElement.dataset.theme === "light" ? "light" : "dark",
  density: read("density") === "comfortable" ? "comfortable" : "compact",
  rail: read("rail") === "small" ? "small" : "wide",
};
document.documentElement.dataset.density = current.density;

export function setPreference<K extends keyof Preferences>(name: K, value: Preferences[K]): void {
  current = { ...current, [name]: value };
  write(name, value);
  document.documentElement.dataset.theme = current.theme;
  document.documentElement.dataset.density = current.density;
  listeners.forEach((listener) => listener());
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}

export const useTheme = (): Theme => usePreferences().theme;

/** Height of a row in tables and lists, in pixels, as the density asks. */
export const useRowHeight = (): number => (usePreferences().density === "comfortable" ? 32 : 24);

/** A list kept in this browser (search history). */
export function readList(name: string): string[] {
  try {
    const value: unknown = JSON.parse(read(name) ?? "[]");
    return Array.isArray(value) ? value.filter((v): v is string => typeof v === "string") : [];
  } catch {
    return [];
  }
}

export const writeList = (name: string, values: string[]): void => write(name, JSON.stringify(values));
