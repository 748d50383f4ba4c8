/** Starts the page: one query cache, one router. */
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { router } from "./app/router";
import { meKey } from "./app/session";
import "./design/tokens.css";
import "./design/base.css";
import "./design/controls.css";
import "./app/frame.css";

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // A session that ended anywhere is noticed by the frame, which sends the reader to the login.
      if (error instanceof ApiError && error.status === 401 && query.queryKey[0] !== meKey[0])
        void client.invalidateQueries({ queryKey: meKey });
    },
  }),
  defaultOptions: {
    queries: {
      // The engine restarts in seconds; a refusal is final, silence is not.
      retry: (count, error) => count < 3 && error instanceof ApiError && (error.status === 0 || error.status === 503),
      retryDelay: (count) => Math.min(4000, 500 * 2 ** count),
      refetchOnWindowFocus: false,
    },
  },
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
