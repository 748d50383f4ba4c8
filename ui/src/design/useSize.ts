/** The size of an element on the screen, kept up to date. */
import { useLayoutEffect, useRef, useState, type RefObject } from "react";

export function useSize<E extends Element>(): [RefObject<E | null>, { width: number; height: number }] {
  const ref = useRef<E>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const read = (): void => {
      const box = element.getBoundingClientRect();
      setSize((was) =>
        Math.abs(was.width - box.width) < 0.5 && Math.abs(was.height - box.height) < 0.5
          ? was
          : { width: box.width, height: box.height },
      );
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}
