// The loop of a subject's process: opens its server, and publishes as it is told.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Burst, type BusSubject, dataNow, type FromSubject, type ToSubject } from "./protocol.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

export function serve(subject: BusSubject): void {
  process.once("disconnect", () => process.exit(0));
  process.on("message", (message: ToSubject) => {
    answer(subject, message).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
}

const tell = (message: FromSubject): boolean | undefined => process.send?.(message);

async function answer(subject: BusSubject, message: ToSubject): Promise<void> {
  if (message.type === "open") return void tell({ type: "opened", port: await subject.open(message.url) });
  if (message.type === "memory") return void tell({ type: "memory", bytes: await resident() });
  if (message.type === "store") {
    const startedAt = performance.now();
    await subject.store?.(message.messages);
    return void tell({ type: "stored", ms: performance.now() - startedAt });
  }
  await burst(subject, message);
  tell({ type: "sent" });
}

async function burst(subject: BusSubject, { messages, perSecond }: Burst): Promise<void> {
  const startedAt = performance.now();
  for (let sent = 0; sent < messages;) {
    const due =
      perSecond === 0
        ? sent + 1
        : Math.min(messages, Math.floor(((performance.now() - startedAt) / 1000) * perSecond) + 1);
    for (; sent < due; sent++) subject.publish(dataNow());
    // What was published goes out meanwhile.
    await new Promise((resolve) => (perSecond === 0 ? setImmediate(resolve) : setTimeout(resolve, 1)));
  }
}

async function resident(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return process.memoryUsage().rss;
}
