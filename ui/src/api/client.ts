/** The one door to the HTTP API: JSON in, JSON out, every failure an ApiError in the API's own words. */

export interface Position {
  start: number;
  end: number;
  line: number;
  column: number;
}

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly kind: string = "error",
    readonly hint?: string,
    readonly position?: Position,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

type Query = Record<string, string | number | boolean | undefined | null>;

interface Options {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  query?: Query;
  signal?: AbortSignal;
}

export function apiUrl(path: string, query?: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") params.set(name, String(value));
  }
  const text = params.toString();
  return `/api/v1${path}${text === "" ? "" : `?${text}`}`;
}

/** Sends one request. Throws ApiError for an answer that is not 2xx, and for no answer (status 0). */
export async function request<T>(path: string, options: Options = {}): Promise<T> {
  const { method = "GET", body, query, signal } = options;
  const headers: Record<string, string> = { accept: "application/json" };
  if (method !== "GET") headers["x-sightline"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(apiUrl(path, query), {
      method,
      headers,
      credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError("no answer from the server", 0, "network", "it may be restarting; the page tries again");
  }
  const text = await response.text();
  const value = parse(text);
  if (response.ok) return value as T;
  throw errorFrom(response.status, value);
}

function parse(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorFrom(status: number, value: unknown): ApiError {
  const error = (
    value as { error?: { message?: string; kind?: string; hint?: string; position?: Position } } | undefined
  )?.error;
  return new ApiError(
    error?.message ?? `the server answered with status ${status}`,
    status,
    error?.kind,
    error?.hint,
    error?.position,
  );
}
