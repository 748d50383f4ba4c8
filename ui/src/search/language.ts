/** SPL for CodeMirror: colours from the registry's names, completion, and lint from the server's check. */
import { HighlightStyle, StreamLanguage, syntaxHighlighting, type StringStream } from "@codemirror/language";
import { tags } from "@lezer/highlight";
import { known } from "./names";

interface State {
  /** True where a command name is expected. */
  start: boolean;
  comment: boolean;
}

const WORDS = new Set([
  "and",
  "or",
  "not",
  "by",
  "as",
  "in",
  "over",
  "where",
  "with",
  "into",
  "from",
  "against",
  "output",
  "outputnew",
  "like",
  "xor",
]);

function token(stream: StringStream, state: State): string | null {
  if (state.comment) {
    if (stream.skipTo("```")) {
      stream.match("```");
      state.comment = false;
    } else {
      stream.skipToEnd();
    }
    return "comment";
  }
  if (stream.eatSpace()) return null;
  if (stream.match("```")) {
    state.comment = true;
    return "comment";
  }
  const c = stream.next()!;
  if (c === "|" || c === "[") {
    state.start = true;
    return "punctuation";
  }
  if (c === '"') {
    quoted(stream, '"');
    state.start = false;
    return "string";
  }
  if (c === "'") {
    quoted(stream, "'");
    return "variableName";
  }
  if (c === "`") {
    quoted(stream, "`");
    state.start = false;
    return "macroName";
  }
  if (/[\])(,]/.test(c)) return "punctuation";
  if (/[=<>!+\-*/%.:]/.test(c) && !(c === "*" && /\w/.test(stream.peek() ?? ""))) {
    if (/[-+]/.test(c) && stream.match(/^\d+(\.\d+)?[a-z@]*/i)) return "number";
    return "operator";
  }
  stream.eatWhile(/[\w.@#{}*$:\-\u00a0-\uffff]/);
  const word = stream.current();
  const lower = word.toLowerCase();
  const atStart = state.start;
  state.start = false;
  if (atStart && known.commands.has(lower)) return "keyword";
  if (/^\d/.test(word) && /^\d+(\.\d+)?[a-z]*$/i.test(word)) return "number";
  if (stream.peek() === "(" && (known.functions.has(lower) || known.functions.size === 0)) return "function";
  if (WORDS.has(lower)) return "operatorKeyword";
  if (stream.match(/^\s*=(?!=)/, false)) return "propertyName";
  return "variableName";
}

function quoted(stream: StringStream, quote: string): void {
  let escaped = false;
  for (let c = stream.next(); c != null; c = stream.next()) {
    if (c === quote && !escaped) return;
    escaped = !escaped && c === "\\";
  }
}

export const spl = StreamLanguage.define<State>({
  name: "spl",
  startState: () => ({ start: true, comment: false }),
  copyState: (state) => ({ ...state }),
  token,
  languageData: { closeBrackets: { brackets: ["(", "[", '"', "`"] } },
  tokenTable: { function: tags.function(tags.variableName) },
});

export const splColours = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.keyword, color: "var(--code-command)", fontWeight: "600" },
    { tag: tags.function(tags.variableName), color: "var(--code-function)" },
    { tag: tags.string, color: "var(--code-string)" },
    { tag: tags.number, color: "var(--code-number)" },
    { tag: tags.operatorKeyword, color: "var(--code-command)" },
    { tag: [tags.operator, tags.punctuation], color: "var(--code-operator)" },
    { tag: tags.propertyName, color: "var(--code-operator)" },
    { tag: tags.macroName, color: "var(--code-function)" },
    { tag: tags.variableName, color: "var(--code-field)" },
    { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
  ]),
);
