/** The dashboard itself: title, description, own range, refresh, and the whole of it as JSON. */
import { useState } from "react";
import type { Dashboard, DashboardDefinition } from "../api/types";
import { Dialog } from "../design/Dialog";
import { parseObject } from "./PanelForm";

export function DashboardForm({
  board,
  onDone,
  onClose,
}: {
  board: Dashboard;
  onDone: (board: Dashboard) => void;
  onClose: () => void;
}) {
  const [title, setTitle] = useState(board.title);
  const [description, setDescription] = useState(board.description ?? "");
  const [text, setText] = useState(JSON.stringify(board.definition, null, 2));
  const parsed = parseObject(text) as DashboardDefinition | null;
  const valid = parsed !== null && Array.isArray(parsed.panels) && Array.isArray(parsed.inputs ?? []);
  const set = (changes: Partial<DashboardDefinition>): void => {
    if (parsed) setText(JSON.stringify({ ...parsed, ...changes }, null, 2));
  };
  return (
    <Dialog
      title="The dashboard"
      wide
      onClose={onClose}
      onSubmit={() =>
        valid &&
        title.trim() !== "" &&
        onDone({ ...board, title: title.trim(), description: description.trim(), definition: parsed })
      }
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={!valid || title.trim() === ""}>
            Done
          </button>
        </>
      }
    >
      <div className="form-grid">
        <label className="half">
          Title
          <input value={title} onChange={(e) => setTitle(e.target.value)} required />
        </label>
        <label className="half">
          Description
          <input value={description} onChange={(e) => setDescription(e.target.value)} />
        </label>
        <label className="third">
          From
          <input
            className="mono"
            value={parsed?.earliest ?? ""}
            disabled={!valid}
            onChange={(e) => set({ earliest: e.target.value || undefined })}
            placeholder="-1h"
          />
        </label>
        <label className="third">
          To
          <input
            className="mono"
            value={parsed?.latest ?? ""}
            disabled={!valid}
            onChange={(e) => set({ latest: e.target.value || undefined })}
            placeholder="now"
          />
        </label>
        <label className="third">
          Refresh, seconds (0: never)
          <input
            type="number"
            min={0}
            value={parsed?.refresh_s ?? 0}
            disabled={!valid}
            onChange={(e) => set({ refresh_s: Number(e.target.value) })}
          />
        </label>
        <label className="inline">
          <input
            type="checkbox"
            checked={parsed?.submit ?? false}
            disabled={!valid}
            onChange={(e) => set({ submit: e.target.checked })}
          />{" "}
          What is chosen in the inputs counts once a button is pressed
        </label>
        <label>
          Definition as JSON
          <textarea
            className="mono"
            rows={18}
            value={text}
            onChange={(e) => setText(e.target.value)}
            spellCheck={false}
            aria-invalid={!valid}
          />
        </label>
        {!valid && (
          <p className="tone-error small" role="alert">
            the definition must be a JSON object with a list of panels, and of inputs where it has some
          </p>
        )}
      </div>
    </Dialog>
  );
}
