// `antiphon/queue`: what a program is given by its contracts, and what must not compile.

import { openQueue } from "antiphon/queue";
import { job } from "antiphon";
import { z } from "zod";

const Ship = job("deploy.ship", z.object({ app: z.string() }));
const Count = job("count", z.coerce.number<string>());

const queue = await openQueue({ url: "redis://localhost" });

const { id, duplicate } = await queue.enqueue(Ship, { app: "api" }, { key: "api", delay: "5m" });
void (id.length + Number(duplicate));
// @ts-expect-error: wrong input
await queue.enqueue(Ship, { app: 1 });
// @ts-expect-error: the input is what the schema reads, not what it makes of it
await queue.enqueue(Count, 1);
// @ts-expect-error: no such option
await queue.enqueue(Ship, { app: "api" }, { dealy: "5m" });
// @ts-expect-error: a number is no duration
await queue.enqueue(Ship, { app: "api" }, { delay: 5 });
// What only has a name is checked by the worker.
await queue.enqueue("deploy.ship", { anything: 1 });

await queue.enqueueAll(Ship, [{ app: "a" }, { app: "b" }], ({ app }) => ({ key: app }));
// @ts-expect-error: one of them is wrong
await queue.enqueueAll(Ship, [{ app: "a" }, { app: 1 }]);

const batch = await queue.batch(
  [
    { job: Ship, input: { app: "a" } },
    { job: Count, input: "1" },
  ],
  { job: "after.all", input: {} },
);
void batch.members.length;
// @ts-expect-error: each member has the input of its own job
await queue.batch([{ job: Count, input: { app: "a" } }], { job: Ship, input: { app: "b" } });

const flow = await queue.enqueueFlow([
  { name: "build", job: Ship, input: { app: "a" } },
  { name: "test", job: "test.run", input: {}, after: ["build"] },
]);
void flow.build.id;
// @ts-expect-error: no such step
void flow.deploy;

for (const one of (await queue.search({ states: ["waiting"], olderThan: "5m" })).found) void one.since.getTime();
// @ts-expect-error: no such state
await queue.search({ states: ["alive"] });
void (await queue.find(id))?.errors[0]?.attempt;
await queue.pause("default", { route: "deploy.ship" });
await queue.limit("default", { rate: { limit: 5, per: "1s" } });
await queue.dead.retry({ route: "deploy" });
await queue.close();
