/** What the editor knows of the language, and of the results on the screen. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { request } from "../api/client";
import type { FieldSummary, Registry } from "../api/types";
import type { Known } from "./completion";
import { learn } from "./names";

const NO_FIELDS: FieldSummary[] = [];

/** The colouring must know the names before the editor that waits for them is drawn. */
async function fetchRegistry(signal: AbortSignal): Promise<Registry> {
  const registry = await request<Registry>("/search/registry", { signal });
  learn(registry);
  return registry;
}

export function useKnown(fields: FieldSummary[] = NO_FIELDS): Known {
  const registry = useQuery({
    queryKey: ["registry"],
    queryFn: ({ signal }) => fetchRegistry(signal),
    staleTime: Infinity,
  });
  return useMemo(() => ({ registry: registry.data, fields }), [registry.data, fields]);
}
