/** The list of dashboards. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { request } from "../api/client";
import type { Dashboard } from "../api/types";
import { useCarried } from "../app/useRange";
import { useWhere } from "../app/where";
import { Confirm } from "../design/Dialog";
import { formatNumber } from "../design/format";
import { Icon } from "../design/Icon";
import { Empty, Failure, Skeleton } from "../design/States";
import "./dashboards.css";

export function DashboardsPage() {
  useWhere({ label: "Dashboards" });
  const carried = useCarried();
  const navigate = useNavigate();
  const client = useQueryClient();
  const list = useQuery({
    queryKey: ["dashboards"],
    queryFn: ({ signal }) => request<Dashboard[]>("/dashboards", { signal }),
  });
  const [leaving, setLeaving] = useState<Dashboard | null>(null);
  const create = useMutation({
    mutationFn: () =>
      request<Dashboard>("/dashboards", {
        method: "POST",
        body: { title: "New dashboard", description: "", definition: { panels: [] } },
      }),
    onSuccess: async (made) => {
      await client.invalidateQueries({ queryKey: ["dashboards"] });
      await navigate({ to: "/dashboards/$id", params: { id: String(made.id) }, search: { edit: "1" } });
    },
  });
  const remove = useMutation({
    mutationFn: (id: Dashboard["id"]) => request<void>(`/dashboards/${id}`, { method: "DELETE" }),
    onSuccess: async () => {
      setLeaving(null);
      await client.invalidateQueries({ queryKey: ["dashboards"] });
    },
  });
  const newButton = (
    <button type="button" className="button" onClick={() => create.mutate()} disabled={create.isPending}>
      <Icon name="plus" /> New dashboard
    </button>
  );
  return (
    <div className="page">
      {list.isPending ? (
        <Skeleton rows={6} height={20} />
      ) : list.error ? (
        <Failure error={list.error} retry={() => void list.refetch()} />
      ) : list.data.length === 0 ? (
        <Empty title="No dashboards yet" action={newButton}>
          A dashboard shows panels made from searches. Run a search and choose "Save to dashboard", or start with an
          empty one.
        </Empty>
      ) : (
        <>
          <div className="row page-tools">{newButton}</div>
          {create.error && <Failure error={create.error} compact />}
          <div className="table-wrap">
            <table className="plain">
              <thead>
                <tr>
                  <th>Dashboard</th>
                  <th>What it shows</th>
                  <th className="num">Panels</th>
                  <th>
                    <span className="hidden-label">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {list.data.map((d) => (
                  <tr key={d.id}>
                    <td className="nowrap">
                      <Link to="/dashboards/$id" params={{ id: String(d.id) }} search={carried}>
                        {d.title}
                      </Link>
                    </td>
                    <td className="dim prose">{d.description}</td>
                    <td className="num">{formatNumber(d.definition?.panels?.length ?? 0)}</td>
                    <td className="num">
                      <button
                        type="button"
                        className="icon-button"
                        aria-label={`Delete ${d.title}`}
                        title="Delete"
                        onClick={() => setLeaving(d)}
                      >
                        <Icon name="trash" />
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
      {leaving && (
        <Confirm
          title="Delete the dashboard?"
          action="Delete"
          busy={remove.isPending}
          error={remove.error && <Failure error={remove.error} compact />}
          onConfirm={() => remove.mutate(leaving.id)}
          onClose={() => setLeaving(null)}
        >
          "{leaving.title}" and its {leaving.definition?.panels?.length ?? 0} panels will be gone for everybody. The
          data they show stays.
        </Confirm>
      )}
    </div>
  );
}
