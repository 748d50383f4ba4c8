/** What becomes of a search: saved, on a schedule, an alert, a panel of a dashboard, a file. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { apiUrl, request } from "../api/client";
import type { ChartKind, Dashboard, Job, Panel, SavedSearch } from "../api/types";
import { toSplTime } from "../app/timeRange";
import { Dialog } from "../design/Dialog";
import { Icon } from "../design/Icon";
import { MenuItem, Popover } from "../design/Popover";
import { Failure } from "../design/States";

interface Props {
  search: string;
  earliest: string;
  latest: string;
  job: Job | undefined;
  chart: ChartKind;
  options: Record<string, unknown>;
}

export function SaveMenu(props: Props) {
  const [dialog, setDialog] = useState<"search" | "panel" | null>(null);
  const navigate = useNavigate();
  const nothing = props.search.trim() === "";
  return (
    <>
      <Popover
        label={
          <>
            <Icon name="save" /> Save <Icon name="down" size={12} />
          </>
        }
        name="Save"
        className="button"
        align="right"
        width={240}
      >
        {(close) => (
          <>
            <MenuItem onSelect={() => (close(), !nothing && setDialog("search"))}>Save search…</MenuItem>
            <MenuItem onSelect={() => (close(), !nothing && setDialog("panel"))}>Save to dashboard…</MenuItem>
            <MenuItem
              onSelect={() => {
                close();
                void navigate({
                  to: "/alerts",
                  search: { new: "1", q: props.search, earliest: props.earliest, latest: props.latest },
                });
              }}
            >
              Create alert…
            </MenuItem>
            {props.job && <div className="menu-rule" />}
            {props.job &&
              ["csv", "json", "jsonl", "arrow"].map((format) => (
                <a
                  key={format}
                  role="menuitem"
                  className="menu-item"
                  href={apiUrl(`/search/jobs/${props.job!.sid}/export`, { format })}
                  download={`${props.job!.sid}.${format}`}
                  onClick={close}
                >
                  <span className="menu-label">Download as {format}</span>
                </a>
              ))}
          </>
        )}
      </Popover>
      {dialog === "search" && <SaveSearch {...props} close={() => setDialog(null)} />}
      {dialog === "panel" && <SavePanel {...props} close={() => setDialog(null)} />}
    </>
  );
}

function SaveSearch({ search, earliest, latest, close }: Props & { close: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [cron, setCron] = useState("");
  const save = useMutation({
    mutationFn: () =>
      request<SavedSearch>("/saved-searches", {
        method: "POST",
        body: { name: name.trim(), search, earliest, latest, cron: cron.trim(), enabled: cron.trim() !== "" },
      }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["saved-searches"] });
      close();
    },
  });
  return (
    <Dialog
      title="Save search"
      onClose={close}
      onSubmit={() => save.mutate()}
      actions={
        <>
          <button type="button" className="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={name.trim() === "" || save.isPending}>
            Save
          </button>
        </>
      }
    >
      <div className="form-grid">
        <label>
          Name
          <input value={name} onChange={(e) => setName(e.target.value)} autoFocus required />
        </label>
        <label>
          Schedule (cron, empty for none)
          <input
            className="mono"
            value={cron}
            onChange={(e) => setCron(e.target.value)}
            placeholder="*/15 * * * *"
            spellCheck={false}
          />
        </label>
        <pre className="search-preview">{search}</pre>
        {save.error && <Failure error={save.error} compact />}
      </div>
    </Dialog>
  );
}

function SavePanel({ search, earliest, latest, chart, options, close }: Props & { close: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const dashboards = useQuery({
    queryKey: ["dashboards"],
    queryFn: ({ signal }) => request<Dashboard[]>("/dashboards", { signal }),
  });
  const [target, setTarget] = useState("");
  const [title, setTitle] = useState("");
  const [board, setBoard] = useState("");
  const save = useMutation({
    mutationFn: async () => {
      const panel: Panel = {
        id: crypto.randomUUID().slice(0, 8),
        title: title.trim(),
        search,
        chart,
        options,
        x: 0,
        y: 0,
        w: 12,
        h: 8,
      };
      if (target === "")
        return request<Dashboard>("/dashboards", {
          method: "POST",
          body: {
            title: board.trim() || "New dashboard",
            description: "",
            definition: { earliest: toSplTime(earliest), latest: toSplTime(latest), panels: [panel] },
          },
        });
      const old = await request<Dashboard>(`/dashboards/${target}`);
      const bottom = Math.max(0, ...old.definition.panels.map((p) => p.y + p.h));
      return request<Dashboard>(`/dashboards/${target}`, {
        method: "PUT",
        body: {
          title: old.title,
          description: old.description,
          definition: { ...old.definition, panels: [...old.definition.panels, { ...panel, y: bottom }] },
        },
      });
    },
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: ["dashboards"] });
      await client.invalidateQueries({ queryKey: ["dashboard"] });
      close();
      await navigate({ to: "/dashboards/$id", params: { id: String(saved?.id ?? target) } });
    },
  });
  return (
    <Dialog
      title="Save to dashboard"
      onClose={close}
      onSubmit={() => save.mutate()}
      actions={
        <>
          <button type="button" className="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={title.trim() === "" || save.isPending}>
            Save
          </button>
        </>
      }
    >
      <div className="form-grid">
        <label>
          Panel title (the question it answers)
          <input value={title} onChange={(e) => setTitle(e.target.value)} autoFocus required />
        </label>
        <label>
          Dashboard
          <select value={target} onChange={(e) => setTarget(e.target.value)}>
            <option value="">A new dashboard</option>
            {(dashboards.data ?? []).map((d) => (
              <option key={d.id} value={String(d.id)}>
                {d.title}
              </option>
            ))}
          </select>
        </label>
        {target === "" && (
          <label>
            Title of the new dashboard
            <input value={board} onChange={(e) => setBoard(e.target.value)} />
          </label>
        )}
        {save.error && <Failure error={save.error} compact />}
      </div>
    </Dialog>
  );
}
