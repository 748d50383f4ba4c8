/** The states every page shares: loading, empty, failed; and small marks for state and severity. */
import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import { Icon } from "./Icon";

export function Skeleton({ rows = 6, height }: { rows?: number; height?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className="skeleton-row" style={{ height, width: `${[92, 78, 85, 66, 88, 73][i % 6]}%` }} />
      ))}
    </div>
  );
}

export function Empty({
  title,
  children,
  command,
  action,
}: {
  title: string;
  children?: ReactNode;
  command?: string;
  action?: ReactNode;
}) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {command && <Command text={command} />}
      {action}
    </div>
  );
}

/** A command to copy. */
export function Command({ text }: { text: string }) {
  return (
    <div className="command-line">
      <code>{text}</code>
      <button
        type="button"
        className="icon-button"
        aria-label="Copy the command"
        onClick={() => void navigator.clipboard?.writeText(text)}
      >
        <Icon name="copy" />
      </button>
    </div>
  );
}

export function Failure({ error, retry, compact }: { error: unknown; retry?: () => void; compact?: boolean }) {
  const hint = error instanceof ApiError ? error.hint : undefined;
  return (
    <div className={compact ? "failure compact" : "failure"} role="alert">
      <Icon name="error" />
      <div>
        <p className="failure-text">{errorText(error)}</p>
        {hint && <p className="failure-hint">{hint}</p>}
      </div>
      {retry && (
        <button type="button" className="button" onClick={retry}>
          <Icon name="refresh" /> Try again
        </button>
      )}
    </div>
  );
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export type Tone = "ok" | "warn" | "error" | "info" | "quiet";

const MARKS: Record<Tone, string> = { ok: "✓", warn: "▲", error: "●", info: "●", quiet: "○" };

/** A state in a word, with a shape and a colour beside it. */
export function Badge({ tone, children, title }: { tone: Tone; children: ReactNode; title?: string }) {
  return (
    <span className={`badge ${tone}`} title={title}>
      <span aria-hidden="true" className="badge-mark">
        {MARKS[tone]}
      </span>
      {children}
    </span>
  );
}
