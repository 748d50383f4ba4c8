/** The searches run before, on any of the person's machines, newest first; typing narrows them. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../api/client";
import type { PastSearch } from "../api/types";
import { Failure, Skeleton } from "../design/States";
import { formatAgo } from "../design/format";
import { MenuItem, Popover } from "../design/Popover";
import { readHistory } from "./history";
import { merged } from "./pastSearches";

const SHOWN = 100;

export function HistoryMenu({ choose }: { choose: (search: string) => void }) {
  return (
    <Popover label="History" name="Search history" width={640} align="right" role="dialog">
      {(close) => (
        <Past
          choose={(search) => {
            choose(search);
            close();
          }}
        />
      )}
    </Popover>
  );
}

function Past({ choose }: { choose: (search: string) => void }) {
  const [wanted, setWanted] = useState("");
  const past = useQuery({
    queryKey: ["search-history"],
    queryFn: ({ signal }) => request<PastSearch[]>("/search/history", { signal }),
    staleTime: 0,
  });
  const list = merged(past.data ?? [], readHistory());
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const found = list.filter((p) => words.every((word) => p.search.toLowerCase().includes(word)));
  return (
    <div className="past">
      <input
        className="past-filter mono"
        type="search"
        placeholder="Narrow by words"
        aria-label="Narrow the history by words"
        value={wanted}
        data-autofocus
        spellCheck={false}
        onChange={(e) => setWanted(e.target.value)}
        onKeyDown={(e) => {
          if (e.key === "Enter" && found[0]) choose(found[0].search);
        }}
      />
      {past.isPending ? (
        <Skeleton rows={6} />
      ) : past.error && list.length === 0 ? (
        <Failure error={past.error} compact />
      ) : found.length === 0 ? (
        <p className="dim small pad">
          {list.length === 0 ? "Nothing was searched yet." : "No search has these words."}
        </p>
      ) : (
        found.slice(0, SHOWN).map((p) => (
          <MenuItem
            key={p.search}
            onSelect={() => choose(p.search)}
            hint={p.time > 0 ? formatAgo(p.time, Date.now() / 1000) : "here"}
          >
            <span className="past-text mono">{p.search}</span>
          </MenuItem>
        ))
      )}
    </div>
  );
}
