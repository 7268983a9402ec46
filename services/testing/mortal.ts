// A connection of somebody who can be killed: from then on nothing that was asked through it is ever answered, as after
// SIGKILL nobody is there to hear it. So no `catch` and no `finally` of a handler that waits for it runs.

import type { RedisClient } from "../redis/connect.ts";

export class Life {
  #isOver = false;

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
  }
}

/** What whoever is dead waits for. */
export function never<T>(): Promise<T> {
  return new Promise(() => {});
}

/** The promise, as long as there is anybody to whom it could be told. */
export function whileAlive<T>(work: Promise<T>, life: Life): Promise<T> {
  return new Promise((resolve, reject) => {
    work.then(
      (value) => life.isOver || resolve(value),
      (error: unknown) => life.isOver || reject(error),
    );
  });
}

type Method = (...given: unknown[]) => unknown;

export function mortal(client: RedisClient, life: Life): RedisClient {
  return guard(client, life);
}

/** A connection, or a pipeline or transaction that one began. */
function guard<T extends object>(target: T, life: Life): T {
  const guarded: T = new Proxy(target, {
    get(_target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...given: unknown[]): unknown => {
        if (life.isOver && isAsking(target, key)) return never();
        const answer: unknown = (value as Method).apply(target, given);
        if (answer === target) return guarded;
        if (answer instanceof Promise) return whileAlive(answer, life);
        return isChain(answer) ? guard(answer, life) : answer;
      };
    },
  });
  return guarded;
}

/** Whether the server hears of this call: of a chain only `exec`, and beginning one asks nothing yet. */
function isAsking(target: object, key: PropertyKey): boolean {
  return isChain(target) ? key === "exec" : key !== "multi" && key !== "pipeline";
}

function isChain(answer: unknown): answer is object {
  return typeof answer === "object" && answer !== null && "exec" in answer && !("status" in answer);
}
