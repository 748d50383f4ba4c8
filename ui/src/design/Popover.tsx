/** A small panel under a button: closes on Escape, on a click elsewhere, and gives focus back to its button. */
import { useCallback, useEffect, useId, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { createPortal } from "react-dom";

interface Props {
  label: ReactNode;
  /** Accessible name when the label is an icon. */
  name?: string;
  className?: string;
  align?: "left" | "right";
  width?: number;
  role?: "menu" | "dialog";
  disabled?: boolean;
  children: (close: () => void) => ReactNode;
}

export function Popover({
  label,
  name,
  className = "button",
  align = "left",
  width,
  role = "menu",
  disabled,
  children,
}: Props) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<{ left: number; top: number; maxHeight: number } | null>(null);
  const id = useId();

  const close = useCallback(() => {
    setOpen(false);
    setPlace(null);
    button.current?.focus({ preventScroll: true });
  }, []);

  useLayoutEffect(() => {
    if (!open || !button.current || !panel.current) return;
    const anchor = button.current.getBoundingClientRect();
    const box = panel.current.getBoundingClientRect();
    const wanted = align === "right" ? anchor.right - box.width : anchor.left;
    const left = Math.max(8, Math.min(wanted, window.innerWidth - box.width - 8));
    const below = window.innerHeight - anchor.bottom - 12;
    const above = anchor.top - 12;
    const up = below < Math.min(box.height, 240) && above > below;
    const maxHeight = Math.max(160, up ? above : below);
    const top = up ? Math.max(8, anchor.top - 4 - Math.min(box.height, maxHeight)) : anchor.bottom + 4;
    setPlace({ left, top, maxHeight });
  }, [open, align]);

  // A hidden panel takes no focus, and it is hidden until it has its place.
  const placed = place !== null;
  useEffect(() => {
    if (!placed) return;
    const inside = (selector: string): HTMLElement | null | undefined =>
      panel.current?.querySelector<HTMLElement>(selector);
    const first = inside("[data-autofocus]") ?? inside("[role=menuitem], [role=menuitemradio], input, button, a");
    first?.focus({ preventScroll: true });
  }, [placed]);

  useEffect(() => {
    if (!open) return;
    const away = (event: PointerEvent): void => {
      const target = event.target as Node;
      if (!panel.current?.contains(target) && !button.current?.contains(target)) {
        setOpen(false);
        setPlace(null);
      }
    };
    document.addEventListener("pointerdown", away);
    window.addEventListener("resize", close);
    return () => {
      document.removeEventListener("pointerdown", away);
      window.removeEventListener("resize", close);
    };
  }, [open, close]);

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
    if (role === "menu" && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const items = [...(panel.current?.querySelectorAll<HTMLElement>("[role=menuitem], [role=menuitemradio]") ?? [])];
      const at = items.indexOf(document.activeElement as HTMLElement);
      const next = items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length];
      if (next) {
        event.preventDefault();
        next.focus();
      }
    }
  };

  return (
    <>
      <button
        ref={button}
        type="button"
        className={className}
        aria-haspopup={role}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={name}
        title={name}
        disabled={disabled}
        onClick={() => setOpen((was) => !was)}
      >
        {label}
      </button>
      {open &&
        createPortal(
          <div
            ref={panel}
            id={id}
            role={role}
            aria-label={name}
            className="popover"
            style={{
              left: place?.left ?? 0,
              top: place?.top ?? 0,
              maxHeight: place?.maxHeight,
              width,
              visibility: place ? "visible" : "hidden",
            }}
            onKeyDown={onKeyDown}
          >
            {children(close)}
          </div>,
          document.body,
        )}
    </>
  );
}

export function MenuItem({
  onSelect,
  children,
  checked,
  hint,
  danger,
}: {
  onSelect: () => void;
  children: ReactNode;
  checked?: boolean;
  hint?: ReactNode;
  danger?: boolean;
}) {
  return (
    <button
      type="button"
      role={checked === undefined ? "menuitem" : "menuitemradio"}
      aria-checked={checked}
      className={`menu-item${danger ? " danger" : ""}`}
      onClick={onSelect}
    >
      {checked !== undefined && (
        <span className="menu-check" aria-hidden="true">
          {checked ? "✓" : ""}
        </span>
      )}
      <span className="menu-label">{children}</span>
      {hint !== undefined && <span className="menu-hint">{hint}</span>}
    </button>
  );
}
