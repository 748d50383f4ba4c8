/** The result of a panel's search: a job run to its end, at most four at once, the last answer kept while the next one runs. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ApiError, request } from "../api/client";
import type { Job, Message, Results } from "../api/types";
import { toSplTime } from "../app/timeRange";

export interface PanelResult {
  results: Results;
  messages: Message[];
  /** When the answer was computed, epoch seconds. */
  at: number;
  run_duration_s: number;
  sid: string;
}

const AT_ONCE = 4;
const MOST_ROWS = 5000;
let busy = 0;
const waiting: (() => void)[] = [];

async function slot(): Promise<() => void> {
  if (busy >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  busy++;
  return () => {
    busy--;
    waiting.shift()?.();
  };
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      },
      { once: true },
    );
  });

/** Runs a search to its end. Throws ApiError with the search's own message when it fails; an abort cancels the job. */
export async function runSearch(
  search: string,
  earliest: string,
  latest: string,
  signal: AbortSignal,
  label?: string,
): Promise<PanelResult> {
  const release = await slot();
  let job: Job | undefined;
  try {
    signal.throwIfAborted();
    job = await request<Job>("/search/jobs", {
      method: "POST",
      signal,
      body: { search, earliest: toSplTime(earliest), latest: toSplTime(latest), max_count: MOST_ROWS, label },
    });
    for (let wait = 60; job.state === "queued" || job.state === "running"; wait = Math.min(600, wait * 1.5)) {
      await pause(wait, signal);
      job = await request<Job>(`/search/jobs/${job.sid}`, { signal });
    }
    if (job.state !== "done") {
      const error = job.messages.find((m) => m.severity === "error");
      throw new ApiError(error?.text ?? `the search was ${job.state}`, 400, "search", error?.hint ?? undefined);
    }
    const results = await request<Results>(`/search/jobs/${job.sid}/results`, {
      signal,
      query: { offset: 0, count: MOST_ROWS },
    });
    return { results, messages: job.messages, at: Date.now() / 1000, run_duration_s: job.run_duration_s, sid: job.sid };
  } catch (error) {
    if (signal.aborted && job) void request(`/search/jobs/${job.sid}`, { method: "DELETE" }).catch(() => undefined);
    throw error;
  } finally {
    release();
  }
}

export function usePanel(
  search: string,
  earliest: string,
  latest: string,
  refreshMs: number | false,
  enabled: boolean,
) {
  return useQuery({
    queryKey: ["panel", search, earliest, latest],
    queryFn: ({ signal }) => runSearch(search, earliest, latest, signal, "dashboard"),
    enabled: enabled && search.trim() !== "",
    placeholderData: keepPreviousData,
    refetchInterval: refreshMs,
    staleTime: 5000,
    retry: (count, error) => count < 2 && error instanceof ApiError && (error.status === 0 || error.status === 503),
  });
}
