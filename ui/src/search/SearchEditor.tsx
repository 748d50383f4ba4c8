/** The editor, loaded when first needed; until then its text stands in its place, so nothing moves. */
import { lazy, Suspense } from "react";
import type { Known } from "./completion";

const Editor = lazy(() => import("./Editor"));

interface Props {
  value: string;
  onChange: (text: string) => void;
  onRun: (text: string) => void;
  known: Known;
  label?: string;
  autoFocus?: boolean;
}

export function SearchEditor(props: Props) {
  // Made anew when the registry arrives, so that the colours know its names.
  return (
    <Suspense fallback={<pre className="editor editor-waiting">{props.value || " "}</pre>}>
      <Editor key={props.known.registry ? "known" : "new"} {...props} />
    </Suspense>
  );
}
