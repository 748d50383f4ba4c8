/** What a route shows while its code loads, when it throws, and when there is none. */
import { Link, type ErrorComponentProps } from "@tanstack/react-router";
import { Failure, Skeleton } from "../design/States";

export function RouteSkeleton() {
  return (
    <div className="page">
      <Skeleton rows={8} />
    </div>
  );
}

export function RouteError({ error, reset }: ErrorComponentProps) {
  return (
    <div className="page">
      <Failure error={error} retry={reset} />
    </div>
  );
}

export function NotFound() {
  return (
    <main className="page">
      <div className="empty">
        <h2>Nothing lives at this address</h2>
        <p>The link may be old, or a letter was lost on the way.</p>
        <Link to="/search" className="button">
          Go to Search
        </Link>
      </div>
    </main>
  );
}
