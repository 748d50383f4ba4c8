/** The frame around every page: rail, top bar, command palette. Sends a reader who is not logged in to the login. */
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { request } from "../api/client";
import type { Alert } from "../api/types";
import { Icon, type IconName } from "../design/Icon";
import { Failure, Skeleton } from "../design/States";
import { CommandPalette } from "./CommandPalette";
import { Mark } from "./LoginPage";
import { isOut, useMe } from "./session";
import { setPreference, usePreferences } from "./theme";
import { TopBar } from "./TopBar";
import { useCarried } from "./useRange";

export const PLACES: { to: string; label: string; icon: IconName; key: string }[] = [
  { to: "/search", label: "Search", icon: "search", key: "s" },
  { to: "/dashboards", label: "Dashboards", icon: "dashboards", key: "d" },
  { to: "/models", label: "Models", icon: "models", key: "m" },
  { to: "/traces", label: "Traces", icon: "traces", key: "t" },
  { to: "/alerts", label: "Alerts", icon: "alerts", key: "a" },
  { to: "/status", label: "Status", icon: "status", key: "u" },
];

export function Frame() {
  const me = useMe();
  const navigate = useNavigate();
  const location = useLocation();
  const [palette, setPalette] = useState(false);
  const out = isOut(me.error);

  // The frame is still here while the address already is the login's; that is no page to come back to.
  const here = useRef(location.href);
  if (location.pathname !== "/login") here.current = location.href;
  useEffect(() => {
    if (out) void navigate({ to: "/login", search: { next: here.current }, replace: true });
  }, [out, navigate]);

  useEffect(() => {
    let leader = 0;
    const onKey = (event: KeyboardEvent): void => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setPalette((was) => !was);
        return;
      }
      const target = event.target as HTMLElement;
      if (
        event.metaKey ||
        event.ctrlKey ||
        event.altKey ||
        target.isContentEditable ||
        /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
      )
        return;
      if (event.key === "g") {
        leader = event.timeStamp;
      } else if (event.timeStamp - leader < 1200) {
        const place = PLACES.find((p) => p.key === event.key);
        leader = 0;
        if (place)
          void navigate({
            to: place.to,
            search: (old: Record<string, unknown>) => ({ earliest: old.earliest, latest: old.latest, live: old.live }),
          } as never);
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [navigate]);

  if (me.isPending || out) {
    return (
      <div className="frame-wait">
        <Skeleton rows={4} />
      </div>
    );
  }
  if (me.error) {
    return (
      <main className="page">
        <Failure error={me.error} retry={() => void me.refetch()} />
      </main>
    );
  }
  return (
    <div className="frame">
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <Rail />
      <div className="frame-main">
        <TopBar me={me.data} openPalette={() => setPalette(true)} />
        <main id="content" tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      {palette && <CommandPalette close={() => setPalette(false)} />}
    </div>
  );
}

function Rail() {
  const { rail } = usePreferences();
  const carried = useCarried();
  const alerts = useQuery({
    queryKey: ["alerts"],
    queryFn: ({ signal }) => request<Alert[]>("/alerts", { signal }),
    refetchInterval: carried.live === "off" ? false : 15_000,
    retry: false,
  });
  const firing = (Array.isArray(alerts.data) ? alerts.data : []).filter((a) => a.state === "firing").length;
  return (
    <nav className={`rail ${rail}`} aria-label="Pages">
      <Link to="/search" className="rail-brand" aria-label="Sightline">
        <Mark size={22} />
        <span>Sightline</span>
      </Link>
      {PLACES.map((place) => (
        <Link
          key={place.to}
          to={place.to}
          search={carried as never}
          className="rail-link"
          activeProps={{ className: "rail-link active", "aria-current": "page" }}
          title={`${place.label} (g ${place.key})`}
        >
          <Icon name={place.icon} size={18} />
          <span>{place.label}</span>
          {place.to === "/alerts" && firing > 0 && (
            <span className="rail-count" aria-label={`${firing} firing`}>
              {firing}
            </span>
          )}
        </Link>
      ))}
      <button
        type="button"
        className="rail-link rail-fold"
        aria-label={rail === "wide" ? "Collapse the rail" : "Widen the rail"}
        onClick={() => setPreference("rail", rail === "wide" ? "small" : "wide")}
      >
        <Icon name="collapse" size={18} />
        <span>Collapse</span>
      </button>
    </nav>
  );
}
