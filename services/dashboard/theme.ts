// Dark or light: as the system says until the viewer says otherwise.

import { kept, Store } from "./store.ts";

export type Theme = "system" | "light" | "dark";
const ORDER: readonly Theme[] = ["system", "light", "dark"];
const system = matchMedia("(prefers-color-scheme: dark)");

export const theme = new Store<Theme>(read());
/** Changes with what is seen: charts draw their colours anew. */
export const isDark = new Store(dark());

show();
system.addEventListener("change", show);

export function nextTheme(): void {
  const next = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? "system";
  theme.set(next);
  kept.set("theme", next);
  show();
}

function show(): void {
  if (theme.value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
  isDark.set(dark());
}

function dark(): boolean {
  return theme.value === "system" ? system.matches : theme.value === "dark";
}

function read(): Theme {
  const name = kept.get("theme");
  return ORDER.find((one) => one === name) ?? "system";
}
