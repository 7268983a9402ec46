// Entry of a quarantine child: as thread.ts, over IPC, for one delivery alone.

import { ownMemory } from "./child-memory.ts";
import type { FromThread, ToThread } from "./protocol.ts";
import type { Started } from "./slots.ts";
import { ThreadLife, type ThreadSeed } from "./thread-life.ts";

let life: ThreadLife | undefined;

function send(message: FromThread): void {
  if (process.connected) process.send?.(message);
}

function tellMemory(): void {
  send({ type: "memory", ...ownMemory() });
}

function begin(seed: ThreadSeed): ThreadLife {
  const port = {
    post: send,
    // Main keeps the marks; it sends a child nothing that must not start.
    begin: (_slot: number, started: Started) => {
      if (started.maxHeapMb !== undefined) tellMemory();
      send({ type: "began", ...started });
      return true;
    },
    end: () => {},
  };
  const started = new ThreadLife(seed, port, () => process.disconnect());
  started.start();
  return started;
}

process.on("message", (message: ToThread | ThreadSeed) => {
  if (life === undefined) life = begin(message as ThreadSeed);
  else if ((message as ToThread).type === "measure") tellMemory();
  else life.receive(message as ToThread);
});
process.on("unhandledRejection", (error) => life?.strayRejection(error));
// Its worker is gone: whatever runs here is a zombie whose outcome nobody would hear, and which a timer may keep alive.
// oxlint-disable-next-line unicorn/no-process-exit -- an entry of its own, and main.ts cannot reach it any more
process.on("disconnect", () => process.exit());
