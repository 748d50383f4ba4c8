/** The panel grid: twenty-four columns, rows of one unit. Pure. */

export interface Box {
  id: string;
  x: number;
  y: number;
  w: number;
  h: number;
}

export const COLUMNS = 24;

export const clampBox = <B extends Box>(box: B): B => {
  const w = Math.max(3, Math.min(COLUMNS, Math.round(box.w)));
  return {
    ...box,
    w,
    h: Math.max(3, Math.min(60, Math.round(box.h))),
    x: Math.max(0, Math.min(COLUMNS - w, Math.round(box.x))),
    y: Math.max(0, Math.round(box.y)),
  };
};

const overlap = (a: Box, b: Box): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

/** Places `moved` where it was dropped, pushes what it covers down, and closes the gaps above. */
export function settle<B extends Box>(boxes: B[], moved?: B): B[] {
  const first = moved ? [clampBox(moved)] : [];
  const rest = boxes
    .filter((b) => b.id !== moved?.id)
    .map(clampBox)
    .sort((a, b) => a.y - b.y || a.x - b.x);
  const placed: B[] = [];
  for (const box of [...first, ...rest]) {
    let y = box.y;
    while (placed.some((p) => overlap(p, { ...box, y }))) y++;
    placed.push({ ...box, y });
  }
  const closed: B[] = [];
  for (const box of placed.sort((a, b) => a.y - b.y || a.x - b.x)) {
    let y = box.y;
    while (y > 0 && !closed.some((p) => overlap(p, { ...box, y: y - 1 }))) y--;
    closed.push({ ...box, y });
  }
  return boxes.map((b) => closed.find((c) => c.id === b.id)!);
}
