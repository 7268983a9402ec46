import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { Watchdog } from "../../../services/leader/watchdog.ts";
import { systemClock } from "../../../services/runtime/clock.ts";

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Runs `script` in a process of its own, in which `dog` is a watchdog that allows 400 ms of silence. */
function run(script: string): ChildProcess {
  const code = `
    import { Watchdog } from ${JSON.stringify(new URL("../../../services/leader/watchdog.ts", import.meta.url).href)};
    import { systemClock } from ${JSON.stringify(new URL("../../../services/runtime/clock.ts", import.meta.url).href)};
    const dog = new Watchdog({ silentMsMax: 400, clock: systemClock, random: Math.random });
    const block = (ms) => { const until = performance.now() + ms; while (performance.now() < until); };
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    await dog.start();
    ${script}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return child;
}

test("a leading process whose main thread is silent too long is killed", async () => {
  const child = run("dog.leading(1); await sleep(300); block(20_000);");
  const [code, signal] = await once(child, "exit");
  expect([code, signal]).toEqual([null, "SIGKILL"]);
});

test("a short silence, or a long one without a Lease, does no harm", async () => {
  const child = run(
    "dog.leading(1); await sleep(300); block(200); dog.leading(-1); block(1000); await sleep(50); await dog.stop();",
  );
  const [code, signal] = await once(child, "exit");
  expect([code, signal]).toEqual([0, null]);
});

test("a frozen leader is killed as soon as it goes on", async () => {
  const child = run("dog.leading(1); await sleep(300); console.log('leading'); await sleep(20_000);");
  await once(child.stdout as NodeJS.ReadableStream, "data");
  child.kill("SIGSTOP");
  await systemClock.sleep(600);
  child.kill("SIGCONT");
  const [code, signal] = await once(child, "exit");
  expect([code, signal]).toEqual([null, "SIGKILL"]);
});

test("it stops without leaving its thread behind", async () => {
  const dog = new Watchdog({ silentMsMax: 400, clock: systemClock, random: Math.random });
  await dog.start();
  dog.leading(1);
  dog.leading(-1);
  await dog.stop();
});
