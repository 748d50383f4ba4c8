/** One alert: its state in a line, when it fired, what happened, what it watches. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { request } from "../api/client";
import type { Alert, AlertEvent } from "../api/types";
import { resolveRange, type ResolvedRange } from "../app/timeRange";
import { useRange, useSetParams } from "../app/useRange";
import { useWhere } from "../app/where";
import { Confirm } from "../design/Dialog";
import { formatAgo, formatSeconds, formatTime } from "../design/format";
import { Icon } from "../design/Icon";
import { MenuItem, Popover } from "../design/Popover";
import { Badge, Failure, Skeleton } from "../design/States";
import { useSize } from "../design/useSize";
import { tickLabel, ticks } from "../search/Timeline";
import { AlertForm } from "./AlertForm";
import { actionText, conditionText, eventTone, STATE_TONES, STATE_WORDS, stretches } from "./state";
import "./alerts.css";

export function AlertPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const params = useSearch({ strict: false }) as { edit?: string };
  const setParams = useSetParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const { live, range } = useRange();
  const [leaving, setLeaving] = useState(false);
  const refetchInterval = live ? 5000 : (false as const);
  const answer = useQuery({
    queryKey: ["alert", id],
    queryFn: ({ signal }) => request<Alert>(`/alerts/${id}`, { signal }),
    refetchInterval,
  });
  const history = useQuery({
    queryKey: ["alert", id, "history"],
    queryFn: ({ signal }) => request<AlertEvent[]>(`/alerts/${id}/history`, { signal }),
    refetchInterval,
  });
  const alert = answer.data;
  useWhere({ label: "Alerts", to: "/alerts" }, { label: alert?.name ?? "…" });
  const refresh = async (): Promise<void> => {
    await client.invalidateQueries({ queryKey: ["alert", id] });
    await client.invalidateQueries({ queryKey: ["alerts"] });
  };
  const run = useMutation({
    mutationFn: () => request<{ error: string | null }>(`/alerts/${id}/run`, { method: "POST" }),
    onSuccess: refresh,
  });
  const change = useMutation({
    mutationFn: (body: Partial<Alert>) => request<Alert>(`/alerts/${id}`, { method: "PUT", body }),
    onSuccess: refresh,
  });
  const remove = useMutation({
    mutationFn: () => request<void>(`/alerts/${id}`, { method: "DELETE" }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["alerts"] });
      await navigate({ to: "/alerts" });
    },
  });

  if (answer.isPending)
    return (
      <div className="page">
        <Skeleton rows={8} />
      </div>
    );
  if (!alert)
    return (
      <div className="page">
        <Failure error={answer.error} retry={() => void answer.refetch()} />
      </div>
    );
  const now = Date.now() / 1000;
  const resolved = resolveRange(range, now) ?? { start: now - 3600, end: now };
  return (
    <div className="page">
      <div className="row wrap page-tools">
        {alert.enabled ? (
          <Badge tone={STATE_TONES[alert.state] ?? "quiet"}>
            <span className="alert-state">{STATE_WORDS[alert.state] ?? alert.state}</span>
          </Badge>
        ) : (
          <Badge tone="quiet">off</Badge>
        )}
        {alert.since && (
          <span className="dim">
            since {formatTime(alert.since, "s")}, {formatAgo(alert.since, now)}
          </span>
        )}
        <span className="grow" />
        <Link
          to="/search"
          search={{ q: alert.search, earliest: alert.earliest || undefined, latest: alert.latest || undefined }}
          className="button"
        >
          <Icon name="search" /> Open in Search
        </Link>
        <button type="button" className="button" disabled={run.isPending} onClick={() => run.mutate()}>
          <Icon name="play" size={12} /> Run now
        </button>
        <button type="button" className="button" onClick={() => setParams({ edit: "1" }, false)}>
          <Icon name="edit" /> Edit
        </button>
        <Popover label={<Icon name="more" />} name="More" className="icon-button" align="right">
          {(close) => (
            <>
              <MenuItem onSelect={() => (close(), change.mutate({ enabled: !alert.enabled }))}>
                {alert.enabled ? "Switch off" : "Switch on"}
              </MenuItem>
              <MenuItem danger onSelect={() => (close(), setLeaving(true))}>
                Delete…
              </MenuItem>
            </>
          )}
        </Popover>
      </div>
      {alert.last_error && <Failure error={new Error(alert.last_error)} compact />}
      {(run.error ?? change.error) && <Failure error={run.error ?? change.error} compact />}
      {run.data?.error && <Failure error={new Error(run.data.error)} compact />}
      {alert.description && <p className="alert-about">{alert.description}</p>}

      <section className="section" aria-label="When it fired">
        <h2>When it fired</h2>
        <Strip
          history={history.data ?? []}
          range={
            resolved.start <= 0
              ? { start: Math.min(...(history.data ?? []).map((h) => h.time), now - 3600), end: now }
              : resolved
          }
          now={now}
        />
      </section>

      <section className="section">
        <h2>What it watches</h2>
        <pre className="search-preview">{alert.search}</pre>
        <dl className="facts alert-facts">
          <dt>Over</dt>
          <dd className="mono">
            {alert.earliest || "all time"} → {alert.latest || "now"}
          </dd>
          <dt>Fires on</dt>
          <dd>{conditionText(alert.condition)}</dd>
          <dt>Schedule</dt>
          <dd>
            <span className="mono">{alert.cron}</span>
            {alert.enabled && alert.next_run ? (
              <span className="dim"> next {formatAgo(alert.next_run, now)}</span>
            ) : null}
          </dd>
          <dt>Last run</dt>
          <dd>{alert.last_run ? `${formatTime(alert.last_run, "s")}, ${formatAgo(alert.last_run, now)}` : "never"}</dd>
          <dt>Severity</dt>
          <dd>{alert.severity}</dd>
          <dt>Throttle</dt>
          <dd>
            {alert.throttle_s > 0
              ? `${formatSeconds(alert.throttle_s)}${alert.throttle_fields.length > 0 ? ` for each ${alert.throttle_fields.join(", ")}` : ""}`
              : "none"}
          </dd>
          <dt>Tells</dt>
          <dd>{alert.actions.length === 0 ? "nobody" : alert.actions.map(actionText).join(", ")}</dd>
        </dl>
      </section>

      <section className="section">
        <h2>History</h2>
        {history.isPending ? (
          <Skeleton rows={5} />
        ) : history.error ? (
          <Failure error={history.error} retry={() => void history.refetch()} />
        ) : history.data.length === 0 ? (
          <p className="dim">
            Nothing has happened yet. {alert.enabled ? "Its first run follows the schedule." : "It is switched off."}
          </p>
        ) : (
          <div className="table-wrap">
            <table className="plain history">
              <thead>
                <tr>
                  <th>Time</th>
                  <th>Event</th>
                  <th>Detail</th>
                  <th>Result</th>
                </tr>
              </thead>
              <tbody>
                {history.data.map((h, i) => (
                  <tr key={i}>
                    <td className="nowrap">{formatTime(h.time, "s")}</td>
                    <td>
                      <Badge tone={eventTone(h)}>{h.event}</Badge>
                    </td>
                    <td className="wrap-cell">{h.detail}</td>
                    <td className="wrap-cell mono">{resultText(h.result)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      {params.edit === "1" && (
        <AlertForm
          alert={alert}
          onClose={() => setParams({ edit: undefined })}
          onDone={() => setParams({ edit: undefined })}
        />
      )}
      {leaving && (
        <Confirm
          title="Delete the alert?"
          action="Delete"
          busy={remove.isPending}
          error={remove.error && <Failure error={remove.error} compact />}
          onConfirm={() => remove.mutate()}
          onClose={() => setLeaving(false)}
        >
          "{alert.name}" and its history will be gone and nobody will be told any more. Its runs in index=_internal
          stay.
        </Confirm>
      )}
    </div>
  );
}

function resultText(result: unknown): string {
  if (result === null || result === undefined || result === "") return "";
  if (typeof result !== "object") return String(result);
  return Object.entries(result as Record<string, unknown>)
    .map(([k, v]) => `${k}=${typeof v === "object" ? JSON.stringify(v) : String(v)}`)
    .join("  ");
}

/** The time range as a strip; stretches of firing filled, ones without a run hatched. */
function Strip({ history, range, now }: { history: AlertEvent[]; range: ResolvedRange; now: number }) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const end = Math.max(range.end, range.start + 1);
  const x = (t: number): number =>
    ((Math.max(range.start, Math.min(end, t)) - range.start) / (end - range.start)) * width;
  const found = stretches(history, now).filter((s) => s.end >= range.start && s.start <= end);
  const total = found
    .filter((s) => s.kind === "firing")
    .reduce((sum, s) => sum + Math.min(s.end, end) - Math.max(s.start, range.start), 0);
  return (
    <>
      <p className="section-note">
        {found.length === 0 ? "Not in this time range" : `Firing for ${formatSeconds(total)} in this time range`}
      </p>
      <div
        ref={box}
        className="alert-strip"
        role="img"
        aria-label={
          found.length === 0
            ? "Never fired in this range"
            : found.map((s) => `${s.kind} from ${formatTime(s.start, "s")} to ${formatTime(s.end, "s")}`).join("; ")
        }
      >
        <div className="alert-lane">
          {found.map((s, i) => (
            <div
              key={i}
              className={s.kind}
              style={{ left: x(s.start), width: Math.max(2, x(s.end) - x(s.start)) }}
              title={`${s.kind} ${formatTime(s.start, "s")} → ${formatTime(s.end, "s")}`}
            />
          ))}
        </div>
        {width > 0 &&
          ticks(range.start, end, width).map((t) => (
            <span key={t} className="alert-tick" style={{ left: Math.min(x(t), width - 44) }}>
              {tickLabel(t, end - range.start)}
            </span>
          ))}
      </div>
    </>
  );
}
