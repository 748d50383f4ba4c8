/** The versions of a model, newest first, with the score each had while it served. */
import type { ModelVersion } from "../api/types";
import { formatAgo, formatBytes, formatNumber, formatSeconds, formatTime } from "../design/format";
import { overall, type ScorePoint } from "./scores";

export function Versions({
  versions,
  points,
  metric,
  now,
}: {
  versions: ModelVersion[];
  points: ScorePoint[];
  metric: string | undefined;
  now: number;
}) {
  const sorted = [...versions].sort((a, b) => b.version - a.version);
  const series = metric ? overall(points, metric) : [];
  return (
    <div className="table-wrap">
      <table className="plain">
        <thead>
          <tr>
            <th className="num">Version</th>
            <th>Trained</th>
            <th>Algorithm</th>
            <th className="num">Rows</th>
            <th className="num">Features</th>
            <th className="num">Took</th>
            <th className="num">Size</th>
            <th className="num">{metric ? `${metric}, first to last` : "Score"}</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((v, i) => {
            const until = i === 0 ? Infinity : sorted[i - 1]!.trained_at;
            const own = series.filter((s) => s.time >= v.trained_at && s.time < until);
            return (
              <tr key={v.version}>
                <td className="num">
                  {v.version}
                  {i === 0 && <span className="dim"> in service</span>}
                </td>
                <td className="nowrap" title={formatTime(v.trained_at, "s")}>
                  {formatAgo(v.trained_at, now)}
                </td>
                <td>{v.algorithm}</td>
                <td className="num">{formatNumber(v.rows)}</td>
                <td className="num">{formatNumber(v.features.length)}</td>
                <td className="num">{formatSeconds(v.training_s)}</td>
                <td className="num">{formatBytes(v.size_bytes)}</td>
                <td className="num">
                  {own.length === 0 ? (
                    <span className="dim">–</span>
                  ) : (
                    `${own[0]!.value.toPrecision(3)} → ${own[own.length - 1]!.value.toPrecision(3)}`
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
