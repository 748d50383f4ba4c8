/** Makes or changes an alert. The server checks the search, the schedule and the condition; its words are shown here. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../api/client";
import type { Alert, AlertAction, AlertCondition } from "../api/types";
import { toSplTime } from "../app/timeRange";
import { Dialog } from "../design/Dialog";
import { Failure } from "../design/States";
import { SearchEditor } from "../search/SearchEditor";
import { useKnown } from "../search/useKnown";
import { EmailFields, NEW_EMAIL } from "./EmailFields";
import "../search/search.css";
import "./alerts.css";

const RELATIONS = ["greater than", "less than", "equal to", "not equal to", "drops by", "rises by"];
const SEVERITIES = ["debug", "info", "warning", "error", "critical", "fatal"];

interface Props {
  alert?: Alert;
  start?: { search: string; earliest: string; latest: string };
  onDone: (alert: Alert) => void;
  onClose: () => void;
}

export function AlertForm({ alert, start, onDone, onClose }: Props) {
  const client = useQueryClient();
  const first = (kind: string): AlertAction | undefined => alert?.actions.find((a) => a.kind === kind);
  const [name, setName] = useState(alert?.name ?? "");
  const [search, setSearch] = useState(alert?.search ?? start?.search ?? "");
  const [earliest, setEarliest] = useState(alert?.earliest ?? start?.earliest ?? "-15m");
  const [latest, setLatest] = useState(alert?.latest ?? start?.latest ?? "now");
  const [cron, setCron] = useState(alert?.cron ?? "*/5 * * * *");
  const [condition, setCondition] = useState<AlertCondition>(
    alert?.condition ?? { kind: "rows", relation: "greater than", quantity: 0 },
  );
  const [throttle, setThrottle] = useState(String(alert?.throttle_s ?? 0));
  const [fields, setFields] = useState((alert?.throttle_fields ?? []).join(", "));
  const [severity, setSeverity] = useState(alert?.severity ?? "warning");
  const [url, setUrl] = useState(first("webhook")?.url ?? "");
  const [email, setEmail] = useState<AlertAction | null>(first("email") ?? null);
  const [enabled, setEnabled] = useState(alert?.enabled ?? true);
  const known = useKnown();
  const save = useMutation({
    mutationFn: () => {
      const hook: AlertAction | null =
        url.trim() === "" ? null : { ...first("webhook"), kind: "webhook", url: url.trim() };
      const others = alert?.actions.filter((a) => a !== first("webhook") && a !== first("email")) ?? [];
      const body = {
        name: name.trim(),
        search: search.trim(),
        earliest: toSplTime(earliest),
        latest: toSplTime(latest),
        cron: cron.trim(),
        severity,
        enabled,
        condition:
          condition.kind === "search"
            ? { kind: "search", search: condition.search ?? "" }
            : condition.kind === "always"
              ? { kind: "always" }
              : { kind: "rows", relation: condition.relation, quantity: condition.quantity },
        throttle_s: Number(throttle) || 0,
        throttle_fields: fields.split(/[\s,]+/).filter(Boolean),
        actions: [...others, hook, email].filter((action) => action !== null),
      };
      return alert
        ? request<Alert>(`/alerts/${alert.id}`, { method: "PUT", body })
        : request<Alert>("/alerts", { method: "POST", body });
    },
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: ["alerts"] });
      await client.invalidateQueries({ queryKey: ["alert"] });
      onDone(saved);
    },
  });
  const ready = name.trim() !== "" && search.trim() !== "" && cron.trim() !== "";
  return (
    <Dialog
      title={alert ? `Edit "${alert.name}"` : "New alert"}
      wide
      onClose={onClose}
      onSubmit={() => ready && save.mutate()}
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={!ready || save.isPending}>
            {alert ? "Save" : "Create"}
          </button>
        </>
      }
    >
      <div className="form-grid">
        <label className="half">
          Name
          <input value={name} onChange={(e) => setName(e.target.value)} required autoFocus={!alert} />
        </label>
        <label className="quarter">
          Severity
          <select value={severity} onChange={(e) => setSeverity(e.target.value)}>
            {[...new Set([...SEVERITIES, severity])].map((s) => (
              <option key={s}>{s}</option>
            ))}
          </select>
        </label>
        <label className="quarter">
          Schedule (cron)
          <input className="mono" value={cron} onChange={(e) => setCron(e.target.value)} required spellCheck={false} />
        </label>
        <div className="panel-editor">
          <SearchEditor
            value={search}
            onChange={setSearch}
            onRun={setSearch}
            known={known}
            label="The alert's search in SPL"
          />
        </div>
        <label className="quarter">
          From
          <input className="mono" value={earliest} onChange={(e) => setEarliest(e.target.value)} />
        </label>
        <label className="quarter">
          To
          <input className="mono" value={latest} onChange={(e) => setLatest(e.target.value)} />
        </label>
        <label className="half">
          Fires when
          <select
            value={condition.kind}
            onChange={(e) =>
              setCondition(
                e.target.value === "search"
                  ? { kind: "search", search: "" }
                  : e.target.value === "always"
                    ? { kind: "always" }
                    : { kind: "rows", relation: "greater than", quantity: 0 },
              )
            }
          >
            <option value="rows">the number of rows is …</option>
            <option value="search">a further search gives rows</option>
            <option value="always">it has run</option>
          </select>
        </label>
        {condition.kind === "rows" ? (
          <>
            <label className="half">
              Relation
              <select
                value={condition.relation ?? RELATIONS[0]}
                onChange={(e) => setCondition({ ...condition, relation: e.target.value })}
              >
                {[...new Set([...RELATIONS, condition.relation ?? RELATIONS[0]!])].map((r) => (
                  <option key={r}>{r}</option>
                ))}
              </select>
            </label>
            <label className="half">
              Rows (a share such as 20% for drops by, rises by)
              <input
                value={String(condition.quantity ?? 0)}
                onChange={(e) => setCondition({ ...condition, quantity: e.target.value.trim() })}
                inputMode="decimal"
              />
            </label>
          </>
        ) : condition.kind === "search" ? (
          <label>
            Condition, a search over the result
            <input
              className="mono"
              value={condition.search ?? ""}
              onChange={(e) => setCondition({ ...condition, search: e.target.value })}
              placeholder="where recall < 0.8"
              spellCheck={false}
            />
          </label>
        ) : null}
        <label className="quarter">
          Quiet after firing, seconds
          <input type="number" min={0} value={throttle} onChange={(e) => setThrottle(e.target.value)} />
        </label>
        <label className="quarter">
          Quiet for each value of
          <input
            className="mono"
            value={fields}
            onChange={(e) => setFields(e.target.value)}
            placeholder="host, service"
            spellCheck={false}
          />
        </label>
        <label className="half">
          Webhook address
          <input
            value={url}
            onChange={(e) => setUrl(e.target.value)}
            placeholder="https://example.com/hook"
            inputMode="url"
            spellCheck={false}
          />
        </label>
        <label className="inline">
          <input
            type="checkbox"
            checked={email !== null}
            onChange={(e) => setEmail(e.target.checked ? (first("email") ?? NEW_EMAIL) : null)}
          />{" "}
          Sends an e-mail
        </label>
        {email && <EmailFields email={email} onChange={setEmail} />}
        <label className="inline">
          <input type="checkbox" checked={enabled} onChange={(e) => setEnabled(e.target.checked)} /> Runs on its
          schedule
        </label>
        {save.error && <Failure error={save.error} compact />}
      </div>
    </Dialog>
  );
}
