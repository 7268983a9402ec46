import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";
import { OtlpReceiver } from "../../support/otlp.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { carrierOf } from "../../../services/telemetry/carrier.ts";
import { startAck, startProcess, startSend } from "../../../services/telemetry/queue-spans.ts";
import { during, openTracing, type Tracing, type TracingOptions } from "../../../services/telemetry/tracing.ts";
import { waitFor } from "../../support/wait-for.ts";

let receiver: OtlpReceiver;
let open: Tracing[] = [];
const told: { readonly name: string; readonly fields: unknown }[] = [];

beforeEach(async () => {
  receiver = await OtlpReceiver.start();
  told.length = 0;
});
afterEach(async () => {
  await Promise.all(open.map((tracing) => tracing.close()));
  open = [];
  await receiver.stop();
});
// @opentelemetry/resources imports all of node:process, which opens the standard input; nobody reads it.
afterAll(() => void process.stdin.unref());

async function tracingTo(url: string, more: Partial<TracingOptions> = {}): Promise<Tracing> {
  const options: TracingOptions = {
    url,
    headers: { authorization: "Bearer secret-of-the-collector" },
    sampler: { name: "parentbased_always_on", ratio: 1 },
    resource: { "service.name": "bot", team: "ops" },
    queueRelation: "parent",
    webhooks: "parent",
    secrets: ["a-password"],
    ...more,
  };
  const tracing = await openTracing(options, {
    mode: "worker",
    thread: "work-0",
    emit: (name, fields) => void told.push({ name, fields }),
    clock: systemClock,
    random: Math.random,
    tracesCalls: true,
  });
  if (tracing === undefined) throw new Error("no traces");
  open.push(tracing);
  return tracing;
}

const tracing = (more?: Partial<TracingOptions>): Promise<Tracing> => tracingTo(`${receiver.url}/v1/traces`, more);
const REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("spans arrive as OTLP, with their parents, kinds, attributes and the resource", async () => {
  const traces = await tracing();
  const send = startSend(traces, "default", { route: "deploy.ship", kind: "job", parent: null });
  const run = startProcess(traces, "default", { trace: send.carrier, waitedMs: 5, attempt: 1, origin: "abc" });
  await traces.within(run, async () => {
    await during(traces.start("step build"), async () => {});
    startAck(traces, "default", { parent: run.carrier }).end();
  });
  run.end();
  send.end();
  await traces.close();
  const sent = await receiver.span("send default");
  expect(sent).toMatchObject({ kind: "PRODUCER", parentId: "", scope: "antiphon" });
  expect(sent.resource).toMatchObject({ "service.name": "bot", team: "ops", "antiphon.mode": "worker" });
  expect(sent.attributes).toMatchObject({
    "messaging.system": "antiphon",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
    "messaging.destination.name": "default",
    "antiphon.route": "deploy.ship",
    "thread.name": "work-0",
  });
  const processed = await receiver.span("process default");
  expect(processed).toMatchObject({ kind: "CONSUMER", traceId: sent.traceId, parentId: sent.spanId });
  expect(processed.links).toEqual([{ traceId: sent.traceId, spanId: sent.spanId }]);
  expect(processed.attributes).toMatchObject({ "antiphon.attempt": 1, "messaging.message.conversation_id": "abc" });
  expect(await receiver.span("step build")).toMatchObject({ kind: "INTERNAL", parentId: processed.spanId });
  expect(await receiver.span("ack default")).toMatchObject({ kind: "CLIENT", parentId: processed.spanId });
  expect(receiver.headers[0]).toMatchObject({ authorization: "Bearer secret-of-the-collector" });
  expect(receiver.unreadable).toBe(0);
});

test("what waited for long, what a schedule made and what was made with others is only linked", async () => {
  const traces = await tracing();
  const trace = { traceparent: REMOTE };
  startProcess(traces, "late", { trace, waitedMs: 300_001 }).end();
  startProcess(traces, "cron", { trace, waitedMs: 0, kind: "cron" }).end();
  startProcess(traces, "many", { trace: { ...trace, traceLink: true }, waitedMs: 0 }).end();
  startProcess(traces, "soon", { trace, waitedMs: 299_999 }).end();
  const linked = await tracing({ queueRelation: "link" });
  startProcess(linked, "asked", { trace, waitedMs: 0 }).end();
  await Promise.all([traces.close(), linked.close()]);
  for (const queue of ["late", "cron", "many", "asked"]) {
    const span = await receiver.span(`process ${queue}`);
    expect(span.parentId).toBe("");
    expect(span.links).toEqual([{ traceId: REMOTE.slice(3, 35), spanId: REMOTE.slice(36, 52) }]);
  }
  expect(await receiver.span("process soon")).toMatchObject({ parentId: REMOTE.slice(36, 52) });
});

test("another attempt is linked to the one before it", async () => {
  const traces = await tracing();
  const first = startProcess(traces, "q", { trace: { traceparent: REMOTE }, waitedMs: 0 });
  const again = startProcess(traces, "q", { trace: { traceparent: REMOTE }, previous: first.carrier, waitedMs: 0 });
  again.end();
  await traces.close();
  const span = await receiver.span("process q");
  expect(span.links.map(({ spanId }) => spanId)).toEqual([
    REMOTE.slice(36, 52),
    first.carrier.traceparent.slice(36, 52),
  ]);
});

test("an error is told without known secrets", async () => {
  const traces = await tracing();
  const failing = during(traces.start("fails"), () => Promise.reject(new TypeError("a-password is wrong")));
  await expect(failing).rejects.toThrow("a-password");
  await traces.close();
  const span = await receiver.span("fails");
  expect(span.status).toEqual({ code: "ERROR", message: "[removed] is wrong" });
  expect(span.attributes["error.type"]).toBe("TypeError");
  expect(JSON.stringify(span.events)).not.toContain("a-password");
});

test("a sampler of nothing sends nothing, and says so to whatever follows", async () => {
  const traces = await tracing({ sampler: { name: "always_off", ratio: 1 } });
  const span = startSend(traces, "q");
  expect(span.isSampled).toBe(false);
  expect(span.carrier.traceparent).toMatch(/-00$/);
  expect(startProcess(traces, "q", { trace: span.carrier, waitedMs: 0 }).isSampled).toBe(false);
  span.end();
  await traces.close();
  expect(receiver.requests).toBe(0);
});

test("who began a trace decides whether it is kept, unless the sampler does", async () => {
  const unkept = `${REMOTE.slice(0, -2)}00`;
  const heeds = await tracing();
  expect(heeds.start("x", { parent: { traceparent: unkept } }).isSampled).toBe(false);
  const own = await tracing({ sampler: { name: "always_on", ratio: 1 } });
  expect(own.start("x", { parent: { traceparent: unkept } }).isSampled).toBe(true);
  const share = await tracing({ sampler: { name: "traceidratio", ratio: 0 } });
  expect(share.start("x", { parent: null }).isSampled).toBe(false);
});

test("one run makes a limited number of spans, and tells how many it left out", async () => {
  const traces = await tracing();
  const run = startProcess(traces, "q", { trace: {}, waitedMs: 0 });
  traces.within(run, () => {
    for (let n = 0; n < 700; n++) traces.start("loop").end();
    const beyond = traces.start("beyond");
    expect(beyond.carrier).toEqual(run.carrier);
    traces.within(beyond, () => expect(traces.active()?.carrier).toEqual(run.carrier));
  });
  run.end();
  await traces.close();
  const span = await receiver.span("process q");
  expect(span.attributes["antiphon.spans_omitted"]).toBe(202);
  expect(receiver.named("loop")).toHaveLength(499);
});

test("fetch is a span below the active one and carries it along; without one it is left alone", async () => {
  const traces = await tracing();
  const other = await OtlpReceiver.start();
  await fetch(`${other.url}/v1/traces?token=secret`, { method: "POST", body: "x" });
  const run = startProcess(traces, "q", { trace: { traceparent: REMOTE, tracestate: "vendor=1" }, waitedMs: 0 });
  await traces.within(run, async () => {
    const answer = await fetch(`${other.url}/v1/traces?token=secret`, { method: "POST", body: "x" });
    await answer.text();
  });
  run.end();
  await waitFor(() => other.headers.length === 2);
  await traces.close();
  const span = await receiver.span("POST");
  expect(other.headers[0]?.["traceparent"]).toBeUndefined();
  expect(other.headers[1]).toMatchObject({
    traceparent: `00-${span.traceId}-${span.spanId}-01`,
    tracestate: "vendor=1",
  });
  expect(span).toMatchObject({ kind: "CLIENT", parentId: run.carrier.traceparent.slice(36, 52) });
  expect(span.attributes).toMatchObject({ "http.request.method": "POST", "http.response.status_code": 404 });
  expect(JSON.stringify(span.attributes)).not.toContain("secret");
  expect(receiver.named("POST")).toHaveLength(1);
  await other.stop();
});

test("a collector that refuses: what is not taken is dropped, counted, and told once", async () => {
  receiver.status = 400;
  const traces = await tracing();
  for (let n = 0; n < 10; n++) startSend(traces, "q").end();
  await waitFor(() => told.length > 0, { timeoutMs: 20_000 });
  for (let n = 0; n < 5; n++) startSend(traces, "q").end();
  await waitFor(() => receiver.requests === 2, { timeoutMs: 20_000 });
  await traces.close();
  expect(told.map(({ name }) => name)).toEqual(["traces.dropped", "traces.dropped"]);
  expect(told[0]?.fields).toMatchObject({ to: new URL(receiver.url).host, spans: 10, problem: "it answered 400" });
  expect(told[1]?.fields).toMatchObject({ spans: 5 });
});

test("a collector that never answers: so many spans wait and no more, and the end does not wait for it", async () => {
  receiver.status = 0;
  const traces = await tracing();
  startSend(traces, "q").end();
  await waitFor(() => receiver.requests === 1, { timeoutMs: 20_000 });
  for (let n = 0; n < 3000; n++) startSend(traces, "q").end();
  await waitFor(() => told.length === 1);
  expect(told[0]?.fields).toMatchObject({ spans: 1, problem: "too many spans wait to be sent" });
  await traces.close();
  const spans = told.map(({ fields }) => (fields as { spans: number }).spans);
  expect(spans.reduce((sum, count) => sum + count, 0)).toBe(3001);
});

test("one that is back after a moment gets what it refused", async () => {
  receiver.status = 503;
  const traces = await tracing();
  startSend(traces, "q").end();
  await waitFor(() => receiver.requests === 1, { timeoutMs: 20_000 });
  receiver.status = 200;
  await receiver.span("send q");
  expect(told).toEqual([]);
});

test("of what comes from outside only sound names of spans are taken", () => {
  expect(carrierOf(REMOTE, "a=1")).toEqual({ traceparent: REMOTE, tracestate: "a=1" });
  expect(carrierOf(`01${REMOTE.slice(2)}-later`)).toEqual({ traceparent: REMOTE });
  expect(carrierOf(REMOTE, "x".repeat(513))).toEqual({ traceparent: REMOTE });
  expect(carrierOf(REMOTE, ["a=1"])).toEqual({ traceparent: REMOTE });
  expect(carrierOf(REMOTE, "a=1\r\nx: y")).toEqual({ traceparent: REMOTE });
  const unsound = [
    undefined,
    "",
    "x".repeat(5000),
    `ff${REMOTE.slice(2)}`,
    `00-${"0".repeat(32)}-${"1".repeat(16)}-01`,
  ];
  for (const text of [...unsound, [REMOTE], `${REMOTE}-x`, REMOTE.toUpperCase()])
    expect(carrierOf(text)).toBeUndefined();
});

test("without options there is nothing", async () => {
  const clock = new ManualClock();
  expect(await openTracing(undefined, { mode: "x", emit: () => {}, clock, random: Math.random })).toBeUndefined();
});
