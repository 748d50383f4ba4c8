/** What is different about the selected region: values over-represented in it, from the traces and from their spans. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import type { Cell, TraceSummary } from "../api/types";
import { useCarried } from "../app/useRange";
import { runSearch } from "../dashboards/usePanel";
import { formatNumber, formatShare } from "../design/format";
import { Icon } from "../design/Icon";
import { quoteField, quoteValue } from "../search/spl";
import { overRepresented } from "./region";

interface Props {
  inside: TraceSummary[];
  all: TraceSummary[];
  clear: () => void;
  filter: (field: "service" | "operation" | "errors", value: string) => void;
}

const SAMPLE = 150;

const own = (t: TraceSummary): Record<string, string[]> => ({
  service: t.services,
  operation: [t.root_name],
  errors: [t.error_count > 0 ? "yes" : "no"],
});

/** Attributes that name one request and so tell nothing about a group. */
const NOISE =
  /(^|[._])(id|ids|time|_time|raw|span_id|trace_id|parent_span_id|duration|duration_ns|duration_ms|port|pid|start|end|version)$|^_|url\.full|thread\.|client\.port|host\.name|instance/i;

export function RegionTags({ inside, all, clear, filter }: Props) {
  const carried = useCarried();
  const chosen = useMemo(() => new Set(inside.map((t) => t.trace_id)), [inside]);
  const outside = useMemo(() => all.filter((t) => !chosen.has(t.trace_id)), [all, chosen]);
  const tags = useSpanTags(inside, outside);
  const lifts = useMemo(() => {
    const add = (t: TraceSummary): Record<string, string[]> => ({ ...own(t), ...(tags.data?.get(t.trace_id) ?? {}) });
    // Only traces whose spans were read are compared on attributes.
    const read = (t: TraceSummary): boolean => !tags.data || tags.data.has(t.trace_id);
    return overRepresented(inside.filter(read).map(add), outside.filter(read).map(add));
  }, [inside, outside, tags.data]);
  return (
    <section className="region" aria-label="What is different in the region">
      <header className="row">
        <h2>{formatNumber(inside.length)} selected: what is different about them</h2>
        {tags.isFetching && <span className="dim small">reading span attributes…</span>}
        <span className="grow" />
        <button type="button" className="button plain" onClick={clear}>
          <Icon name="close" size={12} /> Clear the region
        </button>
      </header>
      {lifts.length === 0 ? (
        <p className="dim">
          {inside.length === 0
            ? "No trace is in the region."
            : tags.isFetching
              ? ""
              : "Nothing stands out: these traces look like the others."}
        </p>
      ) : (
        <ol className="lifts">
          {lifts.map((l) => (
            <li key={`${l.field} ${l.value}`}>
              <span className="clip mono" title={`${l.field}=${l.value}`}>
                <span className="dim">{l.field}=</span>
                {l.value}
              </span>
              <span className="lift-bars" aria-hidden="true">
                <i className="in" style={{ width: `${l.inside * 100}%` }} />
                <i className="out" style={{ width: `${l.outside * 100}%` }} />
              </span>
              <span className="nowrap small">
                {formatShare(l.inside)} here, {formatShare(l.outside)} elsewhere
              </span>
              {l.field === "span name" && (
                <button type="button" className="text-button small" onClick={() => filter("operation", l.value)}>
                  Filter
                </button>
              )}
              {l.field.startsWith("span ") && l.field !== "span name" && (
                <Link
                  to="/search"
                  search={{ ...carried, q: `index=traces ${quoteField(l.field.slice(5))}=${quoteValue(l.value)}` }}
                  className="small"
                >
                  Search
                </Link>
              )}
              {(l.field === "service" || l.field === "operation" || (l.field === "errors" && l.value === "yes")) && (
                <button
                  type="button"
                  className="text-button small"
                  onClick={() => filter(l.field as "service", l.field === "errors" ? "1" : l.value)}
                >
                  Filter
                </button>
              )}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Attribute values of the spans of a sample of traces from both sides, by trace. */
function useSpanTags(inside: TraceSummary[], outside: TraceSummary[]) {
  const ids = useMemo(
    () => [...inside.slice(0, SAMPLE), ...outside.slice(0, SAMPLE)].map((t) => t.trace_id),
    [inside, outside],
  );
  return useQuery({
    queryKey: ["span-tags", ids.join(",")],
    enabled: inside.length > 0 && outside.length > 0,
    staleTime: Infinity,
    retry: false,
    queryFn: async ({ signal }) => {
      const times = [...inside, ...outside].map((t) => t.start);
      const search = `index=traces trace_id IN (${ids.join(", ")})`;
      const { results } = await runSearch(
        search,
        String(Math.floor(Math.min(...times)) - 1),
        String(Math.ceil(Math.max(...times)) + 600),
        signal,
      );
      const trace = results.fields.findIndex((f) => f.name === "trace_id");
      const shown = results.fields
        .map((f, i) => [f.name, i] as const)
        .filter(([name]) => !NOISE.test(name) && name !== "index" && name !== "events" && name !== "links");
      const byTrace = new Map<string, Record<string, string[]>>();
      for (const row of results.rows) {
        const id = String(row[trace]);
        const tagsOf = byTrace.get(id) ?? {};
        byTrace.set(id, tagsOf);
        for (const [name, i] of shown) {
          const value: Cell | undefined = row[i];
          if (value === null || value === undefined || value === "" || Array.isArray(value)) continue;
          const text = String(value);
          if (text.length <= 120) (tagsOf[`span ${name}`] ??= []).push(text);
        }
      }
      return byTrace;
    },
  });
}
