// `antiphon/testing`: a bot in one process for tests of handlers. Its broker, workers, intake and outbox are the real ones on a
// real (embedded) Valkey; handlers run in the test's own thread, so that mocks count. Not promised: what only a process of
// one's own can show, such as a handler that blocks its thread.

import { WEB } from "../adapters/web/manifest.ts";
import { takeLine } from "../worker/web-line.ts";
import { closeRedis, openRedis, type RedisClient } from "../redis/connect.ts";
import { Queue } from "../queue/queue.ts";
import type { Event, Job } from "../sdk/context.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";
import type { Room } from "../sdk/message.ts";
import type { Emit } from "../telemetry/events.ts";
import { logEmitter } from "../telemetry/logs.ts";
import type { CrashPoint } from "./crash-points.ts";
import { type Failure, Failures } from "./failures.ts";
import { TestHttp } from "./http.ts";
import { type Line, RoomView } from "./lines.ts";
import { Logs, type LogLine } from "./log-lines.ts";
import { type MetricLine, ToldMetrics } from "./own-metrics.ts";
import { setBroker } from "./inside.ts";
import { type Enqueued, TestJobs } from "./jobs.ts";
import { configOf, type TestBotOptions, unitsOf } from "./options.ts";
import { TestUser, type UserOptions } from "./people.ts";
import { Quiet } from "./quiet.ts";
import { sharedServer } from "./server.ts";
import { Stack } from "./stack.ts";
import { TestClock } from "./test-clock.ts";
import { Time } from "./time.ts";
import { readSessions } from "./web-lines.ts";

export { adapterContract } from "./adapter-contract.ts";
export type { ContractOptions, ContractService } from "./adapter-contract.ts";
export { matchers } from "./matchers.ts";
export type { CrashPoint } from "./crash-points.ts";
export type { Failure } from "./failures.ts";
export type { Answer, RequestOptions, TestHttp } from "./http.ts";
export type { Enqueued, JobsMode } from "./jobs.ts";
export type { Line, RoomView } from "./lines.ts";
export type { LogLine } from "./log-lines.ts";
export type { MetricLine } from "./own-metrics.ts";
export type { TestBotOptions } from "./options.ts";
export type { SayOptions, Speaker, TestUser, UserOptions } from "./people.ts";

const WITHIN_MS = 10_000;

/** Starts a bot. Stop it at the end of the test: `await using bot = await testBot({ handlers: [deploy] })`. */
export async function testBot(options: TestBotOptions): Promise<TestBot> {
  const { url } = await sharedServer();
  const config = await configOf(options, url);
  const clock = new TestClock();
  const failures = new Failures();
  const logs = new Logs();
  const metrics = new ToldMetrics();
  const log = options.log && logEmitter({ level: options.log, format: "pretty", base: {} });
  const jobs = new TestJobs(options.jobs ?? "run");
  const emit: Emit = (name, fields) => {
    jobs.hear(name, fields);
    failures.hear(name, fields);
    logs.hear(name, fields);
    metrics.hear(name, fields);
    log?.(name, fields);
  };
  const { handlers, workers = 1 } = options;
  const middleware = [jobs.middleware];
  const units = unitsOf(options);
  const stack = new Stack({ config, handlers, units, workers, middleware, clock, random: Math.random, emit });
  await stack.start();
  jobs.attach(stack);
  return new TestBot({ stack, jobs, clock, failures, logs, metrics });
}

interface TestBotParts {
  readonly stack: Stack;
  readonly jobs: TestJobs;
  readonly clock: TestClock;
  readonly failures: Failures;
  readonly logs: Logs;
  readonly metrics: ToldMetrics;
}

export class TestBot implements AsyncDisposable {
  readonly http: TestHttp;
  /** Time goes by as it does on a clock; `advance` lets it go by faster. */
  readonly clock: Time;
  readonly fault: Faults;
  /** As a program without handlers has it from `antiphon/queue`: enqueues, finds, cancels, awaits results. */
  readonly queue: Queue;
  readonly #jobs: TestJobs;
  readonly #stack: Stack;
  readonly #failures: Failures;
  readonly #logs: Logs;
  readonly #metrics: ToldMetrics;
  readonly #quiet: Quiet;
  /** What the test has begun and not heard the end of. */
  readonly #underway = new Set<Promise<unknown>>();
  readonly #people: ConstructorParameters<typeof TestUser>[2];
  #lines: readonly Line[] = [];
  #stopped: Promise<void> | undefined;

  constructor({ stack, jobs, clock, failures, logs, metrics }: TestBotParts) {
    this.#stack = stack;
    this.#jobs = jobs;
    this.queue = queueOf(stack, clock);
    this.#failures = failures;
    this.#logs = logs;
    this.#metrics = metrics;
    const { broker, config, services } = stack;
    setBroker(this, broker);
    const twice = new Twice();
    const isTwice = (): boolean => twice.isNext();
    const track = <T>(work: Promise<T>): Promise<T> => this.#track(work);
    this.#quiet = new Quiet({
      broker,
      clock,
      nudge: () => stack.nudge(),
      isDead: (wid) => stack.isDead(wid),
      underway: () => [...this.#underway, ...stack.deaths],
      running: () => stack.points.running,
    });
    this.clock = new Time({ clock, quiet: this.#quiet, withinMs: WITHIN_MS, after: () => this.#read() });
    this.fault = new Faults(stack, twice);
    this.http = new TestHttp({ routes: stack.manifest.http, port: () => stack.httpPort, clock, isTwice, track });
    const limits = { deliveries: config.queueLimit, bytes: config.queueBytes };
    const { name: botName, groups } = config;
    const hasWeb = config.adapters.includes(WEB.name);
    const take: ConstructorParameters<typeof TestUser>[2]["take"] = (said) =>
      takeLine(broker, { said, limits, byRoom: false });
    this.#people = { broker, botName, groups, hasWeb, services, take, clock, isTwice, track };
  }

  user(name: string, options: UserOptions = {}): TestUser {
    return new TestUser(name, options, this.#people);
  }

  /** What was said there up to the last `settled()`. */
  room(room: Room): RoomView {
    return new RoomView(
      room,
      this.#lines.filter((line) => line.room === room),
    );
  }

  /** What the bot said up to the last `settled()`, in all rooms, as it reads now. */
  get replies(): string[] {
    return this.#lines.filter(({ isBot }) => isBot).map(({ text }) => text);
  }

  /** What handlers logged. */
  get logs(): readonly LogLine[] {
    return this.#logs.lines;
  }

  /** What handlers told with `ctx.metrics`, each time that they did. */
  get metrics(): readonly MetricLine[] {
    return this.#metrics.lines;
  }

  /** Routes that run now. */
  get running(): readonly string[] {
    return this.#stack.points.running;
  }

  /** Everything that failed so far, expected or not. */
  get failures(): readonly Failure[] {
    return this.#failures.all;
  }

  /** Failures of this route, or that fit, are from now on no failures of the test. */
  expectFailure(which: string | RegExp): void {
    this.#failures.expect(which);
  }

  /**
   * Resolves when there is nothing left to do: nothing ready, claimed, due or in an outbox. What is delayed may come due
   * later; see `clock`. Throws what a handler threw, unless it was expected.
   */
  async settled(options: { readonly within?: Duration } = {}): Promise<void> {
    const withinMs = options.within === undefined ? WITHIN_MS : durationMs(options.within);
    if (withinMs === undefined) throw new TypeError(`settled: "${options.within}" is no duration such as "10s"`);
    try {
      await this.#quiet.wait({ withinMs });
    } finally {
      await this.#read();
    }
    this.#failures.throw();
  }

  /**
   * What was enqueued and emitted so far, in order: all of it, or that of one contract. Options are those that were given.
   */
  enqueued(of?: Job | Event | string): Enqueued[] {
    return this.#jobs.list(of);
  }

  /**
   * With `jobs: "fake"`: runs the jobs that wait for this, or those of one contract, and what they enqueue in turn; then as
   * `settled`. What is delayed may come due later; see `clock`.
   */
  drain(job?: Job | string): Promise<void> {
    return this.#jobs.draining(job, () => this.settled());
  }

  /** Throws what failed and was not thrown yet; also when a handler runs on for too long. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    await Promise.allSettled(this.#underway);
    await this.queue.close();
    await this.#stack.stop();
    this.#failures.throw();
    const { running, armed } = this.#stack.points;
    if (armed[0] !== undefined) throw new Error(`No run of ${armed[0].during} came to the point of its crash.`);
    if (running.length > 0) throw new Error(`Still running when the bot was stopped: ${running.join(", ")}`);
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underway.add(work);
    const over = (): boolean => this.#underway.delete(work);
    work.then(over, over);
    return work;
  }

  async #read(): Promise<void> {
    const { broker, services } = this.#stack;
    const elsewhere = [...services.values()].flatMap(({ lines }) => lines);
    const lines = [...(await readSessions(broker)), ...elsewhere];
    this.#lines = lines.sort((a, b) => a.atMs - b.atMs);
  }
}

function queueOf({ broker, config, manifest }: Stack, clock: TestClock): Queue {
  const open: RedisClient[] = [];
  const subscriber = (): RedisClient => {
    const { redisUrl: url = "" } = config;
    const client = openRedis({ url, name: "test-results", purpose: "subscriber", onState: () => {} });
    open.push(client);
    return client;
  };
  const limits = { deliveries: config.queueLimit, bytes: config.queueBytes };
  const { middleware } = manifest;
  return new Queue({ ...broker, subscriber, middleware, limits, clock, random: Math.random }, async () => {
    for (const client of open) await closeRedis(client);
  });
}

/** What can go wrong. */
class Faults {
  readonly #stack: Stack;
  readonly #twice: Twice;

  constructor(stack: Stack, twice: Twice) {
    this.#stack = stack;
    this.#twice = twice;
  }

  /**
   * Leaves what SIGKILL leaves: no `finally` runs, nothing is handed back, and another worker takes its place. At the point
   * given, or now the worker that is busy.
   */
  crashWorker(point?: CrashPoint): void {
    if (point === undefined) this.#stack.kill();
    else this.#stack.arm(point);
  }

  /** The next message or request arrives twice, as from a service that did not hear that it had arrived. */
  duplicateDelivery(): void {
    this.#twice.ask();
  }
}

class Twice {
  #asked = 0;

  ask(): void {
    this.#asked++;
  }

  isNext(): boolean {
    if (this.#asked === 0) return false;
    this.#asked--;
    return true;
  }
}
