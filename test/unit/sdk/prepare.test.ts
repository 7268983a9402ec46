// What `enqueue` is asked becomes what the broker takes, or is refused with everything that is wrong.

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type EnqueueOptions, job } from "../../../services/sdk/index.ts";
import { prepareEvent, prepareJob } from "../../../services/sdk/prepare.ts";

const Ship = job("ship", z.object({ app: z.string() }));
const random = (): number => 0.5;

async function read(options: EnqueueOptions, of = Ship) {
  const prepared = await prepareJob({ job: of, input: { app: "api" }, options, random });
  if (!prepared.ok) throw new Error(prepared.detail);
  return prepared.value;
}

async function refusal(options: unknown, input: unknown = { app: "api" }) {
  const prepared = await prepareJob({ job: Ship, input, options: options as EnqueueOptions, random });
  return prepared.ok ? undefined : { code: prepared.code, detail: prepared.detail };
}

describe("options", () => {
  test("without any, it goes to the default queue", async () => {
    expect(await read({})).toEqual({ queue: "default", delivery: {}, header: {}, payload: '{"app":"api"}' });
  });

  test("queue, tag and class are the job's unless the enqueue says otherwise", async () => {
    const heavy = job("heavy", Ship.input, { queue: "media", tag: "gpu", class: 2 });
    expect(await read({}, heavy)).toMatchObject({ queue: "media+gpu", delivery: { class: 2 }, header: { class: 2 } });
    expect(await read({ queue: "now", class: 0 }, heavy)).toMatchObject({ queue: "now+gpu", delivery: { class: 0 } });
    expect(await read({ tag: "eu" })).toMatchObject({ queue: "default+eu" });
  });

  test("key, lanes, times, labels", async () => {
    expect(await read({ key: "k" })).toMatchObject({ delivery: { key: "k" }, header: { key: "k" } });
    expect(await read({ key: "k", lanes: 4 })).toMatchObject({ delivery: { key: "k#2" }, header: { key: "k#2" } });
    expect(await read({ delay: "1.5s" })).toMatchObject({ delivery: { delayMs: 1500 } });
    expect(await read({ delay: "0s" })).toMatchObject({ delivery: {} });
    expect(await read({ at: new Date(7) })).toMatchObject({ delivery: { dueAtMs: 7 } });
    expect(await read({ expires: "1m" })).toMatchObject({ header: { ttl: 60_000 } });
    expect(await read({ expires: new Date(7) })).toMatchObject({ header: { notAfter: 7 } });
    expect(await read({ result: "1h", tags: ["a", "b"], after: ["x1", "x1", "y2"] })).toMatchObject({
      delivery: { after: ["x1", "y2"] },
      header: { result: 3_600_000, tags: ["a", "b"] },
    });
  });

  test("a uid is unique for a day; unique says for how long, until when, and what a repeat does", async () => {
    const id = "job:ship\nx";
    expect((await read({ uid: "x" })).delivery.uid).toEqual({ id, ttlMs: 86_400_000 });
    expect((await read({ unique: { id: "x" } })).delivery.uid).toEqual({ id, ttlMs: 86_400_000 });
    expect((await read({ unique: { id: "x", for: "2s", repeat: "debounce" } })).delivery.uid).toEqual({
      id,
      ttlMs: 2000,
      repeat: "debounce",
    });
    expect((await read({ unique: { id: "x", until: "end" } })).delivery.uid).toMatchObject({ id, until: "end" });
  });

  test("everything that is wrong is told at once", async () => {
    const wrong = {
      delay: "-5s",
      class: 4,
      queue: "a b",
      tag: "a+b",
      key: "k".repeat(513),
      uid: "",
      after: ["NO"],
      result: "31d",
      tags: [1],
      expires: "soon",
      lanes: 0,
      nope: 1,
    };
    const { code, detail } = (await refusal(wrong)) ?? {};
    expect(code).toBe("OPTIONS_INVALID");
    for (const name of Object.keys(wrong)) expect(detail).toMatch(new RegExp(`\\b${name}\\b`));
  });

  test("what contradicts itself is refused", async () => {
    const wrong: readonly [EnqueueOptions, string][] = [
      [{ delay: "1s", at: new Date(0) }, "delay and at exclude each other"],
      [{ uid: "a", unique: { id: "a" } }, "uid and unique exclude each other"],
      [{ lanes: 3 }, "lanes are those of a key"],
      [{ delay: "10m", expires: "10m" }, "it would expire before its delay is over"],
      [{ at: new Date(Number.NaN) }, "at must be a Date"],
      [{ queue: "chat" }, "queue: chat is only for what people say"],
      [{ unique: { for: "1s" } as never }, "unique: id is missing"],
      [{ unique: { id: "x", until: "ever" as never } }, 'unique: until must be "start" or "end"'],
    ];
    for (const [options, text] of wrong) expect((await refusal(options))?.detail).toContain(text);
  });
});

describe("values", () => {
  test("the input is checked against its schema, and options and input are refused together", async () => {
    expect(await refusal({}, { app: 1 })).toMatchObject({
      code: "INPUT_INVALID",
      detail: expect.stringContaining("app"),
    });
    const both = await refusal({ delay: "x" }, { app: 1 });
    expect(both?.code).toBe("OPTIONS_INVALID");
    expect(both?.detail).toMatch(/delay must be.*; app: /);
  });

  test("what JSON would change is refused with its path", async () => {
    const at = job("at", z.any());
    const prepared = await prepareJob({ job: at, input: { when: new Date(0) }, options: {}, random });
    expect(prepared).toMatchObject({ ok: false, code: "VALUE_NOT_JSON", detail: "job at: input.when is a Date" });
    const event = { name: "e", payload: z.any() };
    expect(await prepareEvent({ event, payload: [1n] })).toMatchObject({
      code: "VALUE_NOT_JSON",
      detail: "event e: payload[0] is a BigInt",
    });
  });

  test("what is too large is refused", async () => {
    expect(await refusal({}, { app: "x".repeat(512 * 1024) })).toMatchObject({ code: "VALUE_TOO_LARGE" });
  });

  test("a job may have no input", async () => {
    const none = job("none", z.undefined());
    expect(await prepareJob({ job: none, input: undefined, options: {}, random })).toMatchObject({
      value: { payload: "" },
    });
  });
});

test("a job's place is checked where it is defined", () => {
  expect(() => job("x", Ship.input, { queue: "a:b", tag: "", class: 9 as never })).toThrow(
    /queue must be.*tag must be.*class must be 0, 1, 2 or 3/,
  );
  expect(() => job("x", Ship.input, { prio: 1 } as never)).toThrow(/unknown option prio/);
});
