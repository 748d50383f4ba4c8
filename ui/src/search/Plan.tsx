/** How a search runs: each stage from its text to the engine's SQL. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../api/client";
import { Icon } from "../design/Icon";
import { Failure, Skeleton } from "../design/States";

interface Stage {
  name: string;
  text: string;
}

export function Plan({
  search,
  earliest,
  latest,
  close,
}: {
  search: string;
  earliest: string;
  latest: string;
  close: () => void;
}) {
  const [chosen, setChosen] = useState<string | null>(null);
  const answer = useQuery({
    queryKey: ["explain", search, earliest, latest],
    queryFn: ({ signal }) =>
      request<{ stages: Stage[] | Record<string, string> }>("/search/explain", {
        method: "POST",
        signal,
        body: { search, earliest, latest },
      }),
    retry: false,
  });
  const stages = stagesOf(answer.data?.stages);
  const shown = stages.find((s) => s.name === (chosen ?? "sql")) ?? stages[stages.length - 1];
  return (
    <section className="plan" aria-label="Plan">
      <div className="row">
        <div className="segmented" role="group" aria-label="Stage">
          {stages.map((s) => (
            <button key={s.name} type="button" aria-pressed={s === shown} onClick={() => setChosen(s.name)}>
              {s.name}
            </button>
          ))}
        </div>
        <span className="grow" />
        <button type="button" className="icon-button" aria-label="Close the plan" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {answer.isPending ? (
        <Skeleton rows={4} />
      ) : answer.error ? (
        <Failure error={answer.error} compact />
      ) : (
        <pre tabIndex={0}>{shown?.text}</pre>
      )}
    </section>
  );
}

const stagesOf = (stages: Stage[] | Record<string, string> | undefined): Stage[] =>
  stages === undefined
    ? []
    : Array.isArray(stages)
      ? stages
      : Object.entries(stages).map(([name, text]) => ({ name, text: String(text) }));
