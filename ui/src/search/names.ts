/** The names the colouring knows; filled when the registry arrives. Apart from the editor, so that pages without one stay small. */
import type { Registry } from "../api/types";

export const known = { commands: new Set<string>(), functions: new Set<string>() };

export function learn(registry: Registry): void {
  known.commands = new Set(registry.commands.map((c) => c.name.toLowerCase()));
  known.functions = new Set(registry.functions.map((f) => f.name.toLowerCase()));
}
