import { describe, expect, test } from "vitest";
import { servedQueues, servedTags } from "../../../services/config/worker.ts";
import { QueueChoice } from "../../../services/worker/queue-choice.ts";

function choice(queues: string, tags = "*"): QueueChoice {
  const read = { queues: servedQueues.read(queues, true), tags: servedTags.read(tags, true) };
  if (read.queues === undefined || read.tags === undefined) throw new Error(`${queues} and ${tags} are no settings`);
  return new QueueChoice({ queues: read.queues, tags: read.tags });
}

const served = (from: QueueChoice, ...queues: string[]): string[] =>
  queues.filter((queue) => from.weightOf(queue) !== undefined);

const QUEUES = ["chat", "default", "default+gpu", "default+eu", "high", "high+gpu", "outbox/irc", "outbox/irc+gpu"];

describe("which queues", () => {
  test("*: all but the outboxes; chat and default from the start", () => {
    expect(served(choice("*"), ...QUEUES)).toEqual(QUEUES.slice(0, -2));
    expect(choice("*").known).toEqual(["chat", "default"]);
    expect(choice("*").isOpen).toBe(true);
  });

  test("a list: these, with their tags, and no others", () => {
    const high = choice("high:5,default");
    expect(served(high, ...QUEUES)).toEqual(["default", "default+gpu", "default+eu", "high", "high+gpu"]);
    expect(high.known).toEqual(["high", "default"]);
    expect([high.weightOf("high"), high.weightOf("high+gpu"), high.weightOf("default")]).toEqual([5, 5, 1]);
  });

  test("named ones beside *: their weight counts", () => {
    expect([choice("high:5,*").weightOf("high"), choice("high:5,*:2").weightOf("other")]).toEqual([5, 2]);
    expect(choice("high:5,*").known).toEqual(["chat", "default", "high"]);
  });
});

describe("which tags", () => {
  test("gpu,eu: only these, and nothing that has none", () => {
    expect(served(choice("*", "gpu,eu"), ...QUEUES)).toEqual(["default+gpu", "default+eu", "high+gpu"]);
    expect(choice("*", "gpu,eu").known).toEqual(["default+gpu", "default+eu"]);
  });

  test("*,!gpu: all but these", () => {
    expect(served(choice("*", "*,!gpu"), ...QUEUES)).toEqual(["chat", "default", "default+eu", "high"]);
  });

  test("-: what has none", () => {
    expect(served(choice("*", "-"), ...QUEUES)).toEqual(["chat", "default", "high"]);
    expect(choice("default", "-").isOpen).toBe(false);
  });

  test("gpu,-: this one and what has none", () => {
    expect(served(choice("default", "gpu,-"), ...QUEUES)).toEqual(["default", "default+gpu"]);
    expect(choice("default", "gpu,-").isOpen).toBe(false);
  });
});

test("threads for Messages only where they are served, threads for the rest only where there may be any", () => {
  const kinds = (queues: string, tags?: string): string[] => [...choice(queues, tags).kinds].toSorted();
  expect(kinds("*")).toEqual(["chat", "work"]);
  expect(kinds("default")).toEqual(["work"]);
  expect(kinds("chat")).toEqual(["chat"]);
  expect(kinds("chat,high")).toEqual(["chat", "work"]);
  expect(kinds("*", "gpu")).toEqual(["work"]);
  expect(choice("chat").weightOf("chat+gpu")).toBeUndefined();
});
