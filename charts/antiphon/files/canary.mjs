// `helm test`: says a line in a web chat session of its own and waits for the answer, which proves HTTP, Redis and a worker;
// then asks who leads. Runs in the image of the bot, whose working folder holds dist/.

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";

const { CANARY_URL, CANARY_TEXT } = process.env;
const PATIENCE_MS = 60_000;
const ANSWER_MS = 10_000;
const until = Date.now() + PATIENCE_MS;

async function answerOf(url, text) {
  const chat = `${url}/chat/canary-${randomUUID()}`;
  const id = randomUUID();
  const signal = AbortSignal.timeout(ANSWER_MS);
  const sent = await fetch(`${chat}/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text, id }),
    signal,
  });
  if (sent.status !== 202) throw new Error(`${chat}/messages answered ${sent.status}: ${await sent.text()}`);
  const stream = await fetch(`${chat}/events?recent=10`, { headers: { accept: "text/event-stream" }, signal });
  let rest = "";
  for await (const piece of stream.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const line of lines.filter((entry) => entry.startsWith('data: {"id"'))) {
      const said = JSON.parse(line.slice("data: ".length));
      if (said.id !== id) return `${said.from}: ${said.text}`;
    }
  }
  throw new Error(`${chat}/events ended without an answer`);
}

async function leaderOf(unit) {
  const { stdout } = await promisify(execFile)(process.execPath, ["dist/main.js", "leader", "--json"], { timeout: 20_000 });
  const seat = JSON.parse(stdout).find((entry) => entry.unit === unit);
  if (!seat?.leader) throw new Error(`nobody leads ${unit}`);
  return seat.leader;
}

/** Right after an install pods may still be starting: it asks again for a minute. */
async function insist(what, ask) {
  for (let last; ; ) {
    try {
      console.log(`${what}: ${await ask()}`);
      return;
    } catch (error) {
      last = error.cause?.message ?? error.message;
      if (Date.now() > until) throw new Error(`${what}: ${last}`, { cause: error });
      console.log(`${what}: ${last}; asking again`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

if (CANARY_URL) await insist(`said "${CANARY_TEXT}", heard`, () => answerOf(CANARY_URL, CANARY_TEXT));
await insist("control is led by", () => leaderOf("control"));
console.log("all is well");
