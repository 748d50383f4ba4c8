/** Who is logged in. */
import { useQuery } from "@tanstack/react-query";
import { request } from "../api/client";
import type { Me } from "../api/types";

export const meKey = ["me"] as const;

export function useMe() {
  return useQuery({
    queryKey: meKey,
    queryFn: ({ signal }) => request<Me>("/auth/me", { signal }),
    staleTime: 300_000,
    retry: false,
  });
}

export const login = (username: string, password: string) =>
  request<Me>("/auth/login", { method: "POST", body: { username, password } });
export const loginByLink = (code: string) => request<Me>("/auth/link", { method: "POST", body: { code } });
export const logout = () => request<void>("/auth/logout", { method: "POST" });
