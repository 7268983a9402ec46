// What the fake chat service and its client say to each other: one JSON object per line, over TCP.
//
//   client ── hello(after) ──▶ service     service ── event … event, ready ──▶ client   (replay, then live)
//   client ── do | find ─────▶ service     service ── answer ────────────────▶ client
//   A newer hello ends the older connection with `evicted`, or is `refused` while there is an older one.

import type { ActionOutcome } from "../../sdk/adapter.ts";
import type { Action } from "../../sdk/action.ts";

export type ToService =
  | { readonly t: "hello"; readonly client: string; readonly after: number; readonly token?: string }
  /** With a key, the service does the same thing once only. */
  | { readonly t: "do"; readonly n: number; readonly action: Action; readonly key?: string }
  /** Was the Action of this id done? */
  | { readonly t: "find"; readonly n: number; readonly id: string };

export type FromService =
  | { readonly t: "event"; readonly seq: number; readonly replayed: boolean; readonly event: WireEvent }
  | { readonly t: "ready" }
  | { readonly t: "evicted" }
  | { readonly t: "refused"; readonly why: "credentials" | "busy" }
  | { readonly t: "answer"; readonly n: number; readonly outcome: ActionOutcome | "absent" };

/** Something said; anything else the service may invent has another `type`. */
export interface WireEvent {
  readonly type: string;
  readonly id: string;
  readonly at: number;
  readonly room?: string;
  readonly kind?: "channel" | "dm" | "group";
  readonly user?: { readonly id: string; readonly name: string };
  readonly text?: string;
  readonly mention?: boolean;
  /** Of the bot's own words. */
  readonly actionId?: string;
}

/** The bot's own user id. */
export const BOT = "bot";

/** Splits a stream of bytes into lines. Throws when a line is longer than any that is said here. */
export class Lines {
  #rest = "";

  push(bytes: string): string[] {
    const lines = (this.#rest + bytes).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > 1024 * 1024) throw new Error("a line without an end");
    return lines.filter((line) => line !== "");
  }
}

export function encodeLine(message: ToService | FromService): string {
  return `${JSON.stringify(message)}\n`;
}
