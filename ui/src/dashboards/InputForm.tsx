/** Edits one input: its kind, its choices or the search for them, what it holds at first, and what surrounds its values. */
import { useState } from "react";
import type { DashboardInput, InputKind } from "../api/types";
import { Dialog } from "../design/Dialog";
import { Icon } from "../design/Icon";
import { SearchEditor } from "../search/SearchEditor";
import { useKnown } from "../search/useKnown";
import { holdsSeveral } from "./inputs";
import "../search/search.css";

const KINDS: Record<InputKind, string> = {
  dropdown: "one of a list",
  radio: "one, all in sight",
  link: "one, as buttons",
  multiselect: "several of a list",
  checkbox: "several, all in sight",
  text: "a text",
  time: "a time range",
};

interface Props {
  input: DashboardInput;
  /** Tokens of the other inputs. */
  taken: string[];
  onDone: (input: DashboardInput) => void;
  onClose: () => void;
}

export function InputForm({ input, taken, onDone, onClose }: Props) {
  const [draft, setDraft] = useState(input);
  const known = useKnown();
  const set = <K extends keyof DashboardInput>(name: K, value: DashboardInput[K]): void =>
    setDraft((was) => ({ ...was, [name]: value }));
  const kept = draft.choices
    .filter((choice) => choice.value !== "" || choice.label !== "")
    .map((choice) => ({ ...choice, label: choice.label || choice.value }));
  const chooses = draft.kind !== "text" && draft.kind !== "time";
  const problem = !/^[A-Za-z_][\w.-]*$/.test(draft.token)
    ? "a token wants a letter, then letters, digits and _ . -"
    : taken.includes(draft.token)
      ? `the token "${draft.token}" is another input's`
      : chooses && kept.length === 0 && draft.search.trim() === ""
        ? "choices are wanted, or a search for them"
        : null;
  const text = (
    name:
      | "label_field"
      | "value_field"
      | "earliest"
      | "latest"
      | "prefix"
      | "suffix"
      | "value_prefix"
      | "value_suffix"
      | "delimiter",
    label: string,
  ) => (
    <label className="quarter">
      {label}
      <input className="mono" value={draft[name]} onChange={(e) => set(name, e.target.value)} spellCheck={false} />
    </label>
  );
  return (
    <Dialog
      title={input.token === "" ? "New input" : `Edit "${input.label || input.token}"`}
      wide
      onClose={onClose}
      onSubmit={() => problem === null && onDone({ ...draft, choices: chooses ? kept : [] })}
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={problem !== null}>
            Done
          </button>
        </>
      }
    >
      <div className="form-grid">
        <label className="half">
          Label
          <input value={draft.label} onChange={(e) => set("label", e.target.value)} autoFocus />
        </label>
        <label className="quarter">
          Token
          <input
            className="mono"
            value={draft.token}
            onChange={(e) => set("token", e.target.value.trim())}
            placeholder="host"
            spellCheck={false}
            required
          />
        </label>
        <label className="quarter">
          Holds
          <select
            value={draft.kind}
            onChange={(e) => setDraft((was) => ({ ...was, kind: e.target.value as InputKind, default: null }))}
          >
            {Object.entries(KINDS).map(([kind, words]) => (
              <option key={kind} value={kind}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <p className="dim small">
          {draft.kind === "time"
            ? `Panels name it as $${draft.token || "token"}.earliest$ and $${draft.token || "token"}.latest$.`
            : `Panels name it as $${draft.token || "token"}$, or $${draft.token || "token"}|s$ in quotes.`}
        </p>
        {chooses && (
          <>
            <ChoiceRows choices={draft.choices} onChange={(choices) => set("choices", choices)} />
            <p className="dim small">More choices are the rows of a search:</p>
            <div className="panel-editor">
              <SearchEditor
                value={draft.search}
                onChange={(search) => set("search", search)}
                onRun={(search) => set("search", search)}
                known={known}
                label="A search for more choices in SPL"
              />
            </div>
            {text("value_field", "Field of the value")}
            {text("label_field", "Field of the label")}
            {text("earliest", "From (empty: the page's)")}
            {text("latest", "To")}
          </>
        )}
        <Default input={draft} onChange={(value) => set("default", value)} />
        {chooses && (
          <label className="inline half">
            <input
              type="checkbox"
              checked={draft.select_first}
              onChange={(e) => set("select_first", e.target.checked)}
            />{" "}
            Takes the first choice where nothing is chosen
          </label>
        )}
        {draft.kind !== "time" && (
          <>
            {text("prefix", "Text before")}
            {text("suffix", "Text behind")}
          </>
        )}
        {holdsSeveral(draft) && (
          <>
            {text("value_prefix", "Before each value")}
            {text("value_suffix", "Behind each value")}
            {text("delimiter", "Between values")}
          </>
        )}
        {problem !== null && draft.token !== "" && (
          <p className="tone-error small" role="alert">
            {problem}
          </p>
        )}
      </div>
    </Dialog>
  );
}

function ChoiceRows({
  choices,
  onChange,
}: {
  choices: DashboardInput["choices"];
  onChange: (choices: DashboardInput["choices"]) => void;
}) {
  const put = (index: number, changes: Partial<{ value: string; label: string }>): void =>
    onChange(choices.map((choice, i) => (i === index ? { ...choice, ...changes } : choice)));
  return (
    <div className="choice-rows" role="group" aria-label="Choices">
      {choices.map((choice, index) => (
        <div key={index} className="row">
          <input
            className="mono grow"
            aria-label={`Value ${index + 1}`}
            placeholder="value"
            value={choice.value}
            onChange={(e) => put(index, { value: e.target.value })}
            spellCheck={false}
          />
          <input
            className="grow"
            aria-label={`Label ${index + 1}`}
            placeholder="label"
            value={choice.label === choice.value ? "" : choice.label}
            onChange={(e) => put(index, { label: e.target.value })}
          />
          <button
            type="button"
            className="icon-button"
            aria-label={`Remove choice ${index + 1}`}
            onClick={() => onChange(choices.filter((_, i) => i !== index))}
          >
            <Icon name="close" size={13} />
          </button>
        </div>
      ))}
      <button type="button" className="button" onClick={() => onChange([...choices, { value: "", label: "" }])}>
        <Icon name="plus" /> Choice
      </button>
    </div>
  );
}

/** What the input holds before anybody chooses. Nothing means that panels wait. */
function Default({ input, onChange }: { input: DashboardInput; onChange: (value: DashboardInput["default"]) => void }) {
  if (input.kind === "time") {
    const range = (input.default ?? { earliest: "", latest: "" }) as { earliest: string; latest: string };
    const end = (name: "earliest" | "latest", label: string) => (
      <label className="quarter">
        {label}
        <input
          className="mono"
          value={range[name]}
          placeholder={name === "latest" ? "now" : "-24h"}
          onChange={(e) => {
            const next = { ...range, [name]: e.target.value.trim() };
            onChange(next.earliest === "" && next.latest === "" ? null : next);
          }}
        />
      </label>
    );
    return (
      <>
        {end("earliest", "At first from")}
        {end("latest", "At first to")}
      </>
    );
  }
  const several = holdsSeveral(input);
  const held = input.default === null ? "" : several ? (input.default as string[]).join(", ") : String(input.default);
  const list = (text: string): string[] => text.split(",").map((one) => one.trim());
  return (
    <label className="half">
      {several ? "At first, with commas between" : "At first"}
      <input
        className="mono"
        value={held}
        onChange={(e) => onChange(e.target.value === "" ? null : several ? list(e.target.value) : e.target.value)}
        spellCheck={false}
      />
    </label>
  );
}
