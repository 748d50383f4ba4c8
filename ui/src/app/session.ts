/** Who is logged in. */
import { useQuery } from "@tanstack/react-query";
import { ApiError, request } from "../api/client";
import type { Me } from "../api/types";

export const meKey = ["me"] as const;

export const isOut = (error: unknown): boolean => error instanceof ApiError && error.status === 401;

export function useMe() {
  return useQuery({
    queryKey: meKey,
    queryFn: ({ signal }) => request<Me>("/auth/me", { signal }),
    staleTime: 300_000,
    // While the engine restarts nobody can say who is logged in; the page asks until somebody can.
    refetchInterval: (query) => (query.state.error !== null && !isOut(query.state.error) ? 3000 : false),
  });
}

export const login = (username: string, password: string) =>
  request<Me>("/auth/login", { method: "POST", body: { username, password } });
export const loginByLink = (code: string) => request<Me>("/auth/link", { method: "POST", body: { code } });
export const logout = () => request<void>("/auth/logout", { method: "POST" });
