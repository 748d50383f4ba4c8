/**
 * Scores of models. A model carries the scores recorded with it; where a scheduled search applies it and collects the
 * outcome as metrics, those are its scores. Pure.
 */
import type { Cell, ModelVersion, Results, SavedSearch } from "../api/types";
import { toEpoch } from "../design/format";

export interface ScorePoint {
  time: number;
  metric: string;
  /** The class the score is of; empty for the whole. */
  label: string;
  value: number;
}

export interface Scoring {
  search: SavedSearch;
  index: string;
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The saved search that applies a model and collects its scores, if there is one. */
export function scoringOf(model: string, searches: SavedSearch[]): Scoring | null {
  const applies = new RegExp(`\\bapply\\s+"?(?:app:)?${escape(model)}"?(?![\\w.-])`);
  for (const search of searches) {
    const index = /\bmcollect\b[^|]*?\bindex\s*=\s*"?([\w.-]+)/.exec(search.search)?.[1];
    if (index !== undefined && applies.test(search.search)) return { search, index };
  }
  return null;
}

/** The saved searches that train a model. */
export const trainingOf = (model: string, searches: SavedSearch[]): SavedSearch[] =>
  searches.filter((s) =>
    new RegExp(`\\bfit\\b[^|]*\\binto\\s+"?(?:app:)?${escape(model)}"?(?![\\w.-])`).test(s.search),
  );

/** Reads the scores a scoring search has collected. */
export const scoresSearch = (index: string, span: string): string =>
  `| mstats latest(_value) AS value WHERE index=${index} metric_name="*score.*" BY metric_name operation span=${span}`;

export const confusionSearch = (index: string): string =>
  `| mstats latest(_value) AS value WHERE index=${index} metric_name="*confusion_matrix.*" BY metric_name operation | eval actual=replace(metric_name, "^.*confusion_matrix\\.", ""), predicted=operation | xyseries actual predicted value`;

export const importanceSearch = (index: string): string =>
  `| mstats latest(_value) AS importance WHERE index=${index} metric_name="*feature_importance" BY operation | rename operation AS feature | sort - importance`;

/** Rows of `scoresSearch` as points. Metric "mlops.x.score.recall" of operation "scored(a)" is recall of a. */
export function pointsOf(results: Results): ScorePoint[] {
  const at = (name: string): number => results.fields.findIndex((f) => f.name === name);
  const [time, metric, operation, value] = [at("_time"), at("metric_name"), at("operation"), at("value")];
  const points: ScorePoint[] = [];
  for (const row of results.rows) {
    const t = toEpoch(row[time] as Cell);
    const v = row[value];
    if (t === null || typeof v !== "number") continue;
    const name = String(row[metric] ?? "");
    points.push({
      time: t,
      metric: name.slice(name.lastIndexOf(".") + 1),
      label: /^scored\((.*)\)$/.exec(String(row[operation] ?? ""))?.[1] ?? String(row[operation] ?? ""),
      value: v,
    });
  }
  return points.sort((a, b) => a.time - b.time);
}

/** Scores kept with the versions of a model as points. */
export const recordedPoints = (versions: ModelVersion[]): ScorePoint[] =>
  versions
    .flatMap((v) => (v.scores ?? []).map((s) => ({ time: s.time, metric: s.metric, label: "", value: s.value })))
    .sort((a, b) => a.time - b.time);

const PREFERRED = [
  "accuracy",
  "f1",
  "fbeta_score",
  "f1_score",
  "recall",
  "r2",
  "r2_score",
  "silhouette_score",
  "precision",
];

/** The metrics there are, the one to show first in front. */
export function metricsIn(points: ScorePoint[]): string[] {
  const names = [...new Set(points.map((p) => p.metric))].filter((n) => n !== "support");
  const rank = (n: string): number => {
    const at = PREFERRED.indexOf(n);
    return at < 0 ? PREFERRED.length : at;
  };
  return names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/** One value a time for the sparkline: the mean over the classes. */
export function overall(points: ScorePoint[], metric: string): { time: number; value: number; worst: ScorePoint }[] {
  const byTime = new Map<number, ScorePoint[]>();
  for (const p of points) {
    if (p.metric !== metric) continue;
    const list = byTime.get(p.time);
    if (list) list.push(p);
    else byTime.set(p.time, [p]);
  }
  return [...byTime]
    .sort(([a], [b]) => a - b)
    .map(([time, list]) => ({
      time,
      value: list.reduce((sum, p) => sum + p.value, 0) / list.length,
      worst: list.reduce((least, p) => (p.value < least.value ? p : least)),
    }));
}

export interface Judgement {
  state: "good" | "worse" | "unknown";
  reason: string;
}

/** Whether a model is in trouble: its score now against the best tenth of what it was before. */
export function judge(series: { time: number; value: number; worst: ScorePoint }[]): Judgement {
  if (series.length < 3)
    return { state: "unknown", reason: series.length === 0 ? "no scores" : "too few scores to compare" };
  const last = series[series.length - 1]!;
  const before = series
    .slice(0, -1)
    .map((s) => s.value)
    .sort((a, b) => b - a);
  const usual = before[Math.floor(before.length * 0.1)]!;
  const drop = usual - last.value;
  if (drop <= 0.05 * Math.max(1, Math.abs(usual))) return { state: "good", reason: "as before" };
  const since = [...series].reverse().find((s) => usual - s.value <= 0.05 * Math.max(1, Math.abs(usual)));
  const worst = last.worst.label === "" ? "" : `, worst for ${last.worst.label} (${last.worst.value.toPrecision(3)})`;
  return {
    state: "worse",
    reason: `${usual.toPrecision(3)} before, ${last.value.toPrecision(3)} now${worst}${since ? "" : ", for the whole range"}`,
  };
}
