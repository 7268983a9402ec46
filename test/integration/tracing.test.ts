// Traces of a real bot: a master, a worker and a collector, each a process or a socket of its own.

import { createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openQueue } from "../../services/queue/queue.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { FakeChat } from "../support/fake-chat.ts";
import { MasterProcess } from "../support/master-kit.ts";
import { OtlpReceiver, type ReceivedSpan } from "../support/otlp.ts";
import { testRedis } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const ENTRY = new URL("../../services/main.ts", import.meta.url);
const HANDLERS = new URL("../fixtures/traced", import.meta.url).pathname;
const REMOTE = { trace: "0af7651916cd43dd8448eb211c80319c", span: "b7ad6b7169203331" };

/**
 * What processes do without until somebody asks for it, each some megabytes: OpenTelemetry, what only the admin site needs (fastify's
 * compilers of schemas, too), the clients of chat services that are not configured, the queue client, Prometheus' registry, the
 * parser of YAML, the client of Kubernetes, and Node's WebSocket client, which an import of node:http brings along.
 */
const NEEDLESS = new RegExp(
  [
    "opentelemetry|otel-tracing",
    "package:(ajv|@fastify/swagger|typebox|prom-client|yaml|@kubernetes/.*)$",
    "services/(queue/queue|admin/site|adapters/irc/adapter)\\.ts$",
    "import:node:http",
  ].join("|"),
);

type Line = Readonly<Record<string, unknown>>;

class Bot {
  readonly namespace = `traced-${randomId()}`;
  readonly chat: FakeChat;
  readonly receiver: OtlpReceiver;
  readonly redisUrl: string;
  master: MasterProcess | undefined;
  worker: SpawnedNode | undefined;

  constructor(redisUrl: string, chat: FakeChat, receiver: OtlpReceiver) {
    this.redisUrl = redisUrl;
    this.chat = chat;
    this.receiver = receiver;
  }

  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const { redisUrl, namespace, chat } = this;
    const own = { ANTIPHON_HANDLERS: HANDLERS, ANTIPHON_HANDLER_TRACED_URL: `${this.receiver.url}/asked`, ...env };
    this.master = new MasterProcess({ redisUrl, namespace, chat, env: own });
    this.worker = spawnNode(ENTRY, {
      args: ["worker"],
      env: {
        REDIS_URL: redisUrl,
        ANTIPHON_NAMESPACE: namespace,
        ANTIPHON_ADAPTERS: "fake,web",
        ANTIPHON_ADMIN_HOST: "127.0.0.1",
        ANTIPHON_HTTP_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        ANTIPHON_HTTP_PORT: "0",
        ANTIPHON_WORKER_THREADS: "2",
        LOG_FORMAT: "json",
        ...own,
      },
    });
    await Promise.all([this.master.leads(), this.worker.waitForLine('"process.started"', 40_000)]);
    await waitFor(() => chat.connected.length === 1, { timeoutMs: 20_000 });
  }

  /** The worker's log. */
  get lines(): Line[] {
    const json = (this.worker?.lines ?? []).filter((line) => line.startsWith("{"));
    return json.map((line) => JSON.parse(line) as Line);
  }

  get http(): string {
    const urls = this.lines.find((line) => line["event"] === "process.started")?.["urls"];
    return String(urls).split(" ")[0] ?? "";
  }

  async hears(text: string): Promise<void> {
    await waitFor(() => this.chat.said("lobby").includes(text), { timeoutMs: 30_000, what: `"${text}" in the chat` });
  }

  async stop(): Promise<void> {
    await Promise.all([this.master?.kill("SIGKILL"), this.worker?.end()]);
    await this.chat.stop();
    await this.receiver.stop();
  }
}

let bot: Bot;

async function newBot(): Promise<void> {
  bot = new Bot((await testRedis()).url, await FakeChat.start({ idempotency: "key" }), await OtlpReceiver.start());
}

const traced = (): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: bot.receiver.url,
  OTEL_SERVICE_NAME: "our-bot",
  OTEL_RESOURCE_ATTRIBUTES: "team=ops",
});

const isIn =
  ({ traceId }: ReceivedSpan) =>
  (span: ReceivedSpan): boolean =>
    span.traceId === traceId;

describe("with a collector", () => {
  beforeAll(async () => {
    await newBot();
    await bot.start(traced());
  });
  beforeEach(() => void (bot.receiver.spans.length = 0));
  afterAll(() => bot.stop());

  test("one trace from the chat line over a step, a job and its words to the reply, across processes and threads", async () => {
    const { receiver } = bot;
    bot.chat.say({ room: "lobby", user: "ann", text: "antiphon deploy web" });
    await bot.hears("web is built");
    const line = await receiver.span("send chat");
    const run = await receiver.span("process chat", isIn(line));
    const route = await receiver.span("run traced.deploy", isIn(line));
    const step = await receiver.span("step ask", isIn(line));
    const enqueue = await receiver.span("send default", isIn(line));
    const job = await receiver.span("process default", isIn(line));
    const said = await receiver.span("send outbox/fake", ({ parentId }) => parentId === job.spanId);
    const spoken = await receiver.span("process outbox/fake", ({ parentId }) => parentId === said.spanId);
    // Who begins, who goes on.
    expect([line.kind, run.kind, enqueue.kind, job.kind]).toEqual(["PRODUCER", "CONSUMER", "PRODUCER", "CONSUMER"]);
    expect([line.parentId, run.parentId, route.parentId]).toEqual(["", line.spanId, run.spanId]);
    expect([step.parentId, enqueue.parentId, job.parentId]).toEqual([route.spanId, route.spanId, enqueue.spanId]);
    expect(run.links).toEqual([{ traceId: line.traceId, spanId: line.spanId }]);
    expect(job.links).toEqual([{ traceId: line.traceId, spanId: enqueue.spanId }]);
    expect([said.traceId, spoken.traceId]).toEqual([line.traceId, line.traceId]);
    // Within the run.
    const plan = await receiver.span("plan", isIn(line));
    expect(plan).toMatchObject({ parentId: route.spanId, attributes: { app: "web" } });
    expect(await receiver.span("POST", isIn(line))).toMatchObject({ parentId: step.spanId });
    expect((await receiver.span("EVALSHA effect", isIn(line))).kind).toBe("CLIENT");
    // Its outcome, told by the worker's main thread.
    const ack = await receiver.span("ack chat", isIn(line));
    expect(ack).toMatchObject({ kind: "CLIENT", parentId: run.spanId, attributes: { "antiphon.outcome": "done" } });
    await receiver.span("ack outbox/fake", ({ parentId }) => parentId === spoken.spanId);
    // Which process said what.
    for (const span of [line, spoken]) expect(span.resource["antiphon.mode"]).toBe("master");
    for (const span of [run, step, job, ack]) expect(span.resource["antiphon.mode"]).toBe("worker");
    expect(run.attributes["thread.name"]).toMatch(/^chat-/);
    expect(job.attributes["thread.name"]).toMatch(/^work-/);
    expect(line.resource).toMatchObject({ "service.name": "our-bot", team: "ops", "service.namespace": bot.namespace });
    expect(job.attributes).toMatchObject({
      "messaging.system": "antiphon",
      "messaging.destination.name": "default",
      "messaging.operation.type": "process",
      "antiphon.route": "traced.build",
      "antiphon.kind": "job",
      "antiphon.attempt": 1,
    });
    // Its log, its history.
    await waitFor(() => bot.lines.some(({ msg }) => msg === "planned"));
    expect(bot.lines.find(({ msg }) => msg === "planned")).toMatchObject({
      trace_id: line.traceId,
      span_id: plan.spanId,
    });
    const queue = await openQueue({ url: bot.redisUrl, namespace: bot.namespace });
    const [finished] = await waitFor(async () => {
      const history = await queue.history("chat");
      return history.length > 0 ? history : undefined;
    });
    await queue.close();
    expect(finished).toMatchObject({ trace: line.traceId });
    expect(receiver.unreadable).toBe(0);
  });

  test("words that a command returns are in its trace, although they ride in the outcome", async () => {
    bot.chat.say({ room: "lobby", user: "ann", text: "antiphon say hello" });
    await bot.hears("hello");
    const line = await bot.receiver.span("send chat");
    const said = await bot.receiver.span("send outbox/fake", isIn(line));
    expect((await bot.receiver.span("process outbox/fake", isIn(line))).parentId).toBe(said.spanId);
    for (const { action } of bot.chat.attempts) expect(Object.keys(action)).not.toContain("traceparent");
  });

  test("a webhook goes on with its sender's trace; another attempt is linked to the one before, many children to one span", async () => {
    const { receiver } = bot;
    const traceparent = `00-${REMOTE.trace}-${REMOTE.span}-01`;
    const answer = await fetch(`${bot.http}/hooks/traced`, {
      method: "POST",
      headers: { traceparent, tracestate: "v=1" },
    });
    expect(answer.status).toBe(202);
    const door = await receiver.span("POST /hooks/traced");
    expect(door).toMatchObject({ kind: "SERVER", traceId: REMOTE.trace, parentId: REMOTE.span, state: "v=1" });
    expect(door.attributes).toMatchObject({ "http.response.status_code": 202, "http.route": "/hooks/traced" });
    const send = await receiver.span("send default", ({ parentId }) => parentId === door.spanId);
    const hook = await receiver.span("process default", ({ parentId }) => parentId === send.spanId);
    const flaky = (attempt: number) => (span: ReceivedSpan) =>
      span.attributes["antiphon.route"] === "traced.flaky" && span.attributes["antiphon.attempt"] === attempt;
    const first = await receiver.span("process default", flaky(1));
    const second = await receiver.span("process default", flaky(2));
    expect([hook.traceId, first.traceId, second.traceId]).toEqual([REMOTE.trace, REMOTE.trace, REMOTE.trace]);
    expect(second.parentId).toBe(first.parentId);
    expect(second.links.map(({ spanId }) => spanId)).toEqual([first.parentId, first.spanId]);
    expect(first.status).toEqual({ code: "ERROR", message: "not yet" });
    const failed = bot.lines.find(({ event }) => event === "run.failed");
    expect(failed).toMatchObject({ trace_id: REMOTE.trace, span_id: first.spanId });
    const many = await receiver.span("send default", ({ parentId }) => parentId === second.spanId);
    expect(many.attributes["messaging.batch.message_count"]).toBe(3);
    const isPart = (span: ReceivedSpan): boolean => span.attributes["antiphon.route"] === "traced.part";
    await waitFor(() => receiver.spans.filter((span) => span.kind === "CONSUMER" && isPart(span)).length === 3, {
      timeoutMs: 30_000,
    });
    for (const part of receiver.spans.filter(isPart)) {
      expect(part.traceId).not.toBe(REMOTE.trace);
      expect(part.links).toEqual([{ traceId: REMOTE.trace, spanId: many.spanId }]);
    }
  });

  test("a schedule's runs are linked to its slots, not below them", async () => {
    const slotOf = ({ links }: ReceivedSpan): ReceivedSpan | undefined =>
      bot.receiver.named("send default").find(({ spanId }) => spanId === links[0]?.spanId);
    const isTick = ({ attributes }: ReceivedSpan): boolean => attributes["antiphon.kind"] === "cron";
    const run = await bot.receiver.span("process default", (span) => isTick(span) && slotOf(span) !== undefined);
    expect(run.parentId).toBe("");
    const slot = slotOf(run);
    expect(slot).toMatchObject({ kind: "PRODUCER", parentId: "" });
    expect(slot?.resource["antiphon.mode"]).toBe("master");
  });
});

describe("without one", () => {
  beforeEach(newBot);
  afterEach(() => bot.stop());

  test("without an endpoint nothing is sent anywhere, nothing that nobody needs is loaded, and nobody warns", async () => {
    const preload = new URL("../support/loaded-modules.mjs", import.meta.url).pathname;
    await bot.start({ NODE_OPTIONS: `--import=${preload}`, OTEL_SERVICE_NAME: "our-bot" });
    const visits = await collectors();
    bot.chat.say({ room: "lobby", user: "ann", text: "antiphon deploy web" });
    // What was enqueued first may be said first.
    await Promise.all([bot.hears("on its way"), bot.hears("web is built")]);
    const [worker, master] = [bot.worker, bot.master?.node];
    await Promise.all([worker?.kill("SIGTERM"), master?.kill("SIGTERM")]);
    const all = [...(worker?.lines ?? []), ...(master?.lines ?? [])];
    const loaded = all.filter((line) => line.startsWith("loaded "));
    expect(loaded.length).toBeGreaterThan(3);
    expect(loaded.join("\n")).toContain("worker/thread.ts");
    expect(loaded.flatMap((line) => line.split(" ").filter((name) => NEEDLESS.test(name)))).toEqual([]);
    const expected = /route.unsigned|leader.lost|REDIS_UNAVAILABLE/; // the last two where the machine is busy
    expect(all.filter((line) => /"level":"(warn|error)"/.test(line) && !expected.test(line))).toEqual([]);
    expect(visits.count).toBe(0);
    expect(bot.receiver.requests).toBe(1); // the handler's own fetch
    expect(bot.chat.said("lobby").toSorted()).toEqual(["on its way", "web is built"]);
    await visits.close();
  });

  test("a collector that accepts and never answers: the bot answers, and its end does not wait for it", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const visits: Socket[] = [];
    silent.on("connection", (socket) => visits.push(socket));
    const { port } = silent.address() as { port: number };
    await bot.start({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, ANTIPHON_DRAIN_MS: "2000" });
    bot.chat.say({ room: "lobby", user: "ann", text: "antiphon deploy web" });
    await bot.hears("web is built");
    await waitFor(() => visits.length > 0, { timeoutMs: 20_000 });
    const exits = await Promise.all([bot.worker?.kill("SIGTERM"), bot.master?.node.kill("SIGTERM")]);
    expect(exits.map((exit) => exit?.code)).toEqual([0, 0]);
    const lines = [...bot.lines, ...(bot.master?.lines ?? [])];
    expect(lines.filter(({ event }) => event === "traces.dropped").length).toBeGreaterThan(0);
    expect(lines.filter(({ event }) => event === "part.failed")).toEqual([]);
    for (const socket of visits) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });
});

interface Visits {
  readonly count: number;
  close(): Promise<void>;
}

/** Listens where collectors do by default, unless somebody does already. */
async function collectors(): Promise<Visits> {
  let count = 0;
  const servers = [4317, 4318].map((port) =>
    createServer((socket) => {
      count++;
      socket.destroy();
    }).listen(port, "127.0.0.1"),
  );
  await Promise.all(
    servers.map((server) => new Promise((resolve) => server.once("listening", resolve).once("error", resolve))),
  );
  return {
    get count() {
      return count;
    },
    close: async () =>
      void (await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))),
  };
}
