// What the service and its clients say to each other: one JSON object per line, over TCP.

import type { ActionOutcome } from "antiphon/adapter";

export type ToService =
  | { readonly t: "hello"; readonly token: string; readonly after: number }
  | { readonly t: "say"; readonly n: number; readonly room: string; readonly text: string; readonly key: string };

export type FromService =
  | ({ readonly t: "event"; readonly seq: number; readonly replayed: boolean } & ServiceEvent)
  | { readonly t: "ready" | "evicted" | "refused" }
  | { readonly t: "answer"; readonly n: number; readonly outcome: ActionOutcome };

export interface ServiceEvent {
  readonly type: string;
  readonly id: string;
  readonly at: number;
  readonly room?: string;
  readonly user?: string;
  readonly text?: string;
}

const LINE_MAX = 1024 * 1024;

/** Splits a stream into lines. Throws when one is longer than any that is said here. */
export class Lines {
  #rest = "";

  push(bytes: string): string[] {
    const lines = (this.#rest + bytes).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_MAX) throw new Error("a line without an end");
    return lines.filter((line) => line !== "");
  }
}
