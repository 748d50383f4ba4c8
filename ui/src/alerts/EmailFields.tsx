/** The e-mail of an alert: to whom, in which words, and which rows go with it. */
import type { AlertAction } from "../api/types";

const PRIORITIES = ["highest", "high", "normal", "low", "lowest"];
const RESULTS: Record<string, string> = {
  none: "not sent",
  inline: "in the text",
  attached: "attached as CSV",
  both: "in the text and attached",
};
const FORMATS: Record<string, string> = { table: "a table", csv: "CSV", raw: "the events' texts" };
const INCLUDED: Record<string, string> = {
  results_link: "link to the results",
  view_link: "link to the alert",
  search: "search",
  trigger: "condition",
  trigger_time: "time",
};

export const NEW_EMAIL: AlertAction = {
  kind: "email",
  to: "",
  subject: "Alert: $name$",
  message: "$name$ found $job.resultCount$ rows.",
  results: "none",
  include: ["results_link", "view_link"],
};

export function EmailFields({ email, onChange }: { email: AlertAction; onChange: (email: AlertAction) => void }) {
  const text = (name: string): string => String(email[name] ?? "");
  const set = (name: string, value: unknown): void => onChange({ ...email, [name]: value });
  const included = (email.include as string[] | undefined) ?? [];
  const inText = email.results === "inline" || email.results === "both";
  const input = (name: string, label: string, size: string, placeholder?: string) => (
    <label className={size}>
      {label}
      <input
        value={text(name)}
        onChange={(e) => set(name, e.target.value)}
        placeholder={placeholder}
        spellCheck={false}
      />
    </label>
  );
  const choice = (name: string, label: string, size: string, choices: Record<string, string>, usual: string) => (
    <label className={size}>
      {label}
      <select value={text(name) || usual} onChange={(e) => set(name, e.target.value)}>
        {Object.entries({
          ...choices,
          ...(text(name) in choices || !text(name) ? {} : { [text(name)]: text(name) }),
        }).map(([value, shown]) => (
          <option key={value} value={value}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <fieldset className="form-grid email-fields">
      <legend>E-mail</legend>
      {input("to", "To", "half", "ops@example.com, $result.owner$")}
      {input("cc", "Copy to", "quarter")}
      {input("bcc", "Blind copy to", "quarter")}
      {input("subject", "Subject", "half")}
      {input("from", "From", "quarter", "as the settings say")}
      {choice("priority", "Priority", "quarter", Object.fromEntries(PRIORITIES.map((p) => [p, p])), "normal")}
      <label>
        Message
        <textarea rows={3} value={text("message")} onChange={(e) => set("message", e.target.value)} />
      </label>
      {choice("results", "Rows", "third", RESULTS, "none")}
      {inText && choice("format", "As", "third", FORMATS, "table")}
      {email.results !== "none" && (
        <label className="third">
          At most
          <input
            type="number"
            min={1}
            max={10000}
            value={text("max_rows") || "10000"}
            onChange={(e) => set("max_rows", Number(e.target.value))}
          />
        </label>
      )}
      <div className="row wrap email-include" role="group" aria-label="Below the message">
        <span className="dim small">Below the message</span>
        {Object.entries(INCLUDED).map(([name, label]) => (
          <label key={name} className="inline">
            <input
              type="checkbox"
              checked={included.includes(name)}
              onChange={(e) =>
                set(
                  "include",
                  Object.keys(INCLUDED).filter((n) => (n === name ? e.target.checked : included.includes(n))),
                )
              }
            />{" "}
            {label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
