// Keys in place of the mouse. Single letters can be switched off, for people whose input sends some by accident.

import { isDialogOpen } from "./dialog.tsx";
import { go } from "./link.ts";
import { kept, Store } from "./store.ts";
import { nextTheme } from "./theme.ts";
import { readAgain } from "./watch.ts";

export const PAGES: Readonly<Record<string, { readonly path: string; readonly name: string }>> = {
  n: { path: "", name: "Now" },
  q: { path: "queues", name: "Queues" },
  j: { path: "jobs", name: "Jobs" },
  w: { path: "workers", name: "Workers" },
  c: { path: "cron", name: "Cron" },
  t: { path: "chat", name: "Chat" },
  b: { path: "bus", name: "Bus" },
  h: { path: "handlers", name: "Handlers" },
  a: { path: "audit", name: "Audit" },
};

const PAIR_MS = 1500;
export const keysOn = new Store(kept.get("keys") !== "off");
let first = "";
let firstAt = 0;

export function switchKeys(on: boolean): void {
  keysOn.set(on);
  kept.set("keys", on ? "on" : "off");
}

/** @returns what ends it */
export function listenToKeys(help: () => void): () => void {
  const heard = (event: KeyboardEvent): void => {
    if (!keysOn.value || event.ctrlKey || event.metaKey || event.altKey || isDialogOpen() || isTyping(event)) return;
    if (handled(event.key, help)) event.preventDefault();
  };
  window.addEventListener("keydown", heard);
  return () => window.removeEventListener("keydown", heard);
}

function handled(key: string, help: () => void): boolean {
  const isPair = first === "g" && performance.now() - firstAt < PAIR_MS;
  [first, firstAt] = [isPair ? "" : key, performance.now()];
  const page = PAGES[key];
  if (isPair && page !== undefined) go(page.path === "" ? [] : [page.path]);
  else if (key === "?") help();
  else if (key === "/") search();
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else if (key === "r") readAgain();
  else if (key === "d") nextTheme();
  else return false;
  return true;
}

function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLElement && target.closest("input:not([type=checkbox]), textarea, select") !== null;
}

function search(): void {
  const field = document.querySelector<HTMLInputElement>("main [data-search]");
  if (field !== null) return field.focus();
  go(["jobs"]);
  setTimeout(() => document.querySelector<HTMLInputElement>("main [data-search]")?.focus(), 100);
}

/** To the next row's link, or the one before. */
function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = rows[at === -1 ? (by === 1 ? 0 : rows.length - 1) : at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
