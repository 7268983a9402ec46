// Matchers for vitest: `expect.extend(matchers)`, then `expect(bot.room("web:ops")).toHaveSaid("pong")`. For other runners
// there is `RoomView.hasSaid`.

import type { SyncMatcherResult } from "vitest";
import { RoomView } from "./lines.ts";

declare module "vitest" {
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> {
    /** Whether the bot said this in the room or thread at any time: the whole text, or something that fits. */
    toHaveSaid(expected: string | RegExp): R;
  }
}

interface Verdict {
  readonly pass: boolean;
  readonly message: () => string;
}

export const matchers = {
  toHaveSaid(received: unknown, expected: string | RegExp): Verdict {
    if (!(received instanceof RoomView))
      throw new TypeError("toHaveSaid is asked of bot.room(…) or one of its threads");
    const said = received.replies.map((text) => `\n  ${text}`).join("") || " nothing";
    const pass = received.hasSaid(expected);
    const wish = `to have${pass ? " not" : ""} said ${typeof expected === "string" ? JSON.stringify(expected) : expected}`;
    return { pass, message: () => `expected the bot ${wish} in ${received.room}; it said:${said}` };
  },
} satisfies Readonly<Record<string, (...given: never[]) => SyncMatcherResult>>;
