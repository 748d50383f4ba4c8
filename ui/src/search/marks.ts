/** What the editor draws into the text: matching quotes, and the moment that a time modifier stands for. */
import { StateEffect, StateField, type EditorState, type Range } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  hoverTooltip,
  showTooltip,
  ViewPlugin,
  WidgetType,
  type DecorationSet,
  type Tooltip,
  type ViewUpdate,
} from "@codemirror/view";
import type { Registry, TimeModifier } from "../api/types";
import { formatTime } from "../design/format";
import { helpCard, helpFor, kindAt, openCall } from "./help";

/** The strings of a text as [start, end) with their quotes; the end is the text's where one is not closed. */
export function quotedRanges(text: string): { from: number; to: number; closed: boolean }[] {
  const found: { from: number; to: number; closed: boolean }[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text.startsWith("```", i)) {
      const end = text.indexOf("```", i + 3);
      i = end < 0 ? text.length : end + 2;
      continue;
    }
    const quote = text[i]!;
    if (quote !== '"' && quote !== "`") continue;
    const from = i;
    for (i++; i < text.length && text[i] !== quote; i++) if (text[i] === "\\" && quote === '"') i++;
    found.push({ from, to: Math.min(i + 1, text.length), closed: i < text.length });
  }
  return found;
}

const matched = Decoration.mark({ class: "cm-matchingBracket" });
const unmatched = Decoration.mark({ class: "cm-openQuote" });

function quoteMarks(state: EditorState): DecorationSet {
  const at = state.selection.main.head;
  const marks: Range<Decoration>[] = [];
  for (const { from, to, closed } of quotedRanges(state.doc.toString())) {
    if (!closed) marks.push(unmatched.range(from, from + 1));
    else if ([from, from + 1, to - 1, to].includes(at))
      marks.push(matched.range(from, from + 1), matched.range(to - 1, to));
  }
  return Decoration.set(marks, true);
}

export const quoteMatching = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = quoteMarks(view.state);
    }
    update(update: ViewUpdate): void {
      if (update.docChanged || update.selectionSet) this.decorations = quoteMarks(update.state);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

class Moment extends WidgetType {
  constructor(readonly time: number) {
    super();
  }
  override eq(other: Moment): boolean {
    return other.time === this.time;
  }
  toDOM(): HTMLElement {
    const span = document.createElement("span");
    span.className = "cm-moment";
    span.textContent = this.time <= 0 ? "the beginning" : formatTime(this.time, "s");
    span.setAttribute("aria-label", `that is ${span.textContent}`);
    return span;
  }
}

export const setTimes = StateEffect.define<TimeModifier[]>();

/** The moments after the modifiers; they stay at their places while the text around them changes. */
export const timePreview = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(shown, transaction) {
    shown = shown.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(setTimes)) continue;
      const length = transaction.state.doc.length;
      shown = Decoration.set(
        effect.value
          .filter((t) => t.end <= length)
          .map((t) => Decoration.widget({ widget: new Moment(t.time), side: 1 }).range(t.end)),
        true,
      );
    }
    return shown;
  },
  provide: (field) => EditorView.decorations.from(field),
});

const WORD = /[A-Za-z_]\w*/g;

/** Help for the name under the pointer. */
export const hoverHelp = (registry: () => Registry | undefined) =>
  hoverTooltip((view, position) => {
    const known = registry();
    const line = view.state.doc.lineAt(position);
    if (!known) return null;
    for (const match of line.text.matchAll(WORD)) {
      const from = line.from + match.index;
      const to = from + match[0].length;
      if (position < from || position > to) continue;
      const help = helpFor(match[0], kindAt(view.state.doc.toString(), from, to), known);
      return help ? { pos: from, end: to, above: true, create: () => ({ dom: card(helpCard(help, true)) }) } : null;
    }
    return null;
  });

const leaveCall = StateEffect.define<null>();

/** The call's syntax goes away with the focus. */
export const callHelpLeaves = EditorView.domEventHandlers({
  blur: (_, view) => {
    // The editor is in the middle of an update while it loses the focus.
    setTimeout(() => view.dispatch({ effects: leaveCall.of(null) }));
  },
});

/** The syntax of the call whose arguments are being typed. */
export const callHelp = (registry: () => Registry | undefined) =>
  StateField.define<Tooltip | null>({
    create: () => null,
    update(shown, transaction) {
      if (transaction.effects.some((effect) => effect.is(leaveCall))) return null;
      if (!transaction.docChanged && !transaction.selection) return shown;
      const known = registry();
      const at = transaction.state.selection.main.head;
      const typed = transaction.isUserEvent("input") || transaction.isUserEvent("delete");
      const call = known && typed ? openCall(transaction.state.sliceDoc(0, at)) : null;
      const help = call && helpFor(call.name, "", known!);
      if (!help?.syntax) return null;
      const dom = document.createElement("code");
      dom.textContent = help.syntax;
      return { pos: at, above: true, strictSide: true, create: () => ({ dom: card(dom) }) };
    },
    provide: (field) => showTooltip.from(field),
  });

function card(content: HTMLElement): HTMLElement {
  const box = document.createElement("div");
  box.className = "cm-help";
  box.append(content);
  return box;
}
