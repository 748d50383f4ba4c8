/** The scores of one model in the page's time range. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { request } from "../api/client";
import type { ModelVersion, SavedSearch } from "../api/types";
import { resolveRange, type TimeRange } from "../app/timeRange";
import { runSearch } from "../dashboards/usePanel";
import { pointsOf, recordedPoints, scoresSearch, scoringOf, type ScorePoint, type Scoring } from "./scores";

const SPANS_S = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 14_400, 86_400];

/** About two hundred points over the range. */
export function spanFor(range: TimeRange, now: number): string {
  const resolved = resolveRange(range, now);
  const length = resolved && resolved.start > 0 ? resolved.end - resolved.start : 30 * 86_400;
  return `${SPANS_S.find((s) => s >= length / 360) ?? 86_400}s`;
}

export function useSavedSearches() {
  return useQuery({
    queryKey: ["saved-searches"],
    queryFn: ({ signal }) => request<SavedSearch[]>("/saved-searches", { signal }),
    staleTime: 30_000,
    retry: false,
  });
}

export interface ModelScores {
  points: ScorePoint[];
  scoring: Scoring | null;
  pending: boolean;
  error: unknown;
}

export function useScores(name: string, versions: ModelVersion[], range: TimeRange, live: boolean): ModelScores {
  const searches = useSavedSearches();
  const scoring = useMemo(() => (searches.data ? scoringOf(name, searches.data) : null), [name, searches.data]);
  const span = spanFor(range, Date.now() / 1000);
  const collected = useQuery({
    queryKey: ["model-scores", scoring?.index, range.earliest, range.latest, span],
    queryFn: ({ signal }) =>
      runSearch(scoresSearch(scoring!.index, span), range.earliest, range.latest, signal, "model page"),
    enabled: scoring !== null,
    placeholderData: keepPreviousData,
    refetchInterval: live ? 20_000 : false,
    staleTime: 5000,
  });
  const points = useMemo(() => {
    const resolved = resolveRange(range, Date.now() / 1000);
    const recorded = recordedPoints(versions).filter(
      (p) => !resolved || (p.time >= resolved.start && p.time <= resolved.end),
    );
    return collected.data ? [...recorded, ...pointsOf(collected.data.results)] : recorded;
  }, [collected.data, versions, range]);
  return {
    points,
    scoring,
    pending: searches.isPending || (scoring !== null && collected.isPending),
    error: collected.error,
  };
}
