/** Login with a password, or at once with the one-time code of a login link. */
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api/client";
import type { Me } from "../api/types";
import { Failure } from "../design/States";
import { login, loginByLink, meKey } from "./session";

export function LoginPage() {
  const params = useSearch({ strict: false }) as { code?: string; next?: string };
  const navigate = useNavigate();
  const router = useRouter();
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(params.code !== undefined);
  const tried = useRef(false);

  const enter = async (attempt: () => Promise<Me>): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      // Set and not only invalidated: a refusal from before the login would send the reader straight back here.
      client.setQueryData(meKey, await attempt());
      // Only a path of this page: an address of another host in `next` is not followed.
      if (params.next?.startsWith("/") && !params.next.startsWith("//")) router.history.replace(params.next);
      else await navigate({ to: "/search", replace: true });
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };

  useEffect(() => {
    document.title = "Log in · Sightline";
    const { code } = params;
    if (code === undefined || tried.current) return;
    tried.current = true;
    void enter(() => loginByLink(code));
    // The code works once, so it is tried once.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const submit = (event: React.FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    void enter(() => login(String(form.get("username")), String(form.get("password"))));
  };

  return (
    <main className="login">
      <form className="login-form" onSubmit={submit} aria-busy={busy}>
        <Mark />
        <h1>Sightline</h1>
        <p className="dim">Logs, metrics and traces of machine-learning systems, in one place.</p>
        {error !== null && (
          <Failure
            error={error}
            compact
            retry={
              params.code !== undefined && error instanceof ApiError && (error.status === 0 || error.status === 503)
                ? () => void enter(() => loginByLink(params.code!))
                : undefined
            }
          />
        )}
        {busy && params.code !== undefined ? (
          <p role="status">Logging in with the one-time link…</p>
        ) : (
          <>
            <label>
              User name
              <input name="username" autoComplete="username" required autoFocus />
            </label>
            <label>
              Password
              <input name="password" type="password" autoComplete="current-password" required />
            </label>
            <button type="submit" className="button primary" disabled={busy}>
              Log in
            </button>
            <p className="dim small">
              No user yet? <code>sightline user create NAME</code> makes one; starting the server prints a one-time
              login link.
            </p>
          </>
        )}
      </form>
    </main>
  );
}

export function Mark({ size = 36 }: { size?: number }) {
  return (
    <svg
      className="mark"
      width={size}
      height={size}
      viewBox="0 0 32 32"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.5"
      aria-hidden="true"
    >
      <circle cx="16" cy="16" r="8.5" />
      <path d="M16 2.500v8M16 21.500v8M2.500 16h8M21.500 16h8" />
      <circle cx="16" cy="16" r="1.800" fill="currentColor" stroke="none" />
    </svg>
  );
}
