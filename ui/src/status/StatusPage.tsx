/** How the server is: received against stored, what was refused or cut, what each index holds and keeps, backups, processes. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { request } from "../api/client";
import type { IndexStatus } from "../api/types";
import { useRange } from "../app/useRange";
import { useWhere } from "../app/where";
import { formatAgo, formatBytes, formatNumber, formatSeconds, formatShare } from "../design/format";
import { Badge, Command, Failure, Skeleton } from "../design/States";
import { indexSearch } from "../search/SearchStart";
import "./status.css";

interface Status {
  version: string;
  uptime_s: number;
  data: string;
  disk: { total_bytes: number; free_bytes: number };
  memory: { engine_bytes: number | null; process_bytes: number | null };
  processes: { name: string; pid: number; running: boolean; memory_bytes: number | null }[];
  journal: { waiting_bytes: number };
  ledger: LedgerRow[];
  reasons: { source: string; index: string; reason: string; refused: number; cut: number }[];
  quarantine: { requests: number; bytes: number; newest: SetAside[] };
  sourcetypes: { state: "none" | "loaded" | "refused"; problem: string; own: number; builtin: number };
  indexes: IndexStatus[];
  retention: { ran_at: number | null; interval_s: number; indexes: Kept[] };
  backup: Backup | null;
}

interface SetAside {
  name: string;
  reason: string;
  kind: string;
  index: string;
  records: number;
  received_ms: number;
  size_bytes: number;
  damaged: boolean;
}

interface Kept {
  name: string;
  max_age_s: number;
  max_bytes: number;
  removed: { time: number; rows: number | null; reason: string | null } | null;
}

interface Backup {
  time: number;
  target: string;
  snapshot?: string;
  size_bytes?: number;
  copied_bytes?: number;
  error?: string;
}

interface LedgerRow {
  source?: string;
  token?: string;
  index?: string;
  received?: number;
  stored?: number;
  refused?: number;
  waiting?: number;
  reasons?: Record<string, number> | string;
  [key: string]: unknown;
}

export function StatusPage() {
  useWhere({ label: "Status" });
  const { live } = useRange();
  const answer = useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => request<Status>("/status", { signal }),
    refetchInterval: live ? 5000 : false,
  });
  if (answer.isPending)
    return (
      <div className="page">
        <Skeleton rows={10} />
      </div>
    );
  const status = answer.data;
  if (!status)
    return (
      <div className="page">
        <Failure error={answer.error} retry={() => void answer.refetch()} />
      </div>
    );
  const now = Date.now() / 1000;
  const used = 1 - status.disk.free_bytes / Math.max(1, status.disk.total_bytes);
  const memory =
    status.processes.reduce((sum, p) => sum + (p.memory_bytes ?? 0), 0) || (status.memory.process_bytes ?? 0);
  return (
    <div className={answer.error ? "page stale" : "page"}>
      {answer.error && <Failure error={answer.error} compact retry={() => void answer.refetch()} />}
      <dl className="strip">
        <div>
          <dt>Version</dt>
          <dd>{status.version}</dd>
        </div>
        <div>
          <dt>Up for</dt>
          <dd>{formatSeconds(status.uptime_s)}</dd>
        </div>
        <div>
          <dt>Memory</dt>
          <dd>
            {formatBytes(memory)}{" "}
            {status.memory.engine_bytes !== null && <small>engine {formatBytes(status.memory.engine_bytes)}</small>}
          </dd>
        </div>
        <div>
          <dt>Waiting in the journal</dt>
          <dd>{formatBytes(status.journal.waiting_bytes)}</dd>
        </div>
        <div>
          <dt>Disk free</dt>
          <dd className={used > 0.95 ? "tone-error" : used > 0.85 ? "tone-warn" : ""}>
            {formatBytes(status.disk.free_bytes)} <small>{formatShare(used)} used</small>
          </dd>
        </div>
      </dl>

      <section className="section">
        <h2>Received and stored</h2>
        <p className="section-note">for every source and index: received = stored + refused + waiting</p>
        <Ledger rows={status.ledger} />
      </section>

      <section className="section">
        <h2>Refused, cut and folded</h2>
        <p className="section-note">by reason, since the ledger began</p>
        <Reasons rows={status.reasons} />
      </section>

      <section className="section">
        <h2>Quarantine</h2>
        <p className="section-note">requests that were acknowledged and cannot be stored</p>
        <Quarantine held={status.quarantine} now={now} />
      </section>

      <section className="section">
        <h2>Rules for sourcetypes</h2>
        <p>
          {status.sourcetypes.state === "refused" ? (
            <Badge tone="error">refused</Badge>
          ) : status.sourcetypes.state === "loaded" ? (
            <Badge tone="ok">loaded</Badge>
          ) : (
            <span className="dim">none of your own;</span>
          )}{" "}
          {status.sourcetypes.own > 0 && `${formatNumber(status.sourcetypes.own)} of sourcetypes.yml, `}
          {formatNumber(status.sourcetypes.builtin)} that come with the program
        </p>
        {status.sourcetypes.problem && (
          <p className="tone-error">{status.sourcetypes.problem}. The rules of before stay in force.</p>
        )}
      </section>

      <section className="section">
        <h2>Indexes</h2>
        <div className="table-wrap">
          <table className="plain">
            <thead>
              <tr>
                <th>Index</th>
                <th>Holds</th>
                <th className="num">Rows</th>
                <th className="num">On disk</th>
                <th className="num">A row</th>
                <th>Oldest</th>
                <th>Newest</th>
                <th>Keeps</th>
                <th>Removed last</th>
              </tr>
            </thead>
            <tbody>
              {status.indexes.map((i) => (
                <tr key={i.name}>
                  <td>
                    <Link to="/search" search={{ q: indexSearch(i) }} className="mono">
                      {i.name}
                    </Link>
                  </td>
                  <td>{{ event: "events", metric: "metrics", trace: "spans" }[i.datatype] ?? i.datatype}</td>
                  <td className="num">{formatNumber(i.rows)}</td>
                  <td className="num">{formatBytes(i.size_bytes)}</td>
                  <td className="num dim">{i.rows > 0 ? formatBytes(i.size_bytes / i.rows) : ""}</td>
                  <td className="nowrap dim">
                    {i.earliest === null || i.rows === 0 ? "" : formatAgo(i.earliest, now)}
                  </td>
                  <td className="nowrap">
                    {i.latest === null || i.rows === 0 ? <span className="dim">empty</span> : formatAgo(i.latest, now)}
                  </td>
                  <Retained kept={status.retention.indexes.find((k) => k.name === i.name)} now={now} />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p className="dim small">
          {status.retention.ran_at === null
            ? `Limits are applied every ${formatSeconds(status.retention.interval_s)}; not yet since the start`
            : `Limits were applied ${formatAgo(status.retention.ran_at, now)}`}
        </p>
      </section>

      <section className="section">
        <h2>Last backup</h2>
        {status.backup === null ? (
          <>
            <p className="dim">None was made. Everything goes on while one is:</p>
            <Command text="sightline backup /path/of/a/folder" />
          </>
        ) : (
          <p>
            {status.backup.error ? <Badge tone="error">failed</Badge> : <Badge tone="ok">made</Badge>}{" "}
            {formatAgo(status.backup.time, now)} to <code>{status.backup.target}</code>
            {status.backup.error
              ? `: ${status.backup.error}`
              : `, ${formatBytes(status.backup.size_bytes ?? 0)}, of which ${formatBytes(status.backup.copied_bytes ?? 0)} were new`}
          </p>
        )}
      </section>

      <section className="section">
        <h2>Processes</h2>
        <div className="table-wrap">
          <table className="plain narrow">
            <thead>
              <tr>
                <th>Process</th>
                <th>State</th>
                <th className="num">Process id</th>
                <th className="num">Memory</th>
              </tr>
            </thead>
            <tbody>
              {status.processes.map((p) => (
                <tr key={`${p.name}${p.pid}`}>
                  <td>{p.name}</td>
                  <td>{p.running ? <Badge tone="ok">running</Badge> : <Badge tone="error">not running</Badge>}</td>
                  <td className="num">{p.pid}</td>
                  <td className="num">{p.memory_bytes === null ? "" : formatBytes(p.memory_bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p className="dim small">
          Data in <code>{status.data}</code>
        </p>
      </section>
    </div>
  );
}

function Reasons({ rows }: { rows: Status["reasons"] }) {
  if (rows.length === 0) return <p className="dim">Nothing was refused or cut.</p>;
  return (
    <div className="table-wrap">
      <table className="plain">
        <thead>
          <tr>
            <th>Source</th>
            <th>Index</th>
            <th className="num">Refused</th>
            <th className="num">Cut or folded</th>
            <th>Reason</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => (
            <tr key={`${r.source} ${r.index} ${r.reason}`}>
              <td>{r.source}</td>
              <td>{r.index}</td>
              <td className={r.refused > 0 ? "num tone-warn" : "num dim"}>{formatNumber(r.refused)}</td>
              <td className={r.cut > 0 ? "num tone-warn" : "num dim"}>{formatNumber(r.cut)}</td>
              <td className="prose">{r.reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Quarantine({ held, now }: { held: Status["quarantine"]; now: number }) {
  if (held.requests === 0) return <p className="dim">Nothing is set aside.</p>;
  return (
    <>
      <p>
        {formatNumber(held.requests)} {held.requests === 1 ? "request" : "requests"}, {formatBytes(held.bytes)}
      </p>
      <div className="table-wrap">
        <table className="plain">
          <thead>
            <tr>
              <th>Received</th>
              <th>Kind</th>
              <th>Index</th>
              <th className="num">Records</th>
              <th className="num">Size</th>
              <th>Reason</th>
            </tr>
          </thead>
          <tbody>
            {held.newest.map((one) => (
              <tr key={one.name} title={one.name}>
                <td className="nowrap">{one.received_ms === 0 ? "" : formatAgo(one.received_ms / 1000, now)}</td>
                <td>{one.kind}</td>
                <td>{one.index}</td>
                <td className="num">{one.records === 0 ? "" : formatNumber(one.records)}</td>
                <td className="num">{formatBytes(one.size_bytes)}</td>
                <td className="prose">
                  {one.damaged && <Badge tone="error">damaged</Badge>} {one.reason}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Command text="sightline quarantine list" />
    </>
  );
}

function Retained({ kept, now }: { kept: Kept | undefined; now: number }) {
  const limits = [
    kept && kept.max_age_s > 0 ? formatSeconds(kept.max_age_s) : "",
    kept && kept.max_bytes > 0 ? formatBytes(kept.max_bytes) : "",
  ].filter(Boolean);
  const removed = kept?.removed;
  return (
    <>
      <td className="nowrap">{limits.length > 0 ? limits.join(", ") : <span className="dim">for ever</span>}</td>
      <td className="nowrap dim">
        {removed
          ? `${formatNumber(removed.rows ?? 0)} rows for ${removed.reason ?? "a limit"}, ${formatAgo(removed.time, now)}`
          : ""}
      </td>
    </>
  );
}

const COUNTS = ["received", "stored", "cut", "refused", "waiting"] as const;

function Ledger({ rows }: { rows: LedgerRow[] }) {
  if (rows.length === 0) {
    return (
      <>
        <p className="dim">
          Nothing has been received since the ledger began. The first bytes can come from any OpenTelemetry exporter:
        </p>
        <Command text="export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" />
      </>
    );
  }
  const names = [...new Set(rows.flatMap((r) => Object.keys(r)))].filter(
    (n) =>
      !COUNTS.includes(n as never) &&
      n !== "reasons" &&
      rows.some((r) => r[n] !== null && r[n] !== "" && r[n] !== undefined),
  );
  const hasReasons = rows.some((r) => r.reasons && Object.keys(r.reasons).length > 0);
  return (
    <div className="table-wrap">
      <table className="plain">
        <thead>
          <tr>
            {names.map((n) => (
              <th key={n}>{n}</th>
            ))}
            {COUNTS.map((n) => (
              <th key={n} className="num">
                {n}
              </th>
            ))}
            {hasReasons && <th>Reasons</th>}
            <th>Adds up</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((r, i) => {
            const missing = (r.received ?? 0) - (r.stored ?? 0) - (r.refused ?? 0) - (r.waiting ?? 0);
            return (
              <tr key={i}>
                {names.map((n) => (
                  <td key={n}>{typeof r[n] === "number" ? formatNumber(r[n]) : String(r[n] ?? "")}</td>
                ))}
                {COUNTS.map((n) => (
                  <td key={n} className={n === "refused" && (r.refused ?? 0) > 0 ? "num tone-warn" : "num"}>
                    {formatNumber(Number(r[n] ?? 0))}
                  </td>
                ))}
                {hasReasons && (
                  <td className="dim">
                    {typeof r.reasons === "object"
                      ? Object.entries(r.reasons)
                          .map(([why, n]) => `${why}: ${formatNumber(n)}`)
                          .join("; ")
                      : (r.reasons ?? "")}
                  </td>
                )}
                <td>
                  {missing === 0 ? (
                    <Badge tone="ok">yes</Badge>
                  ) : (
                    <Badge tone="error">
                      {formatNumber(Math.abs(missing))} {missing > 0 ? "missing" : "too many"}
                    </Badge>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
