import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { defineHandler } from "../../../services/sdk/index.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { openTracing, type Tracing } from "../../../services/telemetry/tracing.ts";
import { type Door, openDoor } from "../../support/http-door.ts";
import { OtlpReceiver } from "../../support/otlp.ts";
import { testRedis } from "../../support/redis.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

const hooks = defineHandler({
  name: "hooks",
  routes: (r) => ({ plain: r.post("/plain", { run: () => undefined }) }),
});

let receiver: OtlpReceiver;
let tracing: Tracing | undefined;
let door: Door;

beforeEach(async () => {
  receiver = await OtlpReceiver.start();
});
afterEach(async () => {
  await door.stop();
  await tracing?.close();
  await receiver.stop();
});
// @opentelemetry/resources imports all of node:process, which opens the standard input; nobody reads it.
afterAll(() => void process.stdin.unref());

async function open(webhooks: Tracing["webhooks"] | undefined): Promise<void> {
  const options = {
    url: `${receiver.url}/v1/traces`,
    headers: {},
    sampler: { name: "parentbased_always_on", ratio: 1 },
    resource: {},
    queueRelation: "parent",
    secrets: [],
  } as const;
  const around = { mode: "worker", emit: () => {}, clock: systemClock, random: Math.random };
  tracing = webhooks && (await openTracing({ ...options, webhooks }, around));
  const { url: redisUrl } = await testRedis();
  door = await openDoor({ redisUrl, namespace: `hooks-${randomId()}`, handlers: [hooks], tracing });
}

const post = (headers: Record<string, string>): Promise<Response> =>
  fetch(`${door.url}/plain`, { method: "POST", headers, body: "{}" });

test("a sender's trace goes on: its webhook is stored with the span that stored it", async () => {
  await open("parent");
  await post({ traceparent: TRACEPARENT, "content-type": "application/json" });
  const [stored] = await door.stored("default");
  const send = await receiver.span("send default");
  expect(stored?.header["traceparent"]).toBe(`00-${TRACE}-${send.spanId}-01`);
  expect(await receiver.span("POST /plain")).toMatchObject({ traceId: TRACE, parentId: SPAN, spanId: send.parentId });
});

test("or is linked, or not looked at, as the setting says", async () => {
  await open("link");
  await post({ traceparent: TRACEPARENT, "content-type": "application/json" });
  const linked = await receiver.span("POST /plain");
  expect(linked).toMatchObject({ parentId: "", links: [{ traceId: TRACE, spanId: SPAN }] });
  expect(linked.traceId).not.toBe(TRACE);
  await door.stop();
  await tracing?.close();
  receiver.spans.length = 0;
  await open("ignore");
  await post({ traceparent: TRACEPARENT, "content-type": "application/json" });
  expect(await receiver.span("POST /plain")).toMatchObject({ parentId: "", links: [] });
});

test("what is refused at the door has a span, too, and no delivery", async () => {
  await open("parent");
  const answer = await post({ traceparent: "nonsense", "content-type": "text/html" });
  expect(answer.status).toBe(415);
  const span = await receiver.span("POST /plain");
  expect(span).toMatchObject({ parentId: "", attributes: { "http.response.status_code": 415 } });
  expect(receiver.named("send default")).toEqual([]);
});

test("a line of the web chat begins a trace", async () => {
  await open("parent");
  const headers = { "content-type": "application/json" };
  await fetch(`${door.url}/chat/lobby/messages`, { method: "POST", headers, body: JSON.stringify({ text: "hello" }) });
  const send = await receiver.span("send chat");
  expect(send).toMatchObject({ kind: "PRODUCER", parentId: "" });
  const [stored] = await door.stored("chat");
  expect(stored?.header["traceparent"]).toBe(`00-${send.traceId}-${send.spanId}-01`);
});

test("without traces the envelope says nothing of any", async () => {
  await open(undefined);
  await post({ traceparent: TRACEPARENT, "content-type": "application/json" });
  const [stored] = await door.stored("default");
  expect(Object.keys(stored?.header ?? {})).not.toContain("traceparent");
});
