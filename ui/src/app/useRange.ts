/** The page's single time range and its live switch, held in the address. */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { DEFAULT_RANGE, type TimeRange } from "./timeRange";

export interface RangeControl {
  range: TimeRange;
  /** False while the reader has paused refreshing. */
  live: boolean;
  /** True when the address names a range, and not only the default. */
  chosen: boolean;
  setRange(range: TimeRange): void;
  setLive(live: boolean): void;
}

export function useRange(): RangeControl {
  const params = useSearch({ strict: false }) as { earliest?: string; latest?: string; live?: string };
  const navigate = useNavigate();
  const range = useMemo(
    () => ({ earliest: params.earliest ?? DEFAULT_RANGE.earliest, latest: params.latest ?? DEFAULT_RANGE.latest }),
    [params.earliest, params.latest],
  );
  const setRange = useCallback(
    (next: TimeRange) => {
      void navigate({ to: ".", search: (old: Record<string, unknown>) => ({ ...old, ...next }) } as never);
    },
    [navigate],
  );
  const setLive = useCallback(
    (live: boolean) => {
      void navigate({
        to: ".",
        replace: true,
        search: (old: Record<string, unknown>) => ({ ...old, live: live ? undefined : "off" }),
      } as never);
    },
    [navigate],
  );
  return {
    range,
    live: params.live !== "off",
    chosen: params.earliest !== undefined || params.latest !== undefined,
    setRange,
    setLive,
  };
}

/** The part of the address every link between pages carries on. */
export function useCarried(): { earliest?: string; latest?: string; live?: string } {
  const params = useSearch({ strict: false }) as { earliest?: string; latest?: string; live?: string };
  return { earliest: params.earliest, latest: params.latest, live: params.live };
}

/** Changes parameters of the current address: undefined removes one. */
export function useSetParams(): (changes: Record<string, string | string[] | undefined>, replace?: boolean) => void {
  const navigate = useNavigate();
  return useCallback(
    (changes, replace = true) => {
      void navigate({
        to: ".",
        replace,
        resetScroll: false,
        search: (old: Record<string, unknown>) => ({ ...old, ...changes }),
      } as never);
    },
    [navigate],
  );
}
