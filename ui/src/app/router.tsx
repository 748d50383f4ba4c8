/**
 * Addresses. Everything a reader would miss in a copied link is a search parameter here: the range on every page, and
 * each page's own text, filters and selection. All parameters are plain strings, but for the inputs of a dashboard, which
 * may hold several.
 */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { isInputParameter } from "../dashboards/inputs";
import { Frame } from "./Frame";
import { LoginPage } from "./LoginPage";
import { NotFound, RouteError, RouteSkeleton } from "./RouteStates";

type Params = Record<string, string | undefined>;

const COMMON = ["earliest", "latest", "live"] as const;

/** Keeps the named parameters that are texts, and drops empty ones. */
function only<const N extends string>(names: readonly N[]) {
  return (input: Record<string, unknown>): { [K in N | (typeof COMMON)[number]]?: string } => {
    const kept: Params = {};
    for (const name of [...COMMON, ...names]) {
      const value = input[name];
      if (typeof value === "string" && value !== "") kept[name] = value;
    }
    return kept as { [K in N | (typeof COMMON)[number]]?: string };
  };
}

/** Those of `only`, and whatever inputs a dashboard may have. */
function withInputs<P extends Record<string, unknown>>(keep: (input: Record<string, unknown>) => P) {
  return (input: Record<string, unknown>): P => ({
    ...keep(input),
    ...Object.fromEntries(Object.entries(input).filter(([name]) => isInputParameter(name))),
  });
}

const rootRoute = createRootRoute({ notFoundComponent: NotFound, errorComponent: RouteError });

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/login",
  validateSearch: only(["code", "next"]),
  component: LoginPage,
});

const frameRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "frame",
  component: Frame,
  validateSearch: only([]),
});

const homeRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/search", replace: true });
  },
});

const searchRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/search",
  validateSearch: only(["q", "view", "chart", "x", "series", "by", "field", "event", "sort", "plan"]),
  component: lazyRouteComponent(() => import("../search/SearchPage"), "SearchPage"),
});

const dashboardsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/dashboards",
  component: lazyRouteComponent(() => import("../dashboards/DashboardsPage"), "DashboardsPage"),
});

const dashboardRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/dashboards/$id",
  validateSearch: withInputs(only(["panel", "edit"])),
  component: lazyRouteComponent(() => import("../dashboards/DashboardPage"), "DashboardPage"),
});

const tracesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/traces",
  validateSearch: only(["service", "operation", "min_ms", "max_ms", "errors", "region", "sort"]),
  component: lazyRouteComponent(() => import("../traces/TracesPage"), "TracesPage"),
});

const traceRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/traces/$traceId",
  validateSearch: only(["span", "tab", "folded"]),
  component: lazyRouteComponent(() => import("../traces/TracePage"), "TracePage"),
});

const alertsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/alerts",
  validateSearch: only(["state", "tab", "new", "q"]),
  component: lazyRouteComponent(() => import("../alerts/AlertsPage"), "AlertsPage"),
});

const alertRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/alerts/$id",
  validateSearch: only(["edit"]),
  component: lazyRouteComponent(() => import("../alerts/AlertPage"), "AlertPage"),
});

const modelsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/models",
  component: lazyRouteComponent(() => import("../models/ModelsPage"), "ModelsPage"),
});

const modelRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/models/$name",
  validateSearch: only(["metric", "version"]),
  component: lazyRouteComponent(() => import("../models/ModelPage"), "ModelPage"),
});

const statusRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/status",
  component: lazyRouteComponent(() => import("../status/StatusPage"), "StatusPage"),
});

const routeTree = rootRoute.addChildren([
  loginRoute,
  frameRoute.addChildren([
    homeRoute,
    searchRoute,
    dashboardsRoute,
    dashboardRoute,
    tracesRoute,
    traceRoute,
    alertsRoute,
    alertRoute,
    modelsRoute,
    modelRoute,
    statusRoute,
  ]),
]);

export const router = createRouter({
  routeTree,
  defaultPreload: "intent",
  defaultPendingComponent: RouteSkeleton,
  defaultErrorComponent: RouteError,
  parseSearch: (text) => {
    const out: Record<string, string | string[]> = {};
    for (const [name, value] of new URLSearchParams(text))
      out[name] = isInputParameter(name) && name in out ? [out[name]!, value].flat() : value;
    return out;
  },
  stringifySearch: (params) => {
    const out = new URLSearchParams();
    for (const [name, value] of Object.entries(params))
      for (const one of [value].flat()) if (one !== undefined && one !== "") out.append(name, String(one));
    const text = out.toString();
    return text === "" ? "" : `?${text}`;
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
