/** The time under the pointer, told to every chart of the page. */
type Listener = (atMs: number | null, from: object) => void;

const listeners = new Set<Listener>();

export function hoverTime(atMs: number | null, from: object): void {
  listeners.forEach((listener) => listener(atMs, from));
}

export function onHoverTime(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
