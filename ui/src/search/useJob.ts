/** A search job from its creation to its results: polling, cancel, partial results, pages of rows. */
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ApiError, request } from "../api/client";
import type { Cell, FieldSummary, Job, ResultField, Results, TimelineAnswer } from "../api/types";

export interface JobRequest {
  search: string;
  earliest: string;
  latest: string;
  /** Grows with every press of Run, so that the same text runs again. */
  run: number;
}

export const isRunning = (job: Job | undefined): boolean =>
  job !== undefined && (job.state === "queued" || job.state === "running");

/** Often while the answer is near, seldom for a long search. */
const pollAfterMs = (job: Job): number => (job.run_duration_s < 3 ? 150 : job.run_duration_s < 20 ? 300 : 1000);

export function useJob(wanted: JobRequest | null) {
  const client = useQueryClient();
  const key = wanted ? ["job", wanted.search, wanted.earliest, wanted.latest, wanted.run] : ["job", "none"];
  const created = useQuery({
    queryKey: key,
    queryFn: ({ signal }) =>
      request<Job>("/search/jobs", {
        method: "POST",
        signal,
        body: { search: wanted!.search, earliest: wanted!.earliest, latest: wanted!.latest, max_count: 10_000 },
      }),
    enabled: wanted !== null,
    staleTime: Infinity,
    // Back within this time shows the finished job again; the server keeps jobs longer.
    gcTime: 240_000,
    retry: (count, error) => count < 3 && error instanceof ApiError && error.status === 503,
  });
  const sid = created.data?.sid;
  const polled = useQuery({
    queryKey: ["job-state", sid],
    queryFn: ({ signal }) => request<Job>(`/search/jobs/${sid}`, { signal }),
    enabled: sid !== undefined,
    initialData: created.data,
    initialDataUpdatedAt: 0,
    staleTime: Infinity,
    gcTime: 240_000,
    refetchInterval: (query) =>
      query.state.data && isRunning(query.state.data) ? pollAfterMs(query.state.data) : false,
    refetchIntervalInBackground: true,
  });
  const job = sid === undefined ? undefined : (polled.data ?? created.data);

  // A search nobody looks at any more is stopped.
  const current = useRef<Job | undefined>(undefined);
  current.current = job;
  const keyText = JSON.stringify(key);
  useEffect(
    () => () => {
      const left = current.current;
      if (left && isRunning(left)) {
        void request(`/search/jobs/${left.sid}`, { method: "DELETE" }).catch(() => undefined);
        client.removeQueries({ queryKey: JSON.parse(keyText) as string[] });
      }
    },
    [keyText, client],
  );

  // The server has forgotten a job that Back brought up: run it anew.
  const lost = polled.error instanceof ApiError && polled.error.status === 404;
  useEffect(() => {
    if (lost) void client.resetQueries({ queryKey: JSON.parse(keyText) as string[] });
  }, [lost, keyText, client]);

  const cancel = useCallback(async () => {
    if (sid === undefined) return;
    await request(`/search/jobs/${sid}`, { method: "DELETE" }).catch(() => undefined);
    await client.invalidateQueries({ queryKey: ["job-state", sid] });
  }, [sid, client]);

  return {
    job,
    error: created.error ?? (lost ? null : polled.error),
    starting: created.isFetching,
    cancel,
    retry: () => void created.refetch(),
  };
}

/** Part of a job's cache keys: changes whenever there may be more to see. */
export const versionOf = (job: Job | undefined): string =>
  job ? `${job.state === "done" ? "done" : "part"}:${job.result_count}:${isRunning(job) ? job.event_count : ""}:${job.preview?.share ?? ""}` : "";

const PAGE = 200;

export interface PagedRows {
  fields: ResultField[];
  total: number;
  partial: boolean;
  row: (index: number) => Cell[] | undefined;
  /** What `fieldformat` shows of a field in a row; undefined where the value itself is shown. */
  shown: (index: number, field: string) => string | undefined;
  /** Tells which rows are on the screen; their pages are fetched. */
  show: (first: number, last: number) => void;
  pending: boolean;
  stale: boolean;
  error: unknown;
  /** The rows that are here, in order, up to the first hole. */
  loaded: Cell[][];
}

/** Rows of a job's results, page by page, sorted by the server. */
export function useRows(job: Job | undefined, sort: { field: string; desc: boolean } | null): PagedRows {
  const client = useQueryClient();
  const version = versionOf(job);
  const sid = job?.sid;
  const load = useCallback(
    (page: number, signal?: AbortSignal) =>
      request<Results>(`/search/jobs/${sid}/results`, {
        signal,
        query: { offset: page * PAGE, count: PAGE, sort: sort?.field, desc: sort ? (sort.desc ? 1 : 0) : undefined },
      }),
    [sid, sort],
  );
  const base = useMemo(() => ["rows", sid, sort?.field, sort?.desc, version], [sid, sort, version]);
  const first = useQuery({
    queryKey: [...base, 0],
    queryFn: ({ signal }) => load(0, signal),
    enabled: sid !== undefined && job?.state !== "queued" && job?.state !== "failed",
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 240_000,
  });
  const [pages, setPages] = useState<{ base: unknown; map: Map<number, Results> }>({ base, map: new Map() });
  const asked = useRef<{ base: unknown; set: Set<number> }>({ base, set: new Set() });

  const show = useCallback(
    (from: number, to: number) => {
      if (asked.current.base !== base) asked.current = { base, set: new Set() };
      for (let page = Math.max(1, Math.floor(from / PAGE)); page <= Math.floor(to / PAGE); page++) {
        if (asked.current.set.has(page)) continue;
        asked.current.set.add(page);
        client
          .fetchQuery({
            queryKey: [...base, page],
            queryFn: ({ signal }) => load(page, signal),
            staleTime: Infinity,
            gcTime: 240_000,
          })
          .then((results) => {
            setPages((was) => ({ base, map: new Map(was.base === base ? was.map : []).set(page, results) }));
          })
          .catch(() => asked.current.set.delete(page));
      }
    },
    [base, client, load],
  );

  const data = first.data;
  const rest = pages.base === base ? pages.map : undefined;
  const row = useCallback(
    (index: number) => (index < PAGE ? data : rest?.get(Math.floor(index / PAGE)))?.rows[index % PAGE],
    [data, rest],
  );
  const shown = useCallback(
    (index: number, field: string) =>
      (index < PAGE ? data : rest?.get(Math.floor(index / PAGE)))?.display?.[field]?.[index % PAGE] ?? undefined,
    [data, rest],
  );
  const loaded = useMemo(() => {
    const all = [...(data?.rows ?? [])];
    for (let page = 1; rest?.has(page); page++) all.push(...rest.get(page)!.rows);
    return all;
  }, [data, rest]);

  return {
    fields: data?.fields ?? [],
    total: data?.total ?? 0,
    partial: data?.partial ?? false,
    row,
    shown,
    show,
    pending: first.isPending,
    stale: first.isPlaceholderData && data !== undefined,
    error: first.error,
    loaded,
  };
}

/** All rows of a table result, up to `limit`, for charts. */
export function useAllRows(job: Job | undefined, enabled: boolean, limit = 5000) {
  const sid = job?.sid;
  return useQuery({
    queryKey: ["all-rows", sid, versionOf(job), limit],
    queryFn: ({ signal }) =>
      request<Results>(`/search/jobs/${sid}/results`, { signal, query: { offset: 0, count: limit } }),
    enabled: enabled && sid !== undefined && job?.state !== "queued" && job?.state !== "failed",
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  });
}

export function useTimeline(job: Job | undefined, by: string | undefined, enabled: boolean) {
  const sid = job?.sid;
  return useQuery({
    queryKey: ["timeline", sid, versionOf(job), by ?? ""],
    queryFn: ({ signal }) => request<TimelineAnswer>(`/search/jobs/${sid}/timeline`, { signal, query: { by } }),
    enabled: enabled && sid !== undefined && job?.state !== "queued" && job?.state !== "failed",
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  });
}

export function useFields(job: Job | undefined, enabled: boolean) {
  const sid = job?.sid;
  return useQuery({
    queryKey: ["fields", sid, job?.state === "done" ? "done" : Math.floor((job?.run_duration_s ?? 0) / 2)],
    queryFn: ({ signal }) => request<FieldSummary[]>(`/search/jobs/${sid}/fields`, { signal }),
    enabled: enabled && sid !== undefined && job?.state !== "queued" && job?.state !== "failed",
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  });
}
