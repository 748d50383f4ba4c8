/** One line of truth under the editor: state, matches, scanned, time, where it ran, warnings. */
import { useState } from "react";
import { ApiError } from "../api/client";
import type { Job, Message } from "../api/types";
import { shortcut } from "../app/TopBar";
import { formatMs, formatNumber, formatSeconds, formatShare, plural } from "../design/format";
import { Icon } from "../design/Icon";
import { Failure } from "../design/States";
import { isRunning } from "./useJob";

interface Props {
  job: Job | undefined;
  starting: boolean;
  refused: boolean;
  plan: { open: boolean; toggle: () => void };
  onCancel: () => void;
  onRerun: () => void;
  /** Lays the text in the editor out; absent while it is empty. */
  onFormat?: () => void;
}

const STATE_WORDS: Record<Job["state"], string> = {
  queued: "Waiting",
  running: "Running",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

export function StatusLine({ job, starting, refused, plan, onCancel, onRerun, onFormat }: Props) {
  const [open, setOpen] = useState(false);
  const running = isRunning(job);
  const warnings = (job?.messages ?? []).filter((m) => m.severity !== "error" || job?.state !== "failed");
  const serious = warnings.filter((m) => m.severity !== "info");
  return (
    <div className="truth">
      <div
        className="truth-line"
        role="status"
        aria-live="polite"
        data-state={job?.state ?? (starting ? "starting" : "idle")}
      >
        {job === undefined ? (
          <span className={refused ? "truth-state failed" : "dim"}>
            {refused ? "Refused" : starting ? "Starting…" : "Ready"}
          </span>
        ) : (
          <>
            <span className={`truth-state ${job.state}`}>
              {STATE_WORDS[job.state]}
              {running && job.progress > 0 ? ` ${formatShare(Math.min(0.99, job.progress))}` : ""}
            </span>
            {job.kind === "events" ? (
              <span>
                <b>{formatNumber(job.event_count)}</b> {job.event_count === 1 ? "event" : "events"}
              </span>
            ) : (
              <span>
                <b>{formatNumber(job.result_count)}</b> {job.result_count === 1 ? "row" : "rows"}
              </span>
            )}
            {(job.scanned_rows > 0 || job.event_count === 0) && <span>{formatNumber(job.scanned_rows)} scanned</span>}
            <span>{formatSeconds(job.run_duration_s)}</span>
            {(job.engine_ms ?? 0) + (job.python_ms ?? 0) > 0 && (
              <span className="truth-split">
                engine {formatMs(job.engine_ms ?? 0)} · Python {formatMs(job.python_ms ?? 0)}
              </span>
            )}
            {!running && job.kind === "events" && job.result_count < job.event_count && (
              <span className="dim">newest {formatNumber(job.result_count)} kept</span>
            )}
          </>
        )}
        {warnings.length > 0 && (
          <button
            type="button"
            className={serious.length > 0 ? "text-button truth-warn" : "text-button"}
            aria-expanded={open}
            onClick={() => setOpen(!open)}
          >
            {serious.length > 0 && <Icon name="warn" size={13} />} {plural(warnings.length, "message")}
          </button>
        )}
        <span className="truth-end">
          {running || starting ? (
            <button type="button" className="button plain" onClick={onCancel} disabled={!running}>
              <Icon name="stop" /> Cancel
            </button>
          ) : (
            <>
              {onFormat && (
                <button
                  type="button"
                  className="text-button small"
                  title={`Format (${shortcut("\\")})`}
                  onClick={onFormat}
                >
                  Format
                </button>
              )}
              <button type="button" className="text-button small" aria-expanded={plan.open} onClick={plan.toggle}>
                Plan
              </button>
            </>
          )}
          {!running && !starting && job && (
            <button type="button" className="icon-button" aria-label="Run again" title="Run again" onClick={onRerun}>
              <Icon name="refresh" />
            </button>
          )}
        </span>
      </div>
      <div className="truth-bar" aria-hidden="true">
        {(running || starting) && (
          <div
            className={job && job.progress > 0 ? "truth-fill" : "truth-fill unsure"}
            style={{ width: job && job.progress > 0 ? `${job.progress * 100}%` : undefined }}
          />
        )}
      </div>
      {open && <Messages messages={warnings} />}
    </div>
  );
}

function Messages({ messages }: { messages: Message[] }) {
  return (
    <ul className="truth-messages">
      {messages.map((m, i) => (
        <li key={i} className={m.severity}>
          {m.text}
          {m.hint && <span className="dim"> {m.hint}</span>}
        </li>
      ))}
    </ul>
  );
}

/** A failed search: the error with its place in the text shown under a caret line. */
export function SearchFailure({ job, search }: { job: Job; search: string }) {
  const errors = job.messages.filter((m) => m.severity === "error");
  const shown =
    errors.length > 0 ? errors : [{ severity: "error" as const, text: "the search failed without a message" }];
  return (
    <>
      {shown.map((m, i) => (
        <div className="failure" role="alert" key={i}>
          <Icon name="error" />
          <div>
            <p className="failure-text">{m.text}</p>
            {typeof m.start === "number" && m.start >= 0 && (
              <Caret search={search} start={m.start} end={m.end ?? m.start + 1} />
            )}
            {m.hint && <p className="failure-hint">{m.hint}</p>}
          </div>
        </div>
      ))}
    </>
  );
}

/** A search that the server would not start, with the place of the mistake. */
export function SearchRefused({ error, search, retry }: { error: unknown; search: string; retry: () => void }) {
  if (!(error instanceof ApiError) || !error.position) return <Failure error={error} retry={retry} />;
  return (
    <div className="failure" role="alert">
      <Icon name="error" />
      <div>
        <p className="failure-text">{error.message}</p>
        <Caret search={search} start={error.position.start} end={error.position.end} />
        {error.hint && <p className="failure-hint">{error.hint}</p>}
      </div>
    </div>
  );
}

export function Caret({ search, start, end }: { search: string; start: number; end: number }) {
  const lineStart = search.lastIndexOf("\n", Math.max(0, start - 1)) + 1;
  const lineEnd = search.indexOf("\n", start);
  const line = search.slice(lineStart, lineEnd < 0 ? undefined : lineEnd);
  if (line.trim() === "") return null;
  const at = start - lineStart;
  const length = Math.max(1, Math.min(end, lineStart + line.length) - start);
  return <pre className="caret">{`${line}\n${" ".repeat(Math.max(0, at))}${"^".repeat(length)}`}</pre>;
}
