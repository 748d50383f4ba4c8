/** A menu at a point of the page, for cells and marks that are too many to carry a button each. */
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { createPortal } from "react-dom";

export interface Anchor {
  x: number;
  y: number;
  /** Gets the focus back when the menu closes. */
  from: HTMLElement | null;
}

export const anchorOf = (element: HTMLElement): Anchor => {
  const box = element.getBoundingClientRect();
  return { x: box.left, y: box.bottom, from: element };
};

export function AnchoredMenu({
  anchor,
  onClose,
  label,
  children,
}: {
  anchor: Anchor;
  onClose: () => void;
  label: string;
  children: ReactNode;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<{ left: number; top: number } | null>(null);
  useLayoutEffect(() => {
    const box = ref.current!.getBoundingClientRect();
    const top = anchor.y + box.height > window.innerHeight - 8 ? Math.max(8, anchor.y - box.height - 28) : anchor.y + 2;
    setPlace({ left: Math.max(8, Math.min(anchor.x, window.innerWidth - box.width - 8)), top });
    ref.current!.querySelector<HTMLElement>("[role=menuitem]")?.focus({ preventScroll: true });
  }, [anchor]);
  useEffect(() => {
    const away = (event: PointerEvent): void => {
      if (!ref.current?.contains(event.target as Node)) onClose();
    };
    document.addEventListener("pointerdown", away);
    window.addEventListener("wheel", onClose, { passive: true });
    return () => {
      document.removeEventListener("pointerdown", away);
      window.removeEventListener("wheel", onClose);
    };
  }, [onClose]);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const items = [...(ref.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      onClose();
      anchor.from?.focus({ preventScroll: true });
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length]?.focus();
    }
  };
  return createPortal(
    <div
      ref={ref}
      className="popover"
      role="menu"
      aria-label={label}
      style={{ left: place?.left ?? 0, top: place?.top ?? 0, visibility: place ? "visible" : "hidden" }}
      onKeyDown={onKeyDown}
    >
      {children}
    </div>,
    document.body,
  );
}
