/** One dashboard: its panels in a grid, refreshed together; editing in place. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { request } from "../api/client";
import type { Dashboard, DashboardDefinition, DashboardInput, Panel } from "../api/types";
import { absoluteRange, type TimeRange } from "../app/timeRange";
import { useRange, useSetParams } from "../app/useRange";
import { useWhere } from "../app/where";
import { Icon } from "../design/Icon";
import { MenuItem, Popover } from "../design/Popover";
import { Empty, Failure, Skeleton } from "../design/States";
import { COLUMNS, settle } from "./grid";
import { DashboardForm } from "./DashboardForm";
import { InputForm } from "./InputForm";
import { InputsBar } from "./InputsBar";
import { newInput, paramsOf, shown as withValues, valuesOf, type Shown } from "./inputs";
import { PanelForm } from "./PanelForm";
import { PanelView } from "./PanelView";
import { useFilled } from "./useFilled";
import "./dashboards.css";

const UNIT = 30;

export function DashboardPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const params = useSearch({ strict: false }) as { panel?: string; edit?: string } & Record<string, unknown>;
  const setParams = useSetParams();
  const client = useQueryClient();
  const { range, chosen, live, setRange } = useRange();
  const board = useQuery({
    queryKey: ["dashboard", id],
    queryFn: ({ signal }) => request<Dashboard>(`/dashboards/${id}`, { signal }),
  });
  const [draft, setDraft] = useState<Dashboard | null>(null);
  const [form, setForm] = useState<Panel | null>(null);
  const [inputForm, setInputForm] = useState<DashboardInput | null>(null);
  const [about, setAbout] = useState(false);
  const editing = params.edit === "1";
  const shown = editing ? (draft ?? board.data) : board.data;
  useWhere({ label: "Dashboards", to: "/dashboards" }, { label: shown?.title ?? "…" });

  useEffect(() => {
    if (editing && board.data && draft === null) setDraft(board.data);
    if (!editing) setDraft(null);
  }, [editing, board.data, draft]);

  const save = useMutation({
    mutationFn: (next: Dashboard) =>
      request<Dashboard>(`/dashboards/${id}`, {
        method: "PUT",
        body: { title: next.title, description: next.description, definition: next.definition },
      }),
    onSuccess: async (saved) => {
      client.setQueryData(["dashboard", id], saved);
      await client.invalidateQueries({ queryKey: ["dashboards"] });
      setParams({ edit: undefined });
    },
  });

  const definition = shown?.definition;
  // Without a range in the address the dashboard's own range holds.
  const effective: TimeRange = useMemo(
    () =>
      chosen ? range : { earliest: definition?.earliest || range.earliest, latest: definition?.latest || range.latest },
    [chosen, range, definition?.earliest, definition?.latest],
  );
  const wantsRange =
    !chosen && definition !== undefined && (definition.earliest !== undefined || definition.latest !== undefined);
  useEffect(() => {
    if (wantsRange) setParams({ earliest: effective.earliest, latest: effective.latest });
  }, [wantsRange, effective, setParams]);

  const values = valuesOf(params);
  const filled = useFilled(definition, values, effective);
  // What is typed as JSON may leave out what the server fills in.
  const inputs = useMemo(() => (definition?.inputs ?? []).map((i) => ({ ...newInput(), ...i })), [definition?.inputs]);
  const view = (panel: Panel): Shown =>
    inputs.length === 0 ? { panel, held: false } : withValues(panel, filled.data?.panels[panel.id]);

  const refresh = definition?.refresh_s;
  const refreshMs = live && !editing && refresh !== undefined && refresh > 0 ? Math.max(2, refresh) * 1000 : false;
  const zoom = (start: number, end: number): void => setRange(absoluteRange(start, end));

  const redefine = (changes: Partial<DashboardDefinition>): void =>
    setDraft((was) => (was ? { ...was, definition: { ...was.definition, ...changes } } : was));
  const change = (panels: Panel[]): void => redefine({ panels });
  const putInput = (input: DashboardInput): void => {
    const old = inputForm?.token;
    const known = inputs.some((i) => i.token === old);
    redefine({ inputs: known ? inputs.map((i) => (i.token === old ? input : i)) : [...inputs, input] });
    setInputForm(null);
  };
  const moveInput = (index: number, by: number): void => {
    const next = [...inputs];
    next.splice(index + by, 0, ...next.splice(index, 1));
    redefine({ inputs: next });
  };
  const putPanel = (panel: Panel): void => {
    const panels = shown?.definition.panels ?? [];
    const known = panels.some((p) => p.id === panel.id);
    change(settle(known ? panels.map((p) => (p.id === panel.id ? panel : p)) : [...panels, panel]));
    setForm(null);
  };

  if (board.isPending)
    return (
      <div className="page">
        <Skeleton rows={10} height={24} />
      </div>
    );
  if (board.error)
    return (
      <div className="page">
        <Failure error={board.error} retry={() => void board.refetch()} />
      </div>
    );
  const panels = shown!.definition.panels ?? [];
  const alone = panels.find((p) => p.id === params.panel);
  const newPanel = (): void =>
    setForm({
      id: crypto.randomUUID().slice(0, 8),
      title: "",
      search: "",
      chart: "line",
      options: {},
      x: 0,
      y: Math.max(0, ...panels.map((p) => p.y + p.h)),
      w: 12,
      h: 8,
    });

  return (
    <div className="page dashboard">
      <div className="row wrap page-tools">
        {shown!.description && <p className="dim grow">{shown!.description}</p>}
        {!shown!.description && <span className="grow" />}
        {!editing && refreshMs !== false && <span className="dim small nowrap">every {refresh}&#8239;s</span>}
        {alone && (
          <button type="button" className="button" onClick={() => setParams({ panel: undefined })}>
            All panels
          </button>
        )}
        {editing ? (
          <>
            <button type="button" className="button" onClick={newPanel}>
              <Icon name="plus" /> Panel
            </button>
            <button type="button" className="button" onClick={() => setInputForm(newInput())}>
              <Icon name="plus" /> Input
            </button>
            <button type="button" className="button" onClick={() => setAbout(true)}>
              <Icon name="edit" /> Title, refresh, JSON
            </button>
            <button type="button" className="button" onClick={() => setParams({ edit: undefined })}>
              Discard
            </button>
            <button
              type="button"
              className="button primary"
              disabled={save.isPending || draft === null}
              onClick={() => draft && save.mutate(draft)}
            >
              Save
            </button>
          </>
        ) : (
          <>
            <button
              type="button"
              className="button"
              onClick={() => void client.invalidateQueries({ queryKey: ["panel"] })}
            >
              <Icon name="refresh" /> Refresh
            </button>
            <button type="button" className="button" onClick={() => setParams({ edit: "1", panel: undefined }, false)}>
              <Icon name="edit" /> Edit
            </button>
          </>
        )}
      </div>
      {save.error && <Failure error={save.error} compact />}
      {filled.error && <Failure error={filled.error} compact />}
      {inputs.length > 0 && (
        <InputsBar
          inputs={inputs}
          filled={filled.data?.inputs}
          values={values}
          range={effective}
          submit={definition?.submit ?? false}
          onChange={(next) => setParams(paramsOf(next), false)}
          menu={
            editing
              ? (input, index) => (
                  <Popover
                    label={<Icon name="more" size={14} />}
                    name={`Actions for ${input.label || input.token}`}
                    className="icon-button tiny"
                  >
                    {(close) => (
                      <>
                        <MenuItem onSelect={() => (close(), setInputForm(input))}>Edit…</MenuItem>
                        {index > 0 && <MenuItem onSelect={() => (close(), moveInput(index, -1))}>Move left</MenuItem>}
                        {index < inputs.length - 1 && (
                          <MenuItem onSelect={() => (close(), moveInput(index, 1))}>Move right</MenuItem>
                        )}
                        <MenuItem
                          danger
                          onSelect={() => (
                            close(),
                            redefine({ inputs: inputs.filter((i) => i.token !== input.token) })
                          )}
                        >
                          Remove
                        </MenuItem>
                      </>
                    )}
                  </Popover>
                )
              : undefined
          }
        />
      )}
      {panels.length === 0 ? (
        <Empty
          title="No panels yet"
          action={
            editing ? (
              <button type="button" className="button" onClick={newPanel}>
                Add a panel
              </button>
            ) : (
              <button type="button" className="button" onClick={() => setParams({ edit: "1" })}>
                Edit
              </button>
            )
          }
        >
          Each panel is a search and a chart. A search on the Search page can also be saved here.
        </Empty>
      ) : alone ? (
        <div className="panel-alone">
          <PanelView {...view(alone)} range={effective} refreshMs={refreshMs} onZoom={zoom} />
        </div>
      ) : (
        <Grid panels={panels} editing={editing} change={change}>
          {(panel, headProps) => (
            <PanelView
              {...view(panel)}
              range={effective}
              refreshMs={refreshMs}
              onZoom={zoom}
              headProps={headProps}
              menu={
                editing ? (
                  <Popover
                    label={<Icon name="more" size={14} />}
                    name={`Actions for ${panel.title}`}
                    className="icon-button tiny"
                    align="right"
                  >
                    {(close) => (
                      <>
                        <MenuItem onSelect={() => (close(), setForm(panel))}>Edit…</MenuItem>
                        <MenuItem
                          onSelect={() => (
                            close(),
                            change(
                              settle([
                                ...panels,
                                {
                                  ...panel,
                                  id: crypto.randomUUID().slice(0, 8),
                                  title: `${panel.title} (copy)`,
                                  y: panel.y + panel.h,
                                },
                              ]),
                            )
                          )}
                        >
                          Duplicate
                        </MenuItem>
                        <MenuItem
                          danger
                          onSelect={() => (close(), change(settle(panels.filter((p) => p.id !== panel.id))))}
                        >
                          Remove
                        </MenuItem>
                      </>
                    )}
                  </Popover>
                ) : (
                  <button
                    type="button"
                    className="icon-button tiny"
                    aria-label={`Show only "${panel.title}"`}
                    title="Expand"
                    onClick={() => setParams({ panel: panel.id }, false)}
                  >
                    <Icon name="expand" size={13} />
                  </button>
                )
              }
            />
          )}
        </Grid>
      )}
      {form && (
        <PanelForm
          panel={form}
          definition={shown!.definition}
          values={values}
          range={effective}
          onDone={putPanel}
          onClose={() => setForm(null)}
        />
      )}
      {inputForm && (
        <InputForm
          input={inputForm}
          taken={inputs.map((i) => i.token).filter((token) => token !== inputForm.token)}
          onDone={putInput}
          onClose={() => setInputForm(null)}
        />
      )}
      {about && draft && (
        <DashboardForm
          board={draft}
          onClose={() => setAbout(false)}
          onDone={(next) => {
            setDraft(next);
            setAbout(false);
          }}
        />
      )}
    </div>
  );
}

interface GridProps {
  panels: Panel[];
  editing: boolean;
  change: (panels: Panel[]) => void;
  children: (panel: Panel, headProps: React.HTMLAttributes<HTMLElement> | undefined) => React.ReactNode;
}

/** Panels by their x, y, w, h. While editing, the head moves a panel and its corner sizes it. */
function Grid({ panels, editing, change, children }: GridProps) {
  const box = useRef<HTMLDivElement>(null);
  const start = useRef<{ x: number; y: number; panel: Panel; sizing: boolean } | null>(null);
  const begin = (panel: Panel, sizing: boolean) => (event: React.PointerEvent) => {
    if (event.button !== 0 || (event.target as HTMLElement).closest("a, button:not(.panel-size)")) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = { x: event.clientX, y: event.clientY, panel, sizing };
  };
  const move = (event: React.PointerEvent): void => {
    const from = start.current;
    if (!from || !box.current) return;
    const column = box.current.clientWidth / COLUMNS;
    const dx = Math.round((event.clientX - from.x) / column);
    const dy = Math.round((event.clientY - from.y) / UNIT);
    const next = from.sizing
      ? { ...from.panel, w: from.panel.w + dx, h: from.panel.h + dy }
      : { ...from.panel, x: from.panel.x + dx, y: from.panel.y + dy };
    const now = panels.find((p) => p.id === from.panel.id);
    if (now && (now.x !== next.x || now.y !== next.y || now.w !== next.w || now.h !== next.h))
      change(settle(panels, next));
  };
  const end = (): void => {
    start.current = null;
  };
  return (
    <div ref={box} className={editing ? "board editing" : "board"} style={{ gridAutoRows: UNIT }}>
      {[...panels]
        .sort((a, b) => a.y - b.y || a.x - b.x)
        .map((panel) => (
          <div
            key={panel.id}
            className="board-cell"
            style={{
              gridColumn: `${panel.x + 1} / span ${panel.w}`,
              gridRow: `${panel.y + 1} / span ${panel.h}`,
              ["--h" as string]: panel.h,
            }}
          >
            {children(
              panel,
              editing ? { onPointerDown: begin(panel, false), onPointerMove: move, onPointerUp: end } : undefined,
            )}
            {editing && (
              <button
                type="button"
                className="panel-size"
                aria-label={`Resize ${panel.title}`}
                onPointerDown={begin(panel, true)}
                onPointerMove={move}
                onPointerUp={end}
                onKeyDown={(e) => {
                  const steps: Record<string, Partial<Panel>> = {
                    ArrowRight: { w: panel.w + 1 },
                    ArrowLeft: { w: panel.w - 1 },
                    ArrowDown: { h: panel.h + 1 },
                    ArrowUp: { h: panel.h - 1 },
                  };
                  const step = steps[e.key];
                  if (step) {
                    e.preventDefault();
                    change(settle(panels, { ...panel, ...step }));
                  }
                }}
              />
            )}
          </div>
        ))}
    </div>
  );
}
