/** How the search in the editor would run: each stage from its text to the engine's SQL, beside the results. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
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
  const settled = useSettled(search);
  const answer = useQuery({
    queryKey: ["explain", settled, earliest, latest],
    queryFn: ({ signal }) =>
      request<{ stages: Stage[] | Record<string, string> }>("/search/explain", {
        method: "POST",
        signal,
        body: { search: settled, earliest, latest },
      }),
    retry: false,
    placeholderData: (old) => old,
  });
  const stages = stagesOf(answer.data?.stages);
  const shown = stages.find((s) => s.name === (chosen ?? "sql")) ?? stages[stages.length - 1];
  return (
    <aside className="plan" aria-label="Plan">
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
    </aside>
  );
}

/** A text once nobody has changed it for a moment, so that not every letter is planned. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 400);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

const stagesOf = (stages: Stage[] | Record<string, string> | undefined): Stage[] =>
  stages === undefined
    ? []
    : Array.isArray(stages)
      ? stages
      : Object.entries(stages).map(([name, text]) => ({ name, text: String(text) }));
