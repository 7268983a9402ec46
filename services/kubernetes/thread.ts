// The thread of the Kubernetes client: loads it, asks what it is told to, answers. Ends with its caller.

import { parentPort, workerData } from "node:worker_threads";
import { ERROR_TABLE } from "../runtime/errors.ts";
import { type Client, openClient } from "./client.ts";
import { translate } from "./failures.ts";
import type { Place } from "./place.ts";
import type { Answer, Call } from "./protocol.ts";

const port = parentPort;
if (port === null) throw new Error("This is the entry of a thread.");

const opened = openClient({ place: workerData as Place, now: () => Date.now() });
opened.catch(() => {}); // each call tells

async function answer({ id, verb, args }: Call): Promise<Answer> {
  try {
    const client: Client = await opened;
    return { id, value: await (Reflect.apply(client[verb], client, args) as Promise<unknown>) };
  } catch (error) {
    const { code, message } = translate(error, verb);
    return { id, code, detail: message.slice(ERROR_TABLE[code].sentence.length + 1) };
  }
}

port.on("message", (call: Call) => {
  void answer(call).then((answered) => port.postMessage(answered));
});
