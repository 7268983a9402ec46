// Entry of a handler thread.

import { parentPort, workerData } from "node:worker_threads";
import { packAnswers } from "./packing.ts";
import type { FromThread, ThreadData, ToThread } from "./protocol.ts";
import { SlotMemory } from "./slots.ts";
import { ThreadLife } from "./thread-life.ts";

const port = parentPort;
if (port === null) throw new Error("thread.ts is the entry of a thread and nothing else");

const data = workerData as ThreadData;
const memory = new SlotMemory(data.slotMemory);
const life = new ThreadLife(
  data,
  {
    post: (message: FromThread) =>
      port.postMessage(message.type === "settled" ? { type: "answers", packed: packAnswers(message.list) } : message),
    begin: (slot, started) => memory.begin(slot, started),
    end: (slot) => memory.end(slot),
  },
  () => port.close(),
);
port.on("message", (message: ToThread) => life.receive(message));
// Else one forgotten await would end the thread and everything in it.
process.on("unhandledRejection", (error) => life.strayRejection(error));
life.start();
