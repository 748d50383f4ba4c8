/** Alerts by urgency, and the searches that run on a schedule. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { request } from "../api/client";
import type { Alert } from "../api/types";
import { useCarried, useRange, useSetParams } from "../app/useRange";
import { useWhere } from "../app/where";
import { formatAgo } from "../design/format";
import { Icon } from "../design/Icon";
import { Badge, Empty, Failure, Skeleton } from "../design/States";
import { AlertForm } from "./AlertForm";
import { Schedules } from "./Schedules";
import { conditionText, STATE_TONES, STATE_WORDS, urgency } from "./state";
import "./alerts.css";

export function AlertsPage() {
  const params = useSearch({ strict: false }) as { state?: string; tab?: string; new?: string; q?: string };
  const setParams = useSetParams();
  const { range, live } = useRange();
  const carried = useCarried();
  const navigate = useNavigate();
  useWhere({ label: "Alerts" });
  const answer = useQuery({
    queryKey: ["alerts"],
    queryFn: ({ signal }) => request<Alert[]>("/alerts", { signal }),
    refetchInterval: live ? 5000 : false,
  });
  const tab = params.tab ?? "alerts";
  const now = Date.now() / 1000;
  const all = [...(answer.data ?? [])].sort(
    (a, b) => urgency(b.state) - urgency(a.state) || a.name.localeCompare(b.name),
  );
  const shown = params.state ? all.filter((a) => a.state === params.state) : all;
  const newButton = (
    <button type="button" className="button" onClick={() => setParams({ new: "1" }, false)}>
      <Icon name="plus" /> New alert
    </button>
  );
  return (
    <div className="page">
      <div className="row wrap page-tools">
        <div className="segmented" role="group" aria-label="What to show">
          <button type="button" aria-pressed={tab === "alerts"} onClick={() => setParams({ tab: undefined }, false)}>
            Alerts
          </button>
          <button
            type="button"
            aria-pressed={tab === "schedules"}
            onClick={() => setParams({ tab: "schedules" }, false)}
          >
            Scheduled searches
          </button>
        </div>
        {tab === "alerts" && all.length > 0 && (
          <label className="inline small">
            State
            <select value={params.state ?? ""} onChange={(e) => setParams({ state: e.target.value || undefined })}>
              <option value="">any</option>
              {Object.entries(STATE_WORDS).map(([state, word]) => (
                <option key={state} value={state}>
                  {word}
                </option>
              ))}
            </select>
          </label>
        )}
        <span className="grow" />
        {tab === "alerts" && newButton}
      </div>
      {tab === "schedules" ? (
        <Schedules />
      ) : answer.isPending ? (
        <Skeleton rows={6} height={20} />
      ) : answer.error && !answer.data ? (
        <Failure error={answer.error} retry={() => void answer.refetch()} />
      ) : all.length === 0 ? (
        <Empty title="Nothing is being watched yet" action={newButton}>
          An alert runs a search on a schedule and tells a webhook when its condition holds. Write the search on the
          Search page and choose "Create alert", or start here.
        </Empty>
      ) : shown.length === 0 ? (
        <Empty
          title={`No alert is ${STATE_WORDS[params.state as Alert["state"]] ?? params.state}`}
          action={
            <button type="button" className="button" onClick={() => setParams({ state: undefined })}>
              All alerts
            </button>
          }
        />
      ) : (
        <div className={answer.error ? "table-wrap stale" : "table-wrap"}>
          <table className="plain">
            <thead>
              <tr>
                <th>State</th>
                <th>Alert</th>
                <th>Severity</th>
                <th>Since</th>
                <th>Fires on</th>
                <th>Last run</th>
                <th>Next run</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((a) => (
                <tr
                  key={a.id}
                  className={`link alert-${a.state}`}
                  onClick={(e) =>
                    !(e.target as HTMLElement).closest("a") &&
                    void navigate({ to: "/alerts/$id", params: { id: String(a.id) }, search: carried })
                  }
                >
                  <td>
                    {a.enabled ? (
                      <Badge tone={STATE_TONES[a.state] ?? "quiet"}>{STATE_WORDS[a.state] ?? a.state}</Badge>
                    ) : (
                      <Badge tone="quiet">off</Badge>
                    )}
                  </td>
                  <td>
                    <Link to="/alerts/$id" params={{ id: String(a.id) }} search={carried}>
                      {a.name}
                    </Link>
                    {a.last_error && (
                      <div className="small tone-warn clip-line" title={a.last_error}>
                        {a.last_error}
                      </div>
                    )}
                  </td>
                  <td>{a.severity}</td>
                  <td className="nowrap">{a.since ? formatAgo(a.since, now) : ""}</td>
                  <td className="dim">{conditionText(a.condition)}</td>
                  <td className="nowrap">{a.last_run ? formatAgo(a.last_run, now) : "never"}</td>
                  <td className="nowrap dim">{a.enabled && a.next_run ? formatAgo(a.next_run, now) : ""}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {params.new === "1" && (
        <AlertForm
          start={{ search: params.q ?? "", earliest: range.earliest, latest: range.latest }}
          onClose={() => setParams({ new: undefined, q: undefined })}
          onDone={(made) => void navigate({ to: "/alerts/$id", params: { id: String(made.id) } })}
        />
      )}
    </div>
  );
}
