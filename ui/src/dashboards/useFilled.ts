/** The searches of a dashboard with the values of its inputs in them. The server fills them in, because it knows the language. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { request } from "../api/client";
import type { DashboardDefinition, FilledDashboard } from "../api/types";
import type { TimeRange } from "../app/timeRange";
import type { Values } from "./inputs";

/** Nothing is asked of the server for a dashboard without inputs, whose panels are what they are. */
export function useFilled(definition: DashboardDefinition | undefined, values: Values, range: TimeRange) {
  const inputs = definition?.inputs ?? [];
  // Where panels lie changes nothing of what they search.
  const panels = (definition?.panels ?? []).map(({ id, title, search, earliest, latest }) => ({
    id,
    title,
    search,
    earliest,
    latest,
  }));
  const body = { definition: { inputs, panels }, values: { ...values, ...range } };
  return useQuery({
    queryKey: ["filled", body],
    queryFn: ({ signal }) => request<FilledDashboard>("/dashboards/fill", { method: "POST", signal, body }),
    enabled: inputs.length > 0,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  });
}
