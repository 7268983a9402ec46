// Actions of a viewer: done, told, and what is shown is read again.

import { ask } from "./ask.ts";
import { say } from "./toast.tsx";
import { readAgain } from "./watch.ts";

export interface Act {
  readonly method?: "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  /** What is said when it is done. */
  readonly done: string;
}

/** @throws what the API refused: for dialogs, which show it themselves */
export async function perform<T = unknown>({ method = "POST", path, body, done }: Act): Promise<T> {
  // Fastify takes no empty text for JSON.
  const answer = await ask<T>(method, path, body ?? (method === "DELETE" ? undefined : {}));
  if (done !== "") say(done);
  readAgain();
  return answer;
}

/** For buttons without a dialog. */
export function act(wanted: Act): void {
  perform(wanted).catch((error: unknown) =>
    say(error instanceof Error ? error.message : String(error), { isBad: true }),
  );
}
