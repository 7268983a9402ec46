// The ids of effects: equal for the same effect in every attempt, different for everything else.

import { describe, expect, test } from "vitest";
import { effectId, type EffectSource, Occurrences } from "../../../services/sdk/action.ts";

const ok: EffectSource = {
  origin: "1a",
  route: "deploy.ship",
  operation: "send",
  target: "web:lobby",
  content: "ok",
};

describe("effectId", () => {
  test("is 22 base62 characters", () => {
    for (let index = 0; index < 200; index++)
      expect(effectId({ ...ok, content: String(index) })).toMatch(/^[0-9A-Za-z]{22}$/);
  });

  test("does not change between attempts, nor between releases", () => {
    expect(effectId(ok)).toBe(effectId({ ...ok }));
    expect(effectId(ok)).toBe("2rWDdtZofB8M1zxMhyNIkq");
  });

  test("differs with each part", () => {
    const others: EffectSource[] = [
      ok,
      { ...ok, origin: "1b" },
      { ...ok, route: "deploy.other" },
      { ...ok, operation: "topic" },
      { ...ok, target: "web:ops" },
      { ...ok, content: "no" },
      { ...ok, id: "mine" },
    ];
    expect(new Set([...others.map((source) => effectId(source)), effectId(ok, 1)]).size).toBe(others.length + 1);
  });

  test("keeps parts apart whatever characters they hold", () => {
    const left = effectId({ ...ok, target: 'a","b', content: "c" });
    expect(effectId({ ...ok, target: "a", content: 'b","c' })).not.toBe(left);
    expect(effectId({ ...ok, id: "ok" })).not.toBe(effectId({ ...ok, content: "ok" }));
  });

  test("an author's id replaces content and occurrence", () => {
    const named = effectId({ ...ok, id: "status" });
    expect(effectId({ ...ok, content: "other words", id: "status" }, 7)).toBe(named);
  });
});

describe("Occurrences", () => {
  test("the same words twice in one run are two effects, and the same two in the next attempt", () => {
    const attempt = (): string[] => {
      const run = new Occurrences();
      return [run.next(ok), run.next({ ...ok, content: "then" }), run.next(ok), run.next(ok)];
    };
    const first = attempt();
    expect(new Set(first).size).toBe(4);
    expect(attempt()).toEqual(first);
  });

  test("an author's id used twice is one effect", () => {
    const run = new Occurrences();
    expect(run.next({ ...ok, id: "x" })).toBe(run.next({ ...ok, id: "x", content: "other" }));
  });
});
