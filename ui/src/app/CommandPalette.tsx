/** Mod-K: go anywhere, run a search, change a setting. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { request } from "../api/client";
import type { Dashboard, Model, SavedSearch } from "../api/types";
import { Icon, type IconName } from "../design/Icon";
import { readHistory } from "../search/history";
import { PLACES } from "./Frame";
import { setPreference, usePreferences } from "./theme";
import { QUICK_RANGES } from "./timeRange";
import { useCarried, useRange } from "./useRange";

interface Command {
  id: string;
  label: string;
  group: string;
  icon: IconName;
  mono?: boolean;
  run: () => void;
}

export function CommandPalette({ close }: { close: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const dialog = useRef<HTMLDialogElement>(null);
  const commands = useCommands(text);

  useEffect(() => {
    if (dialog.current && !dialog.current.open) dialog.current.showModal();
  }, []);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const choose = (command: Command | undefined): void => {
    if (!command) return;
    close();
    command.run();
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setAt((was) => (commands.length === 0 ? 0 : (was + step + commands.length) % commands.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(commands[at]);
    }
  };

  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label="Commands"
      onCancel={close}
      onPointerDown={(e) => e.target === dialog.current && close()}
    >
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={commands[at] ? `palette-${at}` : undefined}
        aria-label="Type a command, a page, a model or a search"
        placeholder="Go to a page, a dashboard, a model, or run a search"
        value={text}
        autoFocus
        spellCheck={false}
        onChange={(e) => {
          setText(e.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul id="palette-list" role="listbox" aria-label="Commands" ref={list}>
        {commands.map((command, i) => (
          <li
            key={command.id}
            id={`palette-${i}`}
            role="option"
            aria-selected={i === at}
            className="palette-item"
            onPointerMove={() => setAt(i)}
            onClick={() => choose(command)}
          >
            <Icon name={command.icon} />
            <span className={command.mono ? "palette-label mono" : "palette-label"}>{command.label}</span>
            <span className="palette-group">{command.group}</span>
          </li>
        ))}
      </ul>
    </dialog>
  );
}

function useCommands(text: string): Command[] {
  const navigate = useNavigate();
  const carried = useCarried();
  const { setRange, live, setLive } = useRange();
  const { theme, density } = usePreferences();
  const dashboards = useQuery({
    queryKey: ["dashboards"],
    queryFn: ({ signal }) => request<Dashboard[]>("/dashboards", { signal }),
    staleTime: 60_000,
    retry: false,
  });
  const models = useQuery({
    queryKey: ["models"],
    queryFn: ({ signal }) => request<Model[]>("/models", { signal }),
    staleTime: 60_000,
    retry: false,
  });
  const saved = useQuery({
    queryKey: ["saved-searches"],
    queryFn: ({ signal }) => request<SavedSearch[]>("/saved-searches", { signal }),
    staleTime: 60_000,
    retry: false,
  });

  return useMemo(() => {
    const go = (to: string, search: Record<string, unknown> = {}): void => {
      void navigate({ to, search: { ...carried, ...search } } as never);
    };
    const all: Command[] = [
      ...PLACES.map((p) => ({ id: `go${p.to}`, label: p.label, group: "Page", icon: p.icon, run: () => go(p.to) })),
      ...listOf(dashboards.data).map((d) => ({
        id: `d${d.id}`,
        label: d.title,
        group: "Dashboard",
        icon: "dashboards" as const,
        run: () => go(`/dashboards/${d.id}`),
      })),
      ...listOf(models.data).map((m) => ({
        id: `m${m.name}`,
        label: m.name,
        group: "Model",
        icon: "models" as const,
        run: () => go(`/models/${encodeURIComponent(m.name)}`),
      })),
      ...listOf(saved.data).map((s) => ({
        id: `s${s.id}`,
        label: s.name,
        group: "Saved search",
        icon: "save" as const,
        run: () =>
          go("/search", {
            q: s.search,
            ...(s.earliest ? { earliest: s.earliest } : {}),
            ...(s.latest ? { latest: s.latest } : {}),
          }),
      })),
      ...QUICK_RANGES.map((q) => ({
        id: `r${q.label}`,
        label: q.label,
        group: "Time range",
        icon: "clock" as const,
        run: () => setRange(q.range),
      })),
      {
        id: "theme",
        label: theme === "dark" ? "Use the light theme" : "Use the dark theme",
        group: "Setting",
        icon: theme === "dark" ? "sun" : "moon",
        run: () => setPreference("theme", theme === "dark" ? "light" : "dark"),
      },
      {
        id: "density",
        label: density === "compact" ? "Use comfortable rows" : "Use compact rows",
        group: "Setting",
        icon: "list",
        run: () => setPreference("density", density === "compact" ? "comfortable" : "compact"),
      },
      {
        id: "live",
        label: live ? "Pause live refresh" : "Resume live refresh",
        group: "Setting",
        icon: live ? "pause" : "play",
        run: () => setLive(!live),
      },
      ...readHistory()
        .slice(0, 20)
        .map((q, i) => ({
          id: `h${i}`,
          label: q.replace(/\s+/g, " "),
          group: "History",
          icon: "history" as const,
          mono: true,
          run: () => go("/search", { q }),
        })),
    ];
    const wanted = text.trim().toLowerCase();
    const matching =
      wanted === ""
        ? all
        : all.filter((c) => contains(c.label.toLowerCase(), wanted) || c.group.toLowerCase().startsWith(wanted));
    const shown = matching.slice(0, 60);
    if (wanted !== "")
      shown.push({
        id: "run",
        label: text.trim(),
        group: "Run this search",
        icon: "search",
        mono: true,
        run: () => go("/search", { q: text.trim() }),
      });
    return shown;
  }, [text, navigate, carried, dashboards.data, models.data, saved.data, theme, density, live, setLive, setRange]);
}

const listOf = <T,>(value: T[] | undefined): T[] => (Array.isArray(value) ? value : []);

/** True when every word of `wanted` occurs in `label`. */
const contains = (label: string, wanted: string): boolean => wanted.split(/\s+/).every((word) => label.includes(word));
