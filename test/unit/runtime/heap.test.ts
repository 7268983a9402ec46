import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";

const HEAP = new URL("../../../services/runtime/heap.ts", import.meta.url).href;
const LOOKS = `import(${JSON.stringify(HEAP)}).then((heap) => heap.collectStartupGarbage())`;

test("threads that become ready at once all collect what starting left behind", async () => {
  for (let round = 0; round < 6; round++) {
    const threads = Array.from({ length: 6 }, () => new Worker(LOOKS, { eval: true }));
    // `once` rejects with the error that ends a thread.
    expect(await Promise.all(threads.map((thread) => once(thread, "exit")))).toEqual(threads.map(() => [0]));
  }
});
