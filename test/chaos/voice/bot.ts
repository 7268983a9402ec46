// A bot of several masters around one chat service that lets everybody speak: nothing but Leases and fences keeps an old
// leader quiet. People talk, the bot answers, and whatever is broken, the account must be right in the end.

import { randomId } from "../../../services/runtime/ids.ts";
import type { Durability } from "../../../services/redis/durable.ts";
import { FakeChat } from "../../support/fake-chat.ts";
import { waitFor } from "../../support/wait-for.ts";
import type { FenceLog } from "./fence-log.ts";
import { fenceProblems, grants, overlapMs, refusals } from "./judge.ts";
import { Master } from "./master.ts";
import { Talk } from "./talk.ts";

export interface BotOptions {
  /** services/main.ts, or what was built of it. */
  readonly entry: string;
  readonly redisUrl: string;
  readonly log: FenceLog;
  readonly leaseMs: number;
  readonly masters: number;
  readonly burnMs?: number;
  readonly durability?: Durability;
  /** Where each master finds Redis, if not all at the same place. */
  readonly urlOf?: (master: number) => Promise<string>;
}

/** What came of it all. */
export interface Account {
  readonly problems: readonly string[];
  /** ms during which two epochs were accepted. */
  readonly overlapMs: number;
  readonly grants: number;
  /** Calls of former leaders that Redis refused. */
  readonly refused: number;
  /** Actions that reached the chat service from a leader whose successor held the Lease already, by connection. */
  readonly stale: readonly number[];
  readonly saidAgain: number;
  readonly lines: number;
  readonly actions: number;
}

/** On a machine that has other things to do everything takes longer. */
const LONG_MS = 90_000;

export class Bot {
  readonly chat: FakeChat;
  readonly talk: Talk;
  readonly lease: string;
  readonly masters: Master[] = [];
  readonly #options: BotOptions;
  readonly #namespace: string;
  /** What was tried in the name of a former leader, and was not refused. */
  readonly #passed: string[] = [];

  private constructor(options: BotOptions, chat: FakeChat, namespace: string) {
    this.#options = options;
    this.#namespace = namespace;
    this.chat = chat;
    this.lease = `{${namespace}:0} fake`;
    this.talk = new Talk({ url: options.redisUrl, namespace, chat, durability: options.durability ?? "default" });
  }

  /** Resolves when one leads, the others stand by and people talk. */
  static async start(options: BotOptions): Promise<Bot> {
    const chat = await FakeChat.start({ ingress: "shared", idempotency: "none" });
    const bot = new Bot(options, chat, `chaos-${randomId()}`);
    try {
      await bot.fill();
      await bot.leader();
      bot.talk.start();
      await waitFor(() => chat.posts.length > 0, { timeoutMs: LONG_MS, what: "the bot speaks" });
      return bot;
    } catch (error) {
      await bot.stop();
      throw error;
    }
  }

  get epoch(): number {
    return this.#options.log.epoch(this.lease);
  }

  /** As many masters as there shall be, all of them ready to lead. */
  async fill(): Promise<void> {
    while (this.living.length < this.#options.masters) this.masters.push(await this.#spawn());
    const all = (): boolean => this.living.every(({ hasStarted }) => hasStarted);
    await waitFor(all, { timeoutMs: LONG_MS, what: "all masters started" }).catch((error: unknown) =>
      this.#explain(error),
    );
  }

  get living(): readonly Master[] {
    return this.masters.filter(({ isDead }) => !isDead);
  }

  /** The one that leads, both by the fence log and in its own words. */
  leader(): Promise<Master> {
    const leads = (master: Master): boolean => this.epoch > 0 && master.epochs.at(-1) === this.epoch;
    return waitFor(() => this.living.find(leads), { timeoutMs: LONG_MS, what: "a master leads" }).catch(
      (error: unknown) => this.#explain(error),
    );
  }

  /** When another epoch than this one was granted, and when it took in its first event. */
  async successor(epoch: number): Promise<{ readonly epoch: number; readonly at: number; readonly intakeAt: number }> {
    const { log } = this.#options;
    const intake = () => {
      const grant = log.grantAfter(this.lease, epoch);
      const first = grant && log.firstIntake(this.lease, grant.epoch);
      return grant && first ? { epoch: grant.epoch, at: grant.at, intakeAt: first.at } : undefined;
    };
    const what = `a successor of ${epoch} takes in`;
    const next = await waitFor(intake, { timeoutMs: LONG_MS, what }).catch((error: unknown) => this.#explain(error));
    this.#passed.push(...(await this.talk.haunt(String(epoch))));
    return next;
  }

  /** The last that the chat service saw of the leader of this epoch: an Action, or that its connection ended. */
  lastSeen(epoch: number): { readonly attemptAt: number; readonly leftAt: number } {
    const name = nameOf(epoch);
    const attempts = this.chat.attempts.filter(({ by }) => by === name).map(({ at }) => at);
    const visits = this.chat.visits.filter((visit) => visit.name === name).map(({ leftAt = Infinity }) => leftAt);
    return { attemptAt: Math.max(0, ...attempts.slice(-1)), leftAt: Math.max(0, ...visits) };
  }

  /** Ends the talk and waits until all of it is taken in and said. */
  async account(): Promise<Account> {
    await this.talk.end();
    await this.talk.settled(LONG_MS);
    const entries = this.#options.log.of(this.lease);
    const granted = grants(entries);
    const overlap = overlapMs(entries);
    const stale = this.#stale(granted.map(({ epoch, at }) => ({ epoch, at })));
    const talked = await this.talk.problems(this.chat.visits.length - 1);
    const fences = fenceProblems(entries);
    const loud = stale.filter((count) => count > 1).map((count) => `a former leader said ${count} Actions`);
    return {
      problems: [...fences, ...talked, ...loud, ...this.#passed],
      overlapMs: overlap,
      grants: granted.length,
      refused: refusals(entries),
      stale,
      saidAgain: this.talk.saidAgain,
      lines: this.talk.lines,
      actions: this.talk.accepted.flat().length,
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.living.map((master) => master.end()));
    await this.talk.close();
    await this.chat.stop();
  }

  #stale(granted: readonly { readonly epoch: number; readonly at: number }[]): number[] {
    return granted.flatMap(({ epoch }, index) => {
      const next = granted[index + 1];
      if (!next) return [];
      const late = this.chat.attempts.filter(({ by, at }) => by === nameOf(epoch) && at > next.at).length;
      return late > 0 ? [late] : [];
    });
  }

  async #spawn(): Promise<Master> {
    const { entry, redisUrl, leaseMs, burnMs = 10_000, urlOf } = this.#options;
    // Whichever ingress the service has: to the masters it is one that only the leader may be connected to.
    const chatUrl = this.chat.url.replace("ingress=shared", "ingress=takeover");
    const url = urlOf ? await urlOf(this.masters.length) : redisUrl;
    return new Master({ entry, redisUrl: url, namespace: this.#namespace, chatUrl, leaseMs, burnMs });
  }

  #explain(error: unknown): never {
    const lines = this.masters.flatMap((master, index) => master.lines.slice(-10).map((line) => `${index}: ${line}`));
    throw new Error(`${String(error)}\n${lines.join("\n")}`, { cause: error });
  }
}

function nameOf(epoch: number): string {
  return `fake ${epoch}`;
}
