import { expect, test } from "vitest";
import type { Action } from "../../../services/sdk/action.ts";
import type { Span, SpanOptions, Tracing } from "../../../services/telemetry/tracing.ts";
import { Rooms } from "../../../services/worker/rooms.ts";
import type { RouteRun } from "../../../services/worker/route-run.ts";
import type { ThreadParts } from "../../../services/worker/thread-parts.ts";
import { spanOf, startSay, tellSay } from "../../../services/worker/traced-effects.ts";

interface Started {
  readonly name: string;
  readonly options: SpanOptions;
  ended: boolean;
}

class Recorded implements Tracing {
  readonly queueRelation = "parent";
  readonly webhooks = "parent";
  readonly started: Started[] = [];

  start(name: string, options: SpanOptions = {}): Span {
    const started = { name, options, ended: false };
    this.started.push(started);
    const carrier = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    return { carrier, isSampled: true, set: () => {}, fail: () => {}, end: () => void (started.ended = true) };
  }

  within<T>(_span: Span, work: () => T): T {
    return work();
  }

  active(): undefined {}
  async close(): Promise<void> {}
}

const adapters = [
  { name: "web", can: [] },
  { name: "irc", can: [] },
];

function partsWith(tracing: Tracing | undefined, redirect?: string): ThreadParts {
  return { tracing, rooms: new Rooms(adapters as never, redirect) } as unknown as ThreadParts;
}

const action: Action = { op: "send", id: "a", unit: "irc/libera", room: "#x", text: "hello" };

test("words are sent to the outbox of their unit; those of the web chat to its readers", () => {
  const tracing = new Recorded();
  startSay(partsWith(tracing), action);
  tellSay(partsWith(tracing), { ...action, unit: "web" });
  expect(tracing.started.map(({ name, ended }) => [name, ended])).toEqual([
    ["send outbox/irc/libera", false],
    ["send web", true],
  ]);
});

test("words that are redirected are sent where they go", () => {
  const tracing = new Recorded();
  startSay(partsWith(tracing, "web:staging"), action);
  expect(tracing.started[0]?.name).toBe("send web");
});

test("ctx.span gives what its function gives, with and without traces, and throws what it throws", async () => {
  const tracing = new Recorded();
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`a${n}`, n]));
  for (const parts of [partsWith(tracing), partsWith(undefined)]) {
    const run = { parts } as unknown as RouteRun;
    expect(await spanOf(run, { name: "plan", attributes: many }, () => 7)).toBe(7);
    await expect(
      spanOf(run, { name: "fails", attributes: {} }, () => Promise.reject(new Error("no"))),
    ).rejects.toThrow();
  }
  expect(tracing.started.map(({ name, ended }) => [name, ended])).toEqual([
    ["plan", true],
    ["fails", true],
  ]);
  expect(Object.keys(tracing.started[0]?.options.attributes ?? {})).toHaveLength(32);
});

test("without traces nothing is made of words", () => {
  expect(startSay(partsWith(undefined), action)).toBeUndefined();
});
