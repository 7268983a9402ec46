// The adapter contract finds what is wrong with adapters that break one rule each.

import { expect, test } from "vitest";
import { builtInAdapter } from "../../services/adapters/index.ts";
import { FAKE } from "../../services/adapters/fake/manifest.ts";
import type { Adapter, AdapterModule, Host, Inbound } from "../../services/sdk/adapter.ts";
import { adapterContract } from "../../services/testing/bot.ts";
import { FakeChat } from "../support/fake-chat.ts";

type Case = readonly [name: string, run: () => Promise<void>];

/** The cases that the adapter of the fake chat service does not pass when it is changed so. */
async function failing(
  change: (adapter: Adapter) => Partial<Adapter>,
  only: RegExp,
  /** Of the service; the manifest always promises a key. */
  idempotency: "key" | "none" = "key",
): Promise<string[]> {
  const cases: Case[] = [];
  const create: AdapterModule["create"] = async (around) => {
    const adapter = (await builtInAdapter("fake")?.create?.(around)) as Adapter;
    const changed: Readonly<Record<PropertyKey, unknown>> = { ...change(adapter) };
    return new Proxy(adapter, {
      get: (target, key) => {
        const value = Object.hasOwn(changed, key) ? changed[key] : Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  adapterContract({
    test: (name, _options, run) => void cases.push([name, run]),
    adapter: { format: 1, manifest: FAKE, create },
    without: ["unknown", "garbage", "wrongSettings", "goAway"],
    service: async () => {
      const chat = await FakeChat.start({ idempotency });
      return {
        settings: { url: chat.url },
        say: (said) => void chat.say(said),
        said: (room) => chat.said(room),
        cut: () => chat.cut(),
        repeat: () => chat.repeat(chat.events.length),
        limit: () => {},
        stop: () => chat.stop(),
      };
    },
  });
  const failed: string[] = [];
  for (const [name, run] of cases.filter(([one]) => only.test(one))) await run().catch(() => void failed.push(name));
  return failed;
}

/** Passes on what the adapter hands over after a change to it. */
function heard(adapter: Adapter, change: (batch: readonly Inbound[]) => readonly Inbound[]): Partial<Adapter> {
  return {
    start: (host, options) => {
      const around: Host = {
        intake: (batch) => host.intake(change(batch)),
        state: (state, detail) => host.state(state, detail),
        assert: () => host.assert(),
        log: () => {},
        now: () => host.now(),
      };
      return adapter.start(around, options);
    },
  };
}

test("an adapter as it should be fails nothing of it", async () => {
  expect(await failing(() => ({}), /own words|told twice/)).toEqual([]);
});

test("one that takes the bot's own words for a person's", async () => {
  const asPerson = (inbound: Inbound): Inbound => {
    const { event } = inbound;
    if (event.type !== "message") return inbound;
    const user = { ...event.message.user, isSelf: false };
    return { ...inbound, event: { ...event, message: { ...event.message, user } } };
  };
  const failed = await failing((adapter) => heard(adapter, (batch) => batch.map(asPerson)), /own words/);
  expect(failed).toEqual(["the bot's own words are no Message of a person"]);
});

test("one that gives each event a new id", async () => {
  let ids = 0;
  const anew = (inbound: Inbound): Inbound => ({ ...inbound, dedupe: [`n${++ids}`] });
  const failed = await failing((adapter) => heard(adapter, (batch) => batch.map(anew)), /told twice/);
  expect(failed).toEqual(["what is told twice is one Message"]);
});

test("one that says that its service knows a key, which it does not", async () => {
  const failed = await failing(() => ({ idempotency: "key" }), /between saying and knowing/, "none");
  expect(failed).toEqual(["killed between saying and knowing: said once, and the room goes on"]);
});

test("one that tries again by itself", async () => {
  const twice = (adapter: Adapter): Partial<Adapter> => ({
    execute: async (action, attempt, signal) => {
      await adapter.execute(action, attempt, signal);
      return adapter.execute(action, attempt, signal);
    },
  });
  expect(await failing(twice, /order of their room/, "none")).toEqual(["words arrive in the order of their room"]);
});

test("a service that cannot make happen what a case needs, and does not say so", async () => {
  const names: string[] = [];
  const run: (() => Promise<void>)[] = [];
  adapterContract({
    test: (name, _options, body) => void (names.push(name), run.push(body)),
    adapter: { format: 1, manifest: FAKE, create: builtInAdapter("fake")?.create as AdapterModule["create"] },
    service: async () => {
      const chat = await FakeChat.start();
      return { settings: {}, say: () => {}, said: () => [], cut: () => {}, stop: () => chat.stop() };
    },
  });
  await expect(run[names.indexOf("what is told twice is one Message")]?.()).rejects.toThrow("no repeat");
});
