// Entry of a thread that is another worker of the same bot, so that it goes on while the test's own thread is blocked.

import { parentPort, workerData } from "node:worker_threads";
import { Lab, type LabPlace } from "./handling.ts";

const { url, place } = workerData as { url: string; place: LabPlace };
const worker = await new Lab(url, place).work();
parentPort?.postMessage("ready");
parentPort?.once("message", () => void worker.stop().then(() => process.exit()));
