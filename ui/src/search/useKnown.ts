/** The names the editor completes: the registry and what the data holds. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { request } from "../api/client";
import type { Completion, FieldSummary, Registry } from "../api/types";
import type { Known } from "./completion";
import { learn } from "./names";

const indexesIn = (text: string): string => [...text.matchAll(/index\s*=\s*"?([\w*-]+)/gi)].map((m) => m[1]).join(",");

const NO_FIELDS: FieldSummary[] = [];

/** The colouring must know the names before the editor that waits for them is drawn. */
async function fetchRegistry(signal: AbortSignal): Promise<Registry> {
  const registry = await request<Registry>("/search/registry", { signal });
  learn(registry);
  return registry;
}

export function useKnown(search: string, fields: FieldSummary[] = NO_FIELDS): Known {
  const registry = useQuery({
    queryKey: ["registry"],
    queryFn: ({ signal }) => fetchRegistry(signal),
    staleTime: Infinity,
  });
  const indexes = indexesIn(search);
  const names = useQuery({
    queryKey: ["complete", indexes],
    queryFn: ({ signal }) => request<Completion>("/search/complete", { signal, query: { indexes } }),
    staleTime: 60_000,
    retry: false,
    placeholderData: (old) => old,
  });
  return useMemo(() => ({ registry: registry.data, names: names.data, fields }), [registry.data, names.data, fields]);
}
