/** What Search shows before the first search: what is there to search, what was saved, what was run before. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../api/client";
import type { IndexStatus, SavedSearch } from "../api/types";
import { formatAgo, formatBytes, formatNumber } from "../design/format";
import { Empty, Failure, Skeleton } from "../design/States";
import { readHistory } from "./history";

export const indexSearch = (index: Pick<IndexStatus, "name" | "datatype">): string =>
  index.datatype === "metric" ? `| mcatalog values(metric_name) WHERE index=${index.name}` : `index=${index.name}`;

export function SearchStart({ run }: { run: (text: string, extra?: Record<string, string | undefined>) => void }) {
  const indexes = useQuery({
    queryKey: ["indexes"],
    queryFn: ({ signal }) => request<IndexStatus[]>("/indexes", { signal }),
  });
  const saved = useQuery({
    queryKey: ["saved-searches"],
    queryFn: ({ signal }) => request<SavedSearch[]>("/saved-searches", { signal }),
  });
  const [history] = useState(() => readHistory().slice(0, 8));
  const now = Date.now() / 1000;
  const list = Array.isArray(indexes.data) ? indexes.data : [];
  const filled = list.filter((i) => i.rows > 0);
  return (
    <div className="search-start">
      {indexes.isPending ? (
        <Skeleton rows={5} />
      ) : indexes.error ? (
        <Failure error={indexes.error} retry={() => void indexes.refetch()} />
      ) : filled.length === 0 ? (
        <Empty title="Nothing is stored yet" command="sightline load access.csv --index main">
          Search shows logs, spans and metrics as soon as the first ones arrive. Point an OpenTelemetry exporter at port
          4317 or 4318 of this machine, or load a file:
        </Empty>
      ) : (
        <section>
          <h2>What is stored</h2>
          <div className="table-wrap">
            <table className="plain">
              <thead>
                <tr>
                  <th>Index</th>
                  <th>Holds</th>
                  <th className="num">Rows</th>
                  <th className="num">On disk</th>
                  <th>Newest</th>
                </tr>
              </thead>
              <tbody>
                {list.map((index) => {
                  const newest = index.latest;
                  return (
                    <tr key={index.name}>
                      <td>
                        <button type="button" className="text-button mono" onClick={() => run(indexSearch(index))}>
                          {index.name}
                        </button>
                      </td>
                      <td>
                        {{ event: "events", metric: "metrics", trace: "spans" }[index.datatype] ?? index.datatype}
                      </td>
                      <td className="num">{formatNumber(index.rows)}</td>
                      <td className="num">{formatBytes(index.size_bytes)}</td>
                      <td>{newest === null || index.rows === 0 ? "" : formatAgo(newest, now)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        </section>
      )}
      {(saved.data ?? []).length > 0 && (
        <section>
          <h2>Saved</h2>
          <ul className="search-links">
            {saved.data!.map((s) => (
              <li key={s.id}>
                <button
                  type="button"
                  className="text-button"
                  onClick={() =>
                    run(s.search, {
                      ...(s.earliest ? { earliest: s.earliest } : {}),
                      ...(s.latest ? { latest: s.latest } : {}),
                    })
                  }
                >
                  {s.name}
                </button>
                <span className="mono dim clip">{s.search.replace(/\s+/g, " ")}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {history.length > 0 && (
        <section>
          <h2>Run before</h2>
          <ul className="search-links">
            {history.map((text) => (
              <li key={text}>
                <button type="button" className="text-button mono clip" onClick={() => run(text)}>
                  {text.replace(/\s+/g, " ")}
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
