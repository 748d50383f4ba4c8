/** A modal dialog on the browser's own <dialog>: focus is kept inside, Escape closes, the page behind is inert. */
import { useEffect, useId, useRef, type ReactNode } from "react";
import { createPortal } from "react-dom";
import { Icon } from "./Icon";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** Buttons at the foot. */
  actions?: ReactNode;
  wide?: boolean;
  onSubmit?: () => void;
}

export function Dialog({ title, onClose, children, actions, wide, onSubmit }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) {
      dialog.showModal();
      // The browser would choose the first thing that takes the focus, which is the cross.
      const first =
        dialog.querySelector<HTMLElement>(".dialog-content input, .dialog-content select, .dialog-content textarea") ??
        dialog.querySelector<HTMLElement>(".dialog-foot button");
      first?.focus();
    }
    return () => dialog?.close();
  }, []);
  // At the end of the body: a form may not stand inside another one.
  return createPortal(
    <dialog
      ref={ref}
      className={wide ? "dialog wide" : "dialog"}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <form
        className="dialog-body"
        onSubmit={(event) => {
          event.preventDefault();
          // Events of a portal rise through React's tree, where another form may listen.
          event.stopPropagation();
          onSubmit?.();
        }}
      >
        <header className="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" className="icon-button" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        <div className="dialog-content">{children}</div>
        {actions && <footer className="dialog-foot">{actions}</footer>}
      </form>
    </dialog>,
    document.body,
  );
}

interface ConfirmProps {
  title: string;
  /** What will be lost, in a sentence. */
  children: ReactNode;
  action: string;
  busy?: boolean;
  error?: ReactNode;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ title, children, action, busy, error, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={onConfirm}
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>
            Keep
          </button>
          <button type="submit" className="button danger" disabled={busy}>
            {action}
          </button>
        </>
      }
    >
      <p>{children}</p>
      {error}
    </Dialog>
  );
}
