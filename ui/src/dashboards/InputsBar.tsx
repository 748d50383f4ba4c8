/** The inputs above the panels. Each shows what it holds; with a button, what is chosen counts once that is pressed. */
import { useEffect, useState, type ReactNode } from "react";
import type { Choice, DashboardInput, FilledDashboard } from "../api/types";
import { RangeChoice } from "../app/TimeRangePicker";
import type { TimeRange } from "../app/timeRange";
import { Popover } from "../design/Popover";
import { errorText } from "../design/States";
import { choicesOf, chosen, holding, holdsSeveral, type Values } from "./inputs";
import { usePanel } from "./usePanel";

interface Props {
  inputs: DashboardInput[];
  filled: FilledDashboard["inputs"] | undefined;
  values: Values;
  range: TimeRange;
  submit: boolean;
  onChange: (values: Values) => void;
  /** Something beside each label, for who edits the dashboard. */
  menu?: (input: DashboardInput, index: number) => ReactNode;
}

export function InputsBar({ inputs, filled, values, range, submit, onChange, menu }: Props) {
  const [draft, setDraft] = useState<Values>({});
  const change = (next: Values): void => (submit ? setDraft((was) => ({ ...was, ...next })) : onChange(next));
  return (
    <div className="inputs" role="group" aria-label="Inputs">
      {inputs.map((input, index) => (
        <InputField
          key={input.token}
          input={input}
          filled={filled?.[input.token]}
          held={chosen(input, { ...values, ...draft }, filled?.[input.token]?.values)}
          range={range}
          onChange={(held) => change(holding(input, held))}
          menu={menu?.(input, index)}
        />
      ))}
      {submit && (
        <button
          type="button"
          className="button primary"
          disabled={Object.keys(draft).length === 0}
          onClick={() => (onChange(draft), setDraft({}))}
        >
          Apply
        </button>
      )}
    </div>
  );
}

interface FieldProps {
  input: DashboardInput;
  filled: FilledDashboard["inputs"][string] | undefined;
  held: string[];
  range: TimeRange;
  onChange: (held: string[]) => void;
  menu?: ReactNode;
}

function InputField({ input, filled, held, range, onChange, menu }: FieldProps) {
  const waits = filled === undefined || filled.waits_for.length > 0 || filled.problem !== "";
  const answer = usePanel(
    filled?.search ?? "",
    filled?.earliest || range.earliest,
    filled?.latest || range.latest,
    false,
    !waits,
  );
  const { choices, problem } = choicesOf(input, input.search.trim() === "" || waits ? undefined : answer.data?.results);
  const first = input.select_first && filled !== undefined && held.length === 0 ? choices[0]?.value : undefined;
  useEffect(() => {
    if (first !== undefined) onChange([first]);
    // What is chosen by itself is chosen once.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [first]);
  const name = input.label || input.token;
  const trouble = filled?.problem || problem || (answer.error && !waits ? errorText(answer.error) : "");
  const body = control(input, name, choices, held, onChange);
  return (
    <div className="input" aria-busy={answer.isFetching}>
      <div className="input-head">
        <span title={`$${input.token}$`}>{name}</span>
        {menu}
      </div>
      {body}
      {trouble && (
        <p className="tone-error small" role="alert">
          {trouble}
        </p>
      )}
    </div>
  );
}

function control(
  input: DashboardInput,
  name: string,
  choices: Choice[],
  held: string[],
  onChange: (held: string[]) => void,
): ReactNode {
  const toggle = (value: string, on: boolean): void =>
    onChange(on ? [...held, value] : held.filter((one) => one !== value));
  switch (input.kind) {
    case "text":
      return <TextField key={held[0] ?? ""} name={name} value={held[0] ?? ""} onChange={(text) => onChange([text])} />;
    case "time":
      return (
        <RangeChoice
          name={name}
          align="left"
          range={held.length === 0 ? null : { earliest: held[0]!, latest: held[1] ?? "now" }}
          onChange={(range) => onChange([range.earliest, range.latest])}
        />
      );
    case "dropdown":
      return (
        <select aria-label={name} value={held[0] ?? ""} onChange={(e) => onChange([e.target.value])}>
          {held.length === 0 && <option value="">choose</option>}
          {withHeld(choices, held).map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      );
    case "link":
      return (
        <div className="segmented" role="group" aria-label={name}>
          {withHeld(choices, held).map((choice) => (
            <button
              key={choice.value}
              type="button"
              aria-pressed={held.includes(choice.value)}
              onClick={() => onChange([choice.value])}
            >
              {choice.label}
            </button>
          ))}
        </div>
      );
    case "multiselect":
      return <Several name={name} choices={withHeld(choices, held)} held={held} toggle={toggle} />;
    default:
      return (
        <div className="input-choices" role={holdsSeveral(input) ? "group" : "radiogroup"} aria-label={name}>
          {withHeld(choices, held).map((choice) => (
            <label key={choice.value} className="inline">
              <input
                type={holdsSeveral(input) ? "checkbox" : "radio"}
                name={input.token}
                checked={held.includes(choice.value)}
                onChange={(e) =>
                  holdsSeveral(input) ? toggle(choice.value, e.target.checked) : onChange([choice.value])
                }
              />{" "}
              {choice.label}
            </label>
          ))}
        </div>
      );
  }
}

/** The choices with what is held, which a link may bring and no choice has. */
const withHeld = (choices: Choice[], held: string[]): Choice[] => [
  ...choices,
  ...held.filter((value) => !choices.some((c) => c.value === value)).map((value) => ({ value, label: value })),
];

/** Typed text counts on Enter and when the field is left. */
function TextField({ name, value, onChange }: { name: string; value: string; onChange: (text: string) => void }) {
  const [text, setText] = useState(value);
  const done = (): void => {
    if (text !== value) onChange(text);
  };
  return (
    <input
      aria-label={name}
      value={text}
      onChange={(e) => setText(e.target.value)}
      onBlur={done}
      onKeyDown={(e) => {
        if (e.key !== "Enter") return;
        e.preventDefault();
        done();
      }}
      spellCheck={false}
    />
  );
}

const MANY = 12;

/** Several of many: a button that says what is chosen, and a list to tick. */
function Several({
  name,
  choices,
  held,
  toggle,
}: {
  name: string;
  choices: Choice[];
  held: string[];
  toggle: (value: string, on: boolean) => void;
}) {
  const [words, setWords] = useState("");
  const labels = choices.filter((c) => held.includes(c.value)).map((c) => c.label);
  const found = choices.filter((c) => c.label.toLowerCase().includes(words.trim().toLowerCase()));
  return (
    <Popover
      className="button input-several"
      role="dialog"
      name={`${name}: ${labels.join(", ") || "choose"}`}
      label={<span className="clip">{labels.join(", ") || "choose"}</span>}
    >
      {() => (
        <div className="input-list">
          {choices.length > MANY && (
            <input
              aria-label={`Find in ${name}`}
              value={words}
              onChange={(e) => setWords(e.target.value)}
              placeholder="find"
            />
          )}
          {found.map((choice) => (
            <label key={choice.value} className="inline">
              <input
                type="checkbox"
                checked={held.includes(choice.value)}
                onChange={(e) => toggle(choice.value, e.target.checked)}
              />{" "}
              {choice.label}
            </label>
          ))}
          {found.length === 0 && <p className="dim small">nothing to choose</p>}
        </div>
      )}
    </Popover>
  );
}
