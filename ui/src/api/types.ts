/** What the API's answers look like. Times are epoch seconds unless a name says otherwise. */

export interface Me {
  username: string;
  role: string;
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Message {
  severity: "info" | "warning" | "error";
  text: string;
  start?: number | null;
  end?: number | null;
  hint?: string | null;
}

export interface Job {
  sid: string;
  search: string;
  earliest: string | number | null;
  latest: string | number | null;
  state: JobState;
  progress: number;
  kind: "events" | "table";
  result_count: number;
  event_count: number;
  scanned_rows: number;
  run_duration_s: number;
  /** What the search gives over its newest events, while it has no rows of its own. */
  preview?: { rows: number; share: number } | null;
  messages: Message[];
  engine_ms?: number;
  python_ms?: number;
  created?: number | string;
  presentation?: { marks: string[]; icons: string[] };
  expires?: number | string;
}

export type FieldType = "number" | "string" | "time" | "multi" | "bool";
export type Cell = string | number | boolean | null | Cell[];

export interface ResultField {
  name: string;
  type: FieldType;
}

export interface Results {
  fields: ResultField[];
  rows: Cell[][];
  /** Texts to show in place of the values of fields that `fieldformat` shows in another way, row by row. */
  display?: Record<string, (string | null)[]>;
  total: number;
  partial: boolean;
}

export interface TimelineBucket {
  start: number;
  count: number;
  by?: Record<string, number>;
}

export interface TimelineAnswer {
  span_s: number;
  buckets: TimelineBucket[];
}

export interface FieldSummary {
  name: string;
  type: string;
  count: number;
  coverage: number;
  distinct: number;
  top: { value: Cell; count: number }[];
}

export interface Diagnostic {
  message: string;
  start: number;
  end: number;
  hint?: string | null;
}

export interface RegistryOption {
  name: string;
  type?: string;
  default?: unknown;
}

export interface RegistryCommand {
  name: string;
  summary: string;
  syntax?: string;
  example?: string;
  kind?: string;
  aliases?: string[];
  notes?: string;
  options?: RegistryOption[];
}

export interface RegistryFunction {
  name: string;
  summary?: string;
  syntax?: string;
  example?: string;
  notes?: string;
  kind: "eval" | "aggregate";
}

export interface Registry {
  commands: RegistryCommand[];
  functions: RegistryFunction[];
  algorithms: { name: string; summary?: string; options?: RegistryOption[] }[];
  scorers: { name: string; summary?: string; options?: RegistryOption[] }[];
}

export interface Suggestion {
  label: string;
  kind: string;
  insert: string;
  detail: string;
}

/** What may stand at the cursor, in place of the text from `start` on. */
export interface Suggestions {
  start: number;
  options: Suggestion[];
}

/** A time modifier of a search text and the moment it stands for, in epoch seconds. */
export interface TimeModifier {
  start: number;
  end: number;
  time: number;
}

export interface PastSearch {
  search: string;
  time: number;
  runs: number;
}

export type ChartKind = "line" | "area" | "bar" | "column" | "table" | "single" | "heatmap" | "pie" | "scatter";

export interface Panel {
  id: string;
  title: string;
  unit?: string;
  search: string;
  earliest?: string;
  latest?: string;
  chart: ChartKind;
  options?: Record<string, unknown>;
  x: number;
  y: number;
  w: number;
  h: number;
}

export type InputKind = "dropdown" | "radio" | "link" | "multiselect" | "checkbox" | "text" | "time";

export interface Choice {
  value: string;
  label: string;
}

/** What is chosen above the panels, for the `$token$` in their searches. */
export interface DashboardInput {
  token: string;
  kind: InputKind;
  label: string;
  choices: Choice[];
  /** Its rows are choices as well; empty for none. */
  search: string;
  earliest: string;
  latest: string;
  label_field: string;
  value_field: string;
  default: string | string[] | { earliest: string; latest: string } | null;
  select_first: boolean;
  prefix: string;
  suffix: string;
  value_prefix: string;
  value_suffix: string;
  delimiter: string;
}

export interface DashboardDefinition {
  earliest?: string;
  latest?: string;
  refresh_s?: number;
  inputs?: DashboardInput[];
  /** What is chosen counts once a button is pressed. */
  submit?: boolean;
  panels: Panel[];
}

/** A search and its range with the values of inputs in it, or what it waits for, or why it may not run. */
export interface Filled {
  search: string;
  earliest: string;
  latest: string;
  /** Labels of inputs that have no value. */
  waits_for: string[];
  problem: string;
}

export interface FilledDashboard {
  panels: Record<string, Filled & { title: string }>;
  inputs: Record<string, Filled & { values: string[] }>;
}

export interface Dashboard {
  id: number;
  owner?: string;
  bundled?: boolean;
  updated?: number;
  title: string;
  description?: string;
  definition: DashboardDefinition;
}

export interface SavedSearch {
  id: number;
  name: string;
  description: string;
  search: string;
  /** Empty texts: no range, no schedule. */
  earliest: string;
  latest: string;
  cron: string;
  enabled: boolean;
  owner: string;
  updated: number;
  next_run: number | null;
  last_scheduled: number | null;
}

/** One run of a scheduled search, as index=_internal tells it. */
export interface ScheduledRun {
  time: number;
  status?: string;
  run_time_s?: number;
  result_count?: number;
  error?: string;
  sid?: string;
  [key: string]: unknown;
}

export interface IndexStatus {
  name: string;
  datatype: "event" | "metric" | "trace";
  rows: number;
  size_bytes: number;
  earliest: number | null;
  latest: number | null;
}

export interface AlertCondition {
  kind: "rows" | "search" | "always";
  relation?: string | null;
  /** A number, or a share such as "20%" for drops and rises. */
  quantity?: number | string | null;
  search?: string | null;
}

export interface AlertAction {
  kind: string;
  url?: string;
  [key: string]: unknown;
}

export type AlertState = "ok" | "firing" | "suppressed" | "error";

export interface Alert {
  id: number;
  name: string;
  description: string;
  search: string;
  earliest: string;
  latest: string;
  cron: string;
  condition: AlertCondition;
  throttle_s: number;
  throttle_fields: string[];
  severity: string;
  actions: AlertAction[];
  enabled: boolean;
  state: AlertState;
  since: number | null;
  last_run: number | null;
  last_error: string;
  next_run: number | null;
  owner: string;
}

export interface AlertEvent {
  time: number;
  event: string;
  detail: string | null;
  result?: unknown;
}

export interface ModelScore {
  time: number;
  metric: string;
  value: number;
}

export interface ModelVersion {
  name: string;
  version: number;
  algorithm: string;
  target: string | null;
  features: string[];
  /** Columns of the model's matrix: number fields, and field=value for categories. */
  columns: string[];
  options: Record<string, string>;
  parameters: Record<string, unknown>;
  rows: number;
  trained_at: number;
  training_s: number;
  training_search: string;
  owner: string;
  app: string;
  sharing: string;
  size_bytes: number;
  library_version: string;
  scores: ModelScore[];
  /** Set instead of the rest when the model's files are damaged. */
  error?: string;
}

export interface Model extends ModelVersion {
  versions?: ModelVersion[];
}

export interface TraceSummary {
  trace_id: string;
  root_service: string;
  root_name: string;
  start: number;
  duration_ms: number;
  span_count: number;
  error_count: number;
  services: string[];
}

export interface SpanEvent {
  name: string;
  time_unix_nano?: string | number;
  attributes?: Record<string, unknown>;
}

export interface Span {
  span_id: string;
  parent_span_id: string;
  /** Its parent's id is known, its parent is not: shown as a root. */
  missing_parent: boolean;
  service: string;
  name: string;
  kind: string;
  start: number;
  offset_ms: number;
  start_ns: string;
  duration_ms: number;
  self_ms: number;
  status: string;
  status_message?: string;
  attributes: Record<string, unknown>;
  events: SpanEvent[];
  links: unknown[];
  error: boolean;
  root_cause: boolean;
  critical: [number, number][];
}

export interface TraceLog {
  time?: number;
  _time?: number;
  span_id?: string;
  severity?: string;
  body?: string;
  _raw?: string;
  [key: string]: unknown;
}

export interface Trace {
  trace_id: string;
  root_service: string;
  root_name: string;
  start: number;
  duration_ms: number;
  critical_path_ms: number;
  span_count: number;
  error_count: number;
  services: string[];
  truncated: boolean;
  spans: Span[];
  logs: TraceLog[];
}
