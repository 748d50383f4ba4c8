/** Searches on a schedule: when they run, how their last runs went, run one now, switch one off. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { request } from "../api/client";
import type { SavedSearch, ScheduledRun } from "../api/types";
import { useRange } from "../app/useRange";
import { Confirm } from "../design/Dialog";
import { formatAgo, formatNumber, formatSeconds, formatTime } from "../design/format";
import { Icon } from "../design/Icon";
import { Badge, Empty, Failure, Skeleton } from "../design/States";

export function Schedules() {
  const { live } = useRange();
  const [open, setOpen] = useState<number | null>(null);
  const [leaving, setLeaving] = useState<SavedSearch | null>(null);
  const client = useQueryClient();
  const answer = useQuery({
    queryKey: ["saved-searches"],
    queryFn: ({ signal }) => request<SavedSearch[]>("/saved-searches", { signal }),
    refetchInterval: live ? 10_000 : false,
  });
  const refresh = async (): Promise<void> => {
    await client.invalidateQueries({ queryKey: ["saved-searches"] });
    await client.invalidateQueries({ queryKey: ["runs"] });
  };
  const run = useMutation({
    mutationFn: (id: number) => request<{ error: string | null }>(`/saved-searches/${id}/run`, { method: "POST" }),
    onSuccess: refresh,
  });
  const change = useMutation({
    mutationFn: (s: SavedSearch) =>
      request(`/saved-searches/${s.id}`, { method: "PUT", body: { enabled: !s.enabled } }),
    onSuccess: refresh,
  });
  const remove = useMutation({
    mutationFn: (id: number) => request(`/saved-searches/${id}`, { method: "DELETE" }),
    onSuccess: async () => {
      setLeaving(null);
      await refresh();
    },
  });
  const now = Date.now() / 1000;
  if (answer.isPending) return <Skeleton rows={6} height={20} />;
  if (answer.error && !answer.data) return <Failure error={answer.error} retry={() => void answer.refetch()} />;
  const list = answer.data;
  if (list.length === 0)
    return (
      <Empty
        title="No saved searches yet"
        action={
          <Link to="/search" className="button">
            Go to Search
          </Link>
        }
      >
        A saved search with a schedule runs by itself: it can train a model, score it, or fill an index. Run a search
        and choose "Save search".
      </Empty>
    );
  return (
    <>
      {(run.error ?? change.error) && <Failure error={run.error ?? change.error} compact />}
      {run.data?.error && <Failure error={new Error(run.data.error)} compact />}
      <div className="table-wrap">
        <table className="plain">
          <thead>
            <tr>
              <th>
                <span className="hidden-label">Runs</span>
              </th>
              <th>Search</th>
              <th>Schedule</th>
              <th>Last run</th>
              <th>Next run</th>
              <th>
                <span className="hidden-label">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.map((s) => (
              <ScheduleRow
                key={s.id}
                search={s}
                now={now}
                open={open === s.id}
                toggle={() => setOpen(open === s.id ? null : s.id)}
                run={() => run.mutate(s.id)}
                running={run.isPending && run.variables === s.id}
                flip={() => change.mutate(s)}
                remove={() => setLeaving(s)}
              />
            ))}
          </tbody>
        </table>
      </div>
      {leaving && (
        <Confirm
          title="Delete the saved search?"
          action="Delete"
          busy={remove.isPending}
          error={remove.error && <Failure error={remove.error} compact />}
          onConfirm={() => remove.mutate(leaving.id)}
          onClose={() => setLeaving(null)}
        >
          "{leaving.name}" will be gone{leaving.cron ? " and will not run any more" : ""}. What it wrote stays.
        </Confirm>
      )}
    </>
  );
}

interface RowProps {
  search: SavedSearch;
  now: number;
  open: boolean;
  toggle: () => void;
  run: () => void;
  running: boolean;
  flip: () => void;
  remove: () => void;
}

function ScheduleRow({ search: s, now, open, toggle, run, running, flip, remove }: RowProps) {
  return (
    <>
      <tr>
        <td style={{ width: 28, paddingRight: 4 }}>
          <button
            type="button"
            className="icon-button tiny"
            aria-expanded={open}
            aria-label={`Runs of ${s.name}`}
            onClick={toggle}
          >
            <Icon name={open ? "down" : "chevron"} size={12} />
          </button>
        </td>
        <td>
          <Link to="/search" search={{ q: s.search, earliest: s.earliest || undefined, latest: s.latest || undefined }}>
            {s.name}
          </Link>
          {s.description && <div className="small dim">{s.description}</div>}
        </td>
        <td className="nowrap">
          {s.cron === "" ? (
            <span className="dim">none</span>
          ) : (
            <>
              <span className="mono">{s.cron}</span> {!s.enabled && <Badge tone="quiet">off</Badge>}
            </>
          )}
        </td>
        <td className="nowrap">
          {s.last_scheduled ? formatAgo(s.last_scheduled, now) : <span className="dim">never</span>}
        </td>
        <td className="nowrap dim">{s.enabled && s.next_run ? formatAgo(s.next_run, now) : ""}</td>
        <td className="num nowrap">
          <button
            type="button"
            className="icon-button"
            disabled={running}
            aria-label={`Run ${s.name} now`}
            title="Run now"
            onClick={run}
          >
            <Icon name="play" size={13} />
          </button>
          {s.cron !== "" && (
            <button
              type="button"
              className="icon-button"
              aria-label={s.enabled ? `Switch ${s.name} off` : `Switch ${s.name} on`}
              title={s.enabled ? "Switch off" : "Switch on"}
              onClick={flip}
            >
              <Icon name={s.enabled ? "pause" : "clock"} />
            </button>
          )}
          <button type="button" className="icon-button" aria-label={`Delete ${s.name}`} title="Delete" onClick={remove}>
            <Icon name="trash" />
          </button>
        </td>
      </tr>
      {open && (
        <tr className="runs-row">
          <td />
          <td colSpan={5}>
            <Runs id={s.id} />
          </td>
        </tr>
      )}
    </>
  );
}

function Runs({ id }: { id: number }) {
  const answer = useQuery({
    queryKey: ["runs", id],
    queryFn: ({ signal }) => request<ScheduledRun[]>(`/saved-searches/${id}/runs`, { signal, query: { limit: 20 } }),
  });
  if (answer.isPending) return <Skeleton rows={3} />;
  if (answer.error) return <Failure error={answer.error} compact />;
  if (answer.data.length === 0) return <p className="dim small">It has not run yet.</p>;
  return (
    <table className="plain runs">
      <thead>
        <tr>
          <th>Time</th>
          <th>Outcome</th>
          <th className="num">Took</th>
          <th className="num">Rows</th>
          <th>Message</th>
        </tr>
      </thead>
      <tbody>
        {answer.data.map((r, i) => {
          const failed = Boolean(r.error) || r.status === "failed" || r.status === "failure";
          return (
            <tr key={i}>
              <td className="nowrap">{formatTime(r.time, "s")}</td>
              <td>
                <Badge tone={failed ? "error" : r.status === "skipped" ? "warn" : "ok"}>
                  {String(r.status ?? (failed ? "failed" : "done"))}
                </Badge>
              </td>
              <td className="num">
                {typeof r.run_time_s === "number"
                  ? formatSeconds(r.run_time_s)
                  : typeof r.run_time === "number"
                    ? formatSeconds(r.run_time)
                    : ""}
              </td>
              <td className="num">{typeof r.result_count === "number" ? formatNumber(r.result_count) : ""}</td>
              <td className="wrap-cell">{String(r.error ?? r.reason ?? "")}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
