/** The SPL editor. Controlled from outside by `value`; tells of edits, runs and nothing else. */
import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { bracketMatching } from "@codemirror/language";
import { linter, type Diagnostic as LintDiagnostic } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { request } from "../api/client";
import type { Diagnostic, TimeModifier } from "../api/types";
import { completionSource, type Known } from "./completion";
import { readHistory } from "./history";
import { spl, splColours } from "./language";
import { laidOut } from "./layout";
import { callHelp, callHelpLeaves, hoverHelp, quoteMatching, setTimes, timePreview } from "./marks";

interface Props {
  value: string;
  onChange: (text: string) => void;
  onRun: (text: string) => void;
  known: Known;
  label?: string;
  autoFocus?: boolean;
}

export default function Editor({ value, onChange, onRun, known, label = "Search in SPL", autoFocus }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  // The newest props, for callbacks that CodeMirror keeps for the editor's whole life.
  const latest = useRef({ onChange, onRun, known });
  latest.current = { onChange, onRun, known };

  useEffect(() => {
    const editor = new EditorView({
      parent: host.current!,
      state: EditorState.create({
        doc: value,
        extensions: [
          Prec.highest(
            keymap.of([
              { key: "Mod-Enter", run: (v) => (latest.current.onRun(v.state.doc.toString()), true) },
              { key: "Alt-ArrowUp", run: (v) => recall(v, 1) },
              { key: "Alt-ArrowDown", run: (v) => recall(v, -1) },
              { key: "Mod-\\", run: (v) => (void layOut(v), true), preventDefault: true },
              { key: "Tab", run: acceptCompletion },
              { key: "Shift-Enter", run: insertNewlineAndIndent },
            ]),
          ),
          history(),
          drawSelection(),
          bracketMatching(),
          quoteMatching,
          timePreview,
          hoverHelp(() => latest.current.known.registry),
          callHelp(() => latest.current.known.registry),
          callHelpLeaves,
          closeBrackets(),
          autocompletion({
            override: [completionSource(() => latest.current.known)],
            maxRenderedOptions: 60,
            icons: false,
            activateOnTypingDelay: 40,
          }),
          linter(check, { delay: 400 }),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
          spl,
          splColours,
          EditorView.lineWrapping,
          placeholder("index=main error | stats count by service"),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    if (autoFocus) {
      editor.focus();
      editor.dispatch({ selection: { anchor: editor.state.doc.length } });
    }
    return () => editor.destroy();
    // The editor is made once; `value` flows in through the effect below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (editor && value !== editor.state.doc.toString()) {
      editor.dispatch({
        changes: { from: 0, to: editor.state.doc.length, insert: value },
        selection: { anchor: value.length },
      });
    }
  }, [value]);

  return <div ref={host} className="editor" />;
}

let historyAt = -1;
let historyShown = "";

/** Steps through the searches run before: 1 is older, -1 newer. */
function recall(view: EditorView, step: number): boolean {
  const list = readHistory();
  if (list.length === 0) return true;
  const here = view.state.doc.toString();
  if (here !== historyShown) historyAt = list[0] === here.trim() ? 0 : -1;
  historyAt = Math.max(0, Math.min(list.length - 1, historyAt + step));
  historyShown = list[historyAt]!;
  view.dispatch({
    changes: { from: 0, to: view.state.doc.length, insert: historyShown },
    selection: { anchor: historyShown.length },
  });
  return true;
}

/** Lays the search out, a stage a line. A text with something unclosed stays as it is; the underline tells what. */
async function layOut(view: EditorView): Promise<void> {
  const text = view.state.doc.toString();
  const laid = await laidOut(text);
  if (laid === text || view.state.doc.toString() !== text) return;
  // The cursor stays behind the same letter: only white space changes.
  const letters = text.slice(0, view.state.selection.main.head).replace(/\s/g, "").length;
  let at = 0;
  for (let seen = 0; at < laid.length && seen < letters; at++) if (/\S/.test(laid[at]!)) seen++;
  view.dispatch({ changes: { from: 0, to: text.length, insert: laid }, selection: { anchor: at } });
}

async function check(view: EditorView): Promise<LintDiagnostic[]> {
  const text = view.state.doc.toString();
  if (text.trim() === "") return [];
  const answer = await request<{ diagnostics: Diagnostic[]; times: TimeModifier[] }>("/search/check", {
    method: "POST",
    body: { search: text },
  }).catch(() => ({ diagnostics: [], times: [] }));
  const length = view.state.doc.length;
  // An answer about a text that has changed since says nothing about the new one.
  if (view.state.doc.toString() === text) view.dispatch({ effects: setTimes.of(answer.times) });
  return answer.diagnostics.map((d) => {
    const from = Math.max(0, Math.min(d.start, length));
    const to = Math.min(length, Math.max(d.end, from + 1));
    return {
      from: Math.min(from, Math.max(0, to - 1)),
      to,
      severity: "error" as const,
      message: d.hint ? `${d.message}\n${d.hint}` : d.message,
      actions: fixOf(d, text),
    };
  });
}

/** The replacement a hint names in quotes ("did you mean 'stats'?"), offered as a button. */
function fixOf(d: Diagnostic, text: string): LintDiagnostic["actions"] {
  const suggestion = /(?:did you mean|nearest|use|perhaps)[^"'`]*["'`]([^"'`]+)["'`]/i.exec(d.hint ?? "")?.[1];
  if (suggestion === undefined || d.end <= d.start || /\s/.test(text.slice(d.start, d.end))) return undefined;
  return [
    {
      name: `Replace with ${suggestion}`,
      apply: (view, from, to) => view.dispatch({ changes: { from, to, insert: suggestion } }),
    },
  ];
}
