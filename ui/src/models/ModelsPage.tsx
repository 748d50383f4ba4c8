/** Which models are in trouble, since when, and why: one row a model, the worst first. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { request } from "../api/client";
import type { Model } from "../api/types";
import { useCarried, useRange } from "../app/useRange";
import { useWhere } from "../app/where";
import { formatAgo, formatBytes, formatNumber } from "../design/format";
import { Sparkline } from "../design/Sparkline";
import { Badge, Empty, Failure, Skeleton } from "../design/States";
import { judge, metricsIn, overall } from "./scores";
import { useScores } from "./useScores";
import "./models.css";

export function ModelsPage() {
  useWhere({ label: "Models" });
  const { live } = useRange();
  const answer = useQuery({
    queryKey: ["models"],
    queryFn: ({ signal }) => request<Model[]>("/models", { signal }),
    refetchInterval: live ? 20_000 : false,
  });
  if (answer.isPending)
    return (
      <div className="page">
        <Skeleton rows={6} height={20} />
      </div>
    );
  if (answer.error && !answer.data)
    return (
      <div className="page">
        <Failure error={answer.error} retry={() => void answer.refetch()} />
      </div>
    );
  if (answer.data.length === 0) {
    return (
      <div className="page">
        <Empty
          title="No model has been trained yet"
          action={
            <Link
              to="/search"
              search={{ q: "index=main\n| fit LogisticRegression label from feature_* into my_model" }}
              className="button"
            >
              Try it in Search
            </Link>
          }
        >
          A search that ends in <code>fit … into NAME</code> trains a model and keeps every version of it; saved with a
          schedule it retrains by itself.
        </Empty>
      </div>
    );
  }
  return (
    <div className="page">
      <div className="table-wrap">
        <table className="plain">
          <thead>
            <tr>
              <th>State</th>
              <th>Model</th>
              <th>Main score</th>
              <th className="num">Now</th>
              <th>Why</th>
              <th className="num">Version</th>
              <th>Trained</th>
              <th className="num">Rows</th>
              <th>Algorithm</th>
              <th className="num">Size</th>
            </tr>
          </thead>
          <tbody>
            {answer.data.map((m) => (
              <ModelRow key={`${m.owner}/${m.name}`} model={m} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function ModelRow({ model }: { model: Model }) {
  const { range, live } = useRange();
  const carried = useCarried();
  const navigate = useNavigate();
  const { points, pending } = useScores(model.name, [model], range, live);
  const now = Date.now() / 1000;
  if (model.error) {
    return (
      <tr>
        <td>
          <Badge tone="error">damaged</Badge>
        </td>
        <td>
          <b>{model.name}</b>
        </td>
        <td colSpan={8} className="tone-error">
          {model.error}
        </td>
      </tr>
    );
  }
  const metric = metricsIn(points)[0];
  const series = metric ? overall(points, metric) : [];
  const verdict = judge(series);
  const last = series[series.length - 1];
  return (
    <tr
      className="link"
      onClick={(e) =>
        !(e.target as HTMLElement).closest("a") &&
        void navigate({ to: "/models/$name", params: { name: model.name }, search: carried })
      }
    >
      <td>
        {pending ? (
          <span className="dim">…</span>
        ) : verdict.state === "worse" ? (
          <Badge tone="error">worse</Badge>
        ) : verdict.state === "good" ? (
          <Badge tone="ok">good</Badge>
        ) : (
          <Badge tone="quiet">not scored</Badge>
        )}
      </td>
      <td>
        <Link to="/models/$name" params={{ name: model.name }} search={carried}>
          {model.name}
        </Link>
        {model.target && (
          <div className="small dim nowrap">
            predicts {model.target} from {formatNumber(model.features.length)}{" "}
            {model.features.length === 1 ? "field" : "fields"}
          </div>
        )}
      </td>
      <td>
        {metric ? (
          <span className="row">
            <Sparkline
              values={series.map((s) => s.value)}
              label={`${metric}, ${series.length} values, last ${last?.value.toPrecision(3)}`}
            />
            <span className="small dim">{metric}</span>
          </span>
        ) : (
          <span className="dim">–</span>
        )}
      </td>
      <td className="num">{last ? last.value.toPrecision(3) : ""}</td>
      <td className="dim model-why">{verdict.reason}</td>
      <td className="num">{model.version}</td>
      <td className="nowrap">{formatAgo(model.trained_at, now)}</td>
      <td className="num">{formatNumber(model.rows)}</td>
      <td>{model.algorithm}</td>
      <td className="num">{formatBytes(model.size_bytes)}</td>
    </tr>
  );
}
