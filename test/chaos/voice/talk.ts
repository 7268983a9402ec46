// What people say to a bot and what it has to say, at a steady rate, and the account of both: nothing lost, nothing out of
// order, nothing doubled that is not in doubt. No worker takes part: what was taken in waits in its queue, to be counted.

import { deadLetters } from "../../../services/broker/dead.ts";
import { decodeEnvelope } from "../../../services/broker/delivery.ts";
import { OutboxClaims } from "../../../services/broker/outbox.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { writeResume } from "../../../services/leader/resume.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { hasCode } from "../../../services/runtime/errors.ts";
import type { Durability } from "../../../services/redis/durable.ts";
import type { FakeChat } from "../../support/fake-chat.ts";
import { waitFor } from "../../support/wait-for.ts";

export interface TalkOptions {
  readonly url: string;
  readonly namespace: string;
  readonly chat: FakeChat;
  /** What an accepted Action waits for. */
  readonly durability: Durability;
}

const LIMITS = { deliveries: 1_000_000, bytes: 2 ** 30 };
const TICK_MS = 20;
/** Every tick somebody says something; every second tick the bot has to. */
const ROOMS = 5;
const AGAIN_MS = 50;
const UID_MS = 3_600_000;
const BACK_MS = 30_000;

export class Talk {
  readonly keys: Keys;
  readonly #options: TalkOptions;
  readonly #client: RedisClient;
  readonly #producer: Producer;
  readonly #rooms = Array.from({ length: ROOMS }, () => Promise.resolve());
  /** Texts of Actions that Redis accepted, by room, in order. */
  readonly accepted = Array.from({ length: ROOMS }, (): string[] => []);
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #said = 0;
  #ended = false;

  constructor(options: TalkOptions) {
    this.#options = options;
    this.keys = new Keys(options.namespace, 0);
    this.#client = openRedis({ url: options.url, name: "talk", purpose: "commands", onState: () => {} });
    const broker = { client: this.#client, keys: this.keys, durability: options.durability };
    this.#producer = new Producer({ ...broker, limits: LIMITS, random: Math.random });
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Nothing new; resolves when Redis has accepted all that the bot has to say. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#rooms);
  }

  async close(): Promise<void> {
    this.#ended = true;
    clearInterval(this.#timer);
    await closeRedis(this.#client);
  }

  /** Lines that people said. */
  get lines(): number {
    return this.#said;
  }

  /** Waits until all is taken in and said. */
  async settled(timeoutMs: number): Promise<void> {
    const isOver = async (): Promise<boolean> => {
      const [waiting, stored] = await Promise.all([
        this.#client.hlen(`${this.keys.outbox("fake")}:j`),
        this.#client.hlen(`${this.keys.queue("chat")}:j`),
      ]);
      return waiting === 0 && stored >= this.#said;
    };
    await waitFor(isOver, { timeoutMs, what: "all is taken in and said" }).catch(() => {});
  }

  /** One line for each thing that must not be. */
  async problems(takeovers: number): Promise<string[]> {
    const dead = await deadLetters({ client: this.#client, keys: this.keys }, "outbox/fake", { limit: 100 });
    return [
      ...(await this.#heardProblems()),
      ...this.#spokenProblems(takeovers),
      ...dead.map(({ id, reason }) => `dead letter ${id}: ${reason}`),
    ];
  }

  /** Actions that were said more than once. */
  get saidAgain(): number {
    const { posts } = this.#options.chat;
    return posts.length - new Set(posts.map(({ actionId }) => actionId)).size;
  }

  /** Writes as the leader of that epoch would if it did not know that it is over. @returns what was not refused */
  async haunt(epoch: string): Promise<string[]> {
    // What Redis refuses is told, and not that our own connection comes back later than its leader's.
    await waitFor(() => this.#client.ping(), { timeoutMs: BACK_MS, what: "our own connection is back" });
    const broker = { client: this.#client, keys: this.keys };
    const outbox = new OutboxClaims({ ...broker, unit: "fake", epoch });
    const writes: [what: string, write: () => Promise<unknown>][] = [
      ["take", () => outbox.take({ slots: 1, run: 1, order: "0123" })],
      ["settle", () => outbox.settle([])],
      ["resume state", () => writeResume(this.#client, this.keys, { unit: "fake", epoch, fields: {} })],
    ];
    const passed = writes.map(async ([what, write]) => {
      const error = await write().catch((refusal: unknown) => refusal);
      return hasCode(error, "FENCED") ? [] : [`${what} under the former epoch ${epoch}: ${String(error)}`];
    });
    return (await Promise.all(passed)).flat();
  }

  async #heardProblems(): Promise<string[]> {
    const bodies = (await this.#client.hgetallBuffer(`${this.keys.queue("chat")}:j`)) as Record<string, Buffer>;
    const ids = Object.keys(bodies).sort((a, b) => Number(a) - Number(b));
    const texts = ids.map((id) => {
      const message = JSON.parse(decodeEnvelope(bodies[id] as Buffer).payload.toString()) as { text: string };
      return Number(message.text);
    });
    const seen = new Set(texts);
    const lost = Array.from({ length: this.#said }, (_, n) => n + 1).filter((n) => !seen.has(n));
    const disorder = texts.filter((n, index) => index > 0 && n < (texts[index - 1] ?? 0));
    return [
      ...(lost.length > 0 ? [`${lost.length} of ${this.#said} lines were lost, the first is ${lost[0]}`] : []),
      ...(texts.length > seen.size ? [`${texts.length - seen.size} lines were taken in twice`] : []),
      ...(disorder.length > 0 ? [`${disorder.length} lines out of order, the first is ${disorder[0]}`] : []),
    ];
  }

  #spokenProblems(takeovers: number): string[] {
    const { chat } = this.#options;
    return this.accepted.flatMap((texts, room) => {
      const posts = chat.posts.filter((post) => post.room === `room${room}`);
      const once = new Set(posts.map(({ text }) => text));
      const said = [...once];
      const missing = texts.filter((text) => !once.has(text));
      const at = texts.findIndex((text, index) => said[index] !== text);
      const again = posts.length - said.length;
      return [
        ...(missing.length > 0 ? [`room${room}: ${missing.length} Actions were never said, first ${missing[0]}`] : []),
        ...(missing.length === 0 && at >= 0 ? [`room${room}: said ${said[at]} where ${texts[at]} was due`] : []),
        ...(again > takeovers ? [`room${room}: ${again} said again after ${takeovers} takeovers`] : []),
      ];
    });
  }

  #tick(): void {
    this.#said++;
    const room = this.#said % ROOMS;
    this.#options.chat.say({ room: "lobby", user: "ann", text: String(this.#said) });
    if (this.#ticks++ % 2 > 0) return;
    const text = `a${this.#said}`;
    this.#rooms[room] = (this.#rooms[room] ?? Promise.resolve()).then(() => this.#act(room, text));
  }

  /** Until it is accepted; a repeat is the same Action. */
  async #act(room: number, text: string): Promise<void> {
    const action = { id: text, unit: "fake", op: "send", room: `room${room}`, text };
    const envelope = Buffer.from(JSON.stringify(action));
    while (!this.#ended) {
      try {
        const uid = { id: text, ttlMs: UID_MS };
        await this.#producer.enqueue("outbox/fake", { route: 0, envelope, key: `room${room}`, uid });
        return void this.accepted[room]?.push(text);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }
}
