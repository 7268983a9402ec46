// The admin API on the admin ports of both modes, as `antiphon dev` starts them: it answers there, under a prefix too, and tells
// live how the bot stands.

import { afterAll, beforeAll, expect, test } from "vitest";
import { LocalStack } from "../support/local-stack.ts";
import { waitFor } from "../support/wait-for.ts";

const PATIENT = { timeoutMs: 60_000 };
const GREET = `import { defineHandler, job } from "antiphon";
export const Greet = job("greet", { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } });
export default defineHandler({
  name: "greeter",
  routes: (r) => ({
    hello: r.command("hello <name>", { run: ({ args }) => "hello " + args.name }),
    greet: r.job(Greet, {
      help: "greets <b>somebody</b>",
      attempts: 1,
      run: ({ input }) => {
        if (input.fail) throw new Error("nobody to greet");
        return "hello";
      },
    }),
  }),
});
`;

let stack: LocalStack;
beforeAll(async () => {
  stack = new LocalStack({ handlers: { "greeter.ts": GREET }, env: { ANTIPHON_ADMIN_BASE_PATH: "/ops/antiphon" } });
  await stack.start();
}, 120_000);
afterAll(() => stack.remove());

// oxlint-disable-next-line typescript/no-explicit-any -- Tests look into what was answered.
type Body = any;

async function get(path: string, url = stack.admin): Promise<Body> {
  const answer = await fetch(`${url}${path}`);
  expect([path, answer.status]).toEqual([path, 200]);
  return answer.json();
}

/** In development a page is asked for its header as anywhere else. */
async function post(path: string, body: unknown): Promise<Body> {
  const { csrf } = await get("/api/session");
  const answer = await fetch(`${stack.admin}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": csrf },
    body: JSON.stringify(body),
  });
  expect([path, answer.status]).toEqual([path, 200]);
  return answer.json();
}

function adminOf(name: string): string {
  const line = stack.logs.findLast((one) => one.process === name && one.event === "process.started");
  return (
    /admin[^h]*(http:\S+?)(?:[",\s]|$)/.exec(JSON.stringify(line))?.[1] ??
    String(line?.["urls"]).split(" ").at(-1) ??
    ""
  );
}

interface Heard {
  readonly id: string;
  readonly event: string;
  readonly data: Body;
}

/** The first so many events of the stream. */
async function listen(
  count: number,
  { after, url = stack.admin }: { after?: string; url?: string } = {},
): Promise<Heard[]> {
  const ended = new AbortController();
  const headers = after === undefined ? {} : { "last-event-id": after };
  const answer = await fetch(`${url}/api/live`, { headers, signal: ended.signal });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
  const heard: Heard[] = [];
  let [text, id] = ["", ""];
  for await (const chunk of answer.body ?? []) {
    text += Buffer.from(chunk).toString();
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = new Map(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => line.split(/: (.*)/s) as [string, string]),
      );
      text = text.slice(end + 2);
      id = fields.get("id") ?? id;
      const [event, data] = [fields.get("event"), fields.get("data")];
      if (event !== undefined && data !== undefined) heard.push({ id, event, data: JSON.parse(data) });
    }
    if (heard.length >= count) break;
  }
  ended.abort();
  return heard;
}

test("both modes answer, with the prefix of the proxy and without it, and without a token in development", async () => {
  for (const url of [stack.admin, adminOf("worker-1")]) {
    expect(url).toMatch(/^http/);
    for (const prefix of ["", "/ops/antiphon"]) {
      expect(await get(`${prefix}/api/queues`, url)).toMatchObject({ items: expect.any(Array) });
      expect(await get(`${prefix}/api/openapi.json`, url)).toMatchObject({ openapi: "3.1.0" });
    }
  }
  expect((await fetch(`${stack.admin}/api/nothing`)).status).toBe(404);
  expect((await fetch(`${stack.admin}/readyz`)).status).toBe(200);
  expect((await fetch(`${stack.url}/api/queues`)).status).toBe(404);
});

test("workers describe their routes, and what runs and fails is told live, once more to who missed it", async () => {
  const { items: routes } = await get("/api/routes?limit=200");
  expect(routes).toContainEqual(
    expect.objectContaining({
      id: "greeter.greet",
      kind: "job",
      on: "greet",
      help: "greets <b>somebody</b>",
      builtin: false,
    }),
  );
  const { id } = await post("/api/jobs", { job: "greet", input: { fail: true } });
  await waitFor(async () => (await get("/api/dead")).items.some((one: Body) => one.id === id), PATIENT);
  await waitFor(async () => (await get("/api/now")).lastErrors.some((one: Body) => one.id === id), PATIENT);
  const now = await get("/api/now");
  expect(now).toMatchObject({ redis: { ok: true }, totals: { dead: 1 }, units: [{ unit: "control" }] });
  expect(now.workers).toHaveLength(2);
  expect(now.units[0].leader).not.toBeNull();
  await waitFor(async () => {
    const { items } = await get("/api/workers");
    const threads = items.flatMap(({ threadsNow = [] }: Body) => threadsNow);
    return (
      items.length === 2 &&
      items.every(({ rssBytes, heapBytes }: Body) => heapBytes > 1_000_000 && heapBytes < rssBytes) &&
      threads.some(({ thread, heapBytes }: Body) => thread.startsWith("chat-") && heapBytes > 1_000_000) &&
      threads.some(({ thread, busy, slots }: Body) => thread.startsWith("work-") && busy === 0 && slots > 0)
    );
  }, PATIENT);

  const heard = await listen(1);
  const last =
    heard.findLast(({ id }) => id !== "") ?? (await listen(heard.length + 1)).findLast(({ id }) => id !== "");
  expect(last?.event).toBe("now");
  const [next] = await listen(1, { after: last?.id ?? "" });
  expect(Date.parse(next?.data.at)).toBeGreaterThan(Date.parse(last?.data.at));
  const [same] = await listen(1, { after: last?.id ?? "", url: adminOf("worker-2") });
  expect(same?.data).toEqual(next?.data);
  expect(Object.keys(next?.data)).toEqual(Object.keys(now));
});

test("a change is told live to everybody who looks", async () => {
  await post("/api/queues/default/pause", {});
  await post("/api/queues/default/resume", {});
  const heard = await listen(3);
  expect(heard.filter(({ event }) => event === "audit").map(({ data }) => data.action)).toEqual(
    expect.arrayContaining(["queue.pause", "queue.resume"]),
  );
});

test("a chat route that is switched off holds back what is said to it and nothing else, until it is switched on", async () => {
  await stack.listen();
  await stack.say("antiphon hello ann");
  await stack.hears("hello ann");
  await post("/api/routes/greeter.hello/disable", {});
  const held = async (): Promise<Body[]> => (await get("/api/jobs?queue=chat&route=greeter.hello")).items;
  await waitFor(async () => {
    await stack.say("antiphon hello bob");
    return (await held()).length > 0;
  }, PATIENT);
  await stack.say("antiphon ping");
  await stack.hears(/pong/i);
  expect((await held())[0]).toMatchObject({ state: "waiting", kind: "message" });
  await post("/api/routes/greeter.hello/enable", {});
  await stack.hears("hello bob");
  await waitFor(async () => (await held()).length === 0, PATIENT);
});
