// The web chat's page: plain files, read once, served under a policy that lets nothing else run.

import { readFileSync } from "node:fs";

export interface Served {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join("; ");

const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
} as const;

const FILES = [
  ["/chat", "chat.html", "text/html; charset=utf-8"],
  ["/chat/chat.css", "chat.css", "text/css; charset=utf-8"],
  ["/chat/chat.js", "chat.js", "text/javascript; charset=utf-8"],
  ["/chat/events.js", "events.js", "text/javascript; charset=utf-8"],
] as const;

/** `name` is the bot's. */
export function loadPage(name: string): Served[] {
  return FILES.map(([path, file, type]) => {
    const text = readFileSync(new URL(`./page/${file}`, import.meta.url), "utf8");
    const body = file === "chat.html" ? text.replaceAll("{{name}}", escapeHtml(name)) : text;
    return { path, headers: { ...HEADERS, "content-type": type }, body };
  });
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");
}
