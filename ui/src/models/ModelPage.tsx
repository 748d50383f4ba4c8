/** A model's page, read top to bottom: how its score went, what it rests on, what it confuses, its versions and lineage. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { request } from "../api/client";
import type { Cell, ChartKind, Model, ResultField } from "../api/types";
import { absoluteRange, resolveRange } from "../app/timeRange";
import { useRange, useSetParams } from "../app/useRange";
import { useWhere } from "../app/where";
import { Chart, type ChartOptions } from "../charts/Chart";
import type { Table } from "../charts/shape";
import { PanelView } from "../dashboards/PanelView";
import { Confirm } from "../design/Dialog";
import { formatAgo, formatBytes, formatNumber, formatSeconds, formatTime } from "../design/format";
import { Icon } from "../design/Icon";
import { Badge, Empty, Failure, Skeleton } from "../design/States";
import { confusionSearch, importanceSearch, judge, metricsIn, overall, trainingOf } from "./scores";
import { useSavedSearches, useScores } from "./useScores";
import { Versions } from "./Versions";
import "../dashboards/dashboards.css";
import "./models.css";

export function ModelPage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const params = useSearch({ strict: false }) as { metric?: string };
  const setParams = useSetParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const { range, live, setRange } = useRange();
  const [leaving, setLeaving] = useState(false);
  const answer = useQuery({
    queryKey: ["model", name],
    queryFn: ({ signal }) => request<Model>(`/models/${encodeURIComponent(name)}`, { signal }),
    refetchInterval: live ? 20_000 : false,
  });
  const summary = useQuery({
    queryKey: ["model", name, "summary", answer.data?.version],
    queryFn: ({ signal }) =>
      request<{ fields: ResultField[]; rows: Cell[][] }>(`/models/${encodeURIComponent(name)}/summary`, { signal }),
    enabled: answer.data !== undefined,
    retry: false,
  });
  const searches = useSavedSearches();
  useWhere({ label: "Models", to: "/models" }, { label: name });
  const model = answer.data;
  const versions = useMemo(() => model?.versions ?? (model ? [model] : []), [model]);
  const { points, scoring, pending, error } = useScores(name, versions, range, live);
  const metrics = useMemo(() => metricsIn(points), [points]);
  const metric = params.metric && metrics.includes(params.metric) ? params.metric : metrics[0];
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const resolved = useMemo(() => resolveRange(range, Date.now() / 1000), [range, points]);
  const chart = useMemo<Table>(() => {
    const shown = points.filter((p) => p.metric === metric);
    return {
      fields: [
        { name: "_time", type: "time" },
        { name: "class", type: "string" },
        { name: metric ?? "score", type: "number" },
      ],
      rows: shown.map((p) => [p.time, p.label === "" ? (metric ?? "score") : p.label, p.value]),
    };
  }, [points, metric]);
  const options = useMemo<ChartOptions>(
    () => ({
      max: chart.rows.every((r) => Number(r[2]) <= 1) ? 1 : undefined,
      annotations: versions
        .filter((v) => resolved && v.trained_at >= resolved.start && v.trained_at <= resolved.end)
        .map((v) => ({ time: v.trained_at, label: `v${v.version}` })),
    }),
    [chart, versions, resolved],
  );
  const remove = useMutation({
    mutationFn: () => request<void>(`/models/${encodeURIComponent(name)}`, { method: "DELETE" }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["models"] });
      await navigate({ to: "/models" });
    },
  });

  if (answer.isPending)
    return (
      <div className="page">
        <Skeleton rows={12} />
      </div>
    );
  if (!model)
    return (
      <div className="page">
        <Failure error={answer.error} retry={() => void answer.refetch()} />
      </div>
    );
  const now = Date.now() / 1000;
  const series = metric ? overall(points, metric) : [];
  const last = series[series.length - 1];
  const verdict = judge(series);
  const training = trainingOf(name, searches.data ?? []);
  const zoom = (start: number, end: number): void => setRange(absoluteRange(start, end));
  const refreshMs = live ? 20_000 : (false as const);
  const panel = (id: string, title: string, search: string, kind: ChartKind, extra: Record<string, unknown> = {}) => (
    <PanelView
      panel={{ id, title, search, chart: kind, options: extra, x: 0, y: 0, w: 12, h: 10 }}
      range={range}
      refreshMs={refreshMs}
      onZoom={zoom}
    />
  );
  return (
    <div className="page model">
      <div className="row wrap page-tools">
        {verdict.state === "worse" ? (
          <Badge tone="error">worse than before</Badge>
        ) : verdict.state === "good" ? (
          <Badge tone="ok">good</Badge>
        ) : (
          <Badge tone="quiet">not scored</Badge>
        )}
        <span className="dim">{verdict.state === "unknown" ? "" : verdict.reason}</span>
        <span className="grow" />
        <button type="button" className="button" onClick={() => setLeaving(true)}>
          <Icon name="trash" /> Delete…
        </button>
      </div>
      <dl className="strip">
        <div>
          <dt>
            {metric ?? "Score"}
            {series.length > 0 && last?.worst.label ? ", mean of classes" : ""}
          </dt>
          <dd>{last ? last.value.toPrecision(3) : "–"}</dd>
        </div>
        {last?.worst.label && (
          <div>
            <dt>Worst class</dt>
            <dd>
              {last.worst.value.toPrecision(3)} <small>{last.worst.label}</small>
            </dd>
          </div>
        )}
        <div>
          <dt>Version</dt>
          <dd>
            {model.version} <small>{formatAgo(model.trained_at, now)}</small>
          </dd>
        </div>
        <div>
          <dt>Trained on</dt>
          <dd>
            {formatNumber(model.rows)} <small>rows in {formatSeconds(model.training_s)}</small>
          </dd>
        </div>
        <div>
          <dt>Algorithm</dt>
          <dd>
            <small>{model.algorithm}</small>
          </dd>
        </div>
        <div>
          <dt>Size</dt>
          <dd>{formatBytes(model.size_bytes)}</dd>
        </div>
      </dl>

      <section className="section" aria-label="Score over time">
        <div className="row wrap">
          <h2>How did its score go?</h2>
          {metrics.length > 1 && (
            <div className="segmented" role="group" aria-label="Score">
              {metrics.map((m) => (
                <button key={m} type="button" aria-pressed={m === metric} onClick={() => setParams({ metric: m })}>
                  {m}
                </button>
              ))}
            </div>
          )}
        </div>
        <p className="section-note">
          {scoring ? (
            <>
              by class, from index={scoring.index}, collected by "{scoring.search.name}"; marks are trained versions
            </>
          ) : (
            "scores recorded with the model; marks are trained versions"
          )}
        </p>
        {error ? (
          <Failure error={error} compact />
        ) : pending && points.length === 0 ? (
          <div className="model-chart">
            <div className="panel-wait" />
          </div>
        ) : chart.rows.length === 0 ? (
          <Empty
            title="No scores in this range"
            command={`| apply ${name} as predicted | score precision_recall_fscore_support ${model.target ?? "truth"} against predicted`}
          >
            {scoring
              ? "The scoring search found nothing to score here; a wider range may hold scores."
              : "A saved search that applies the model, scores it and ends in mcollect draws its line here:"}
          </Empty>
        ) : (
          <div className="model-chart">
            <Chart
              table={chart}
              kind="line"
              title={`${metric} over time`}
              options={options}
              range={resolved}
              onZoom={zoom}
            />
          </div>
        )}
      </section>

      <div className="model-pair">
        <section className="section" aria-label="Feature importance">
          {summary.data ? (
            <Importance fields={summary.data.fields} rows={summary.data.rows} />
          ) : summary.error ? (
            scoring ? (
              <div className="model-panel">
                {panel("importance", "What does it rest on?", importanceSearch(scoring.index), "bar")}
              </div>
            ) : (
              <>
                <h2>What does it rest on?</h2>
                <p className="dim">{summary.error.message}</p>
              </>
            )
          ) : (
            <Skeleton rows={8} />
          )}
        </section>
        {scoring && (
          <section className="section model-panel" aria-label="Confusion matrix">
            {panel("confusion", "What does it take for what?", confusionSearch(scoring.index), "heatmap", {
              row_title: "actual",
              column_title: "predicted",
              row_percent: true,
            })}
          </section>
        )}
      </div>

      <section className="section">
        <h2>Versions</h2>
        <Versions versions={versions} points={points} metric={metric} now={now} />
      </section>

      <section className="section">
        <h2>Where it comes from</h2>
        <dl className="facts">
          <dt>Trained by</dt>
          <dd>
            <Link to="/search" search={{ q: model.training_search }} className="mono">
              {model.training_search || "unknown"}
            </Link>
          </dd>
          <dt>Predicts</dt>
          <dd className="mono">{model.target ?? "no target"}</dd>
          <dt>From</dt>
          <dd className="mono">{model.features.join(", ")}</dd>
          <dt>Retrained by</dt>
          <dd>
            {training.length === 0
              ? "no schedule"
              : training.map((t) => `${t.name} (${t.cron || "no schedule"})`).join(", ")}
          </dd>
          <dt>Scored by</dt>
          <dd>{scoring ? `${scoring.search.name} (${scoring.search.cron || "no schedule"})` : "no schedule"}</dd>
          <dt>Owner</dt>
          <dd>
            {model.owner}, {model.sharing === "app" ? "shared" : "private"}
          </dd>
          <dt>Trained at</dt>
          <dd>{formatTime(model.trained_at, "s")}</dd>
          <dt>Library</dt>
          <dd>{model.library_version}</dd>
          {Object.keys(model.options ?? {}).length > 0 && (
            <>
              <dt>Options</dt>
              <dd className="mono">
                {Object.entries(model.options)
                  .map(([k, v]) => `${k}=${v}`)
                  .join(" ")}
              </dd>
            </>
          )}
        </dl>
      </section>
      {leaving && (
        <Confirm
          title="Delete the model?"
          action="Delete"
          busy={remove.isPending}
          error={remove.error && <Failure error={remove.error} compact />}
          onConfirm={() => remove.mutate()}
          onClose={() => setLeaving(false)}
        >
          {formatNumber(versions.length)} {versions.length === 1 ? "version" : "versions"} of "{name}" will be gone, and
          searches that apply it will fail. Collected scores stay.
        </Confirm>
      )}
    </div>
  );
}

/** The model's own summary: bars where it is a list of features with a number, a table otherwise. */
function Importance({ fields, rows }: { fields: ResultField[]; rows: Cell[][] }) {
  const table = useMemo<Table>(() => {
    const value = fields.findIndex((f) => f.type === "number");
    const sorted = value < 0 ? rows : [...rows].sort((a, b) => Math.abs(Number(b[value])) - Math.abs(Number(a[value])));
    return { fields, rows: sorted.slice(0, 20) };
  }, [fields, rows]);
  const simple = fields.length === 2 && fields.filter((f) => f.type === "number").length === 1;
  return (
    <>
      <h2>What does it rest on?</h2>
      <p className="section-note">
        {simple
          ? `${fields.find((f) => f.type === "number")!.name}, ${rows.length > 20 ? `20 of ${rows.length} columns` : `${rows.length} columns`}`
          : "what the model learned"}
      </p>
      <div style={{ height: simple ? Math.max(120, Math.min(table.rows.length, 20) * 24 + 16) : 320 }}>
        <Chart table={table} kind={simple ? "bar" : "table"} title="Feature importance" />
      </div>
    </>
  );
}
