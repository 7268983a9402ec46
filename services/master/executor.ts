// One Action: resolve what it refers to, clear doubt, wait for its turn, attempt it once, and say what came of it as data.
//
// Not promised: that words are said once where the service has no key and cannot be asked. Then `inDoubt` decides.

import type { Action } from "../sdk/action.ts";
import type { ActionOutcome, Adapter, Bucket } from "../sdk/adapter.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Tenure } from "../leader/duty.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Pacing } from "./pacing.ts";

export type Verdict =
  /** With what became of words that can be edited later. */
  | { readonly kind: "done"; readonly said?: { readonly actionId: string; readonly messageId: string } }
  /** Its turn has not come: its room waits with it, and no attempt is counted. */
  | { readonly kind: "later"; readonly afterMs: number }
  /** It failed: its room waits with it. */
  | { readonly kind: "again"; readonly afterMs: number; readonly error: string }
  | { readonly kind: "dead"; readonly error: string }
  /** The right to speak ended meanwhile: nothing is settled, the next leader finds it in doubt. */
  | { readonly kind: "left" };

export interface ExecutorOptions {
  readonly unit: string;
  /** The one that is connected now. */
  readonly adapter: () => Adapter;
  readonly tenure: Tenure;
  readonly pacing: Pacing;
  /** Whether the connection can be asked or spoken through at this moment. */
  readonly ready: () => boolean;
  /** The service refused our credentials. */
  readonly onAuth: (error: string) => void;
  readonly messageIdOf: (actionId: string) => Promise<string | null>;
  /** For Actions that say nothing about it. */
  readonly inDoubt: "retry" | "drop";
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

export interface Attempted {
  readonly action: Action;
  /** How often it was tried or put off before. */
  readonly attempts: number;
  /** Since when it is unclear whether the service has it, ms since 1970. */
  readonly doubtSince: number | undefined;
  /** Aborts when nobody waits for the verdict any more. */
  readonly signal: AbortSignal;
}

/** The longest attempt; adapters should be done sooner. */
const ATTEMPT_MS = 30_000;
const AGAIN = { firstMs: 500, maxMs: 30_000 };
const ASK_AGAIN = { firstMs: 100, maxMs: 5_000 };
/** How long a reconcile may take to tell, the connection's absence included. */
const RECONCILE_MS = 60_000;
/** Repeats of an Action that stays unclear each time; more would be noise in the room. */
const UNCLEAR_MAX = 3;
const LEFT: Verdict = { kind: "left" };

export class Executor {
  readonly #options: ExecutorOptions;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Rejects only when Redis is away; then nothing was attempted. */
  async run(given: Attempted): Promise<Verdict> {
    const action = await this.#resolved(given.action);
    if (!action) return { kind: "dead", error: "what it refers to was never said, or too long ago" };
    let { doubtSince } = given;
    for (let unclear = 0; unclear < UNCLEAR_MAX; unclear++) {
      const cleared = doubtSince === undefined ? "say" : await this.#clear(action, doubtSince, given.signal);
      if (cleared !== "say") return cleared;
      const startedAt = this.#options.clock.now();
      const verdict = await this.#attempt(action, given, unclear);
      if (verdict !== "unclear") return verdict;
      // It stays claimed while it is unclear, so that a kill at any moment leaves it marked as in doubt.
      doubtSince = startedAt;
      await this.#options.clock.sleep(backoffMs(unclear, AGAIN, this.#options.random), given.signal);
      if (given.signal.aborted) return LEFT;
    }
    return { kind: "dead", error: "each attempt stayed unclear" };
  }

  /** Edits and reactions name the Action they mean; the service wants its own id of the message. */
  async #resolved(action: Action): Promise<Action | undefined> {
    if (action.op !== "edit" && action.op !== "react") return action;
    if (action.messageId !== undefined) return action;
    const messageId = action.ref === undefined ? null : await this.#options.messageIdOf(action.ref);
    return messageId === null ? undefined : { ...action, messageId };
  }

  async #attempt(action: Action, given: Attempted, unclear: number): Promise<Verdict | "unclear"> {
    const { adapter, pacing, tenure, unit, emit } = this.#options;
    if (!(await tenure.confirmed())) return LEFT;
    const buckets = adapter().buckets(action);
    const waitMs = pacing.waitMs(buckets);
    if (waitMs > 0) return { kind: "later", afterMs: waitMs };
    if (!tenure.held()) return LEFT;
    pacing.spend(buckets);
    const outcome = await this.#bounded(action, given.attempts + unclear, given.signal);
    if (outcome.ok) emit("action.done", { unit });
    if (outcome.ok) return done(action, outcome.messageId);
    if (outcome.kind !== "rateLimited")
      emit("action.failed", { unit, action: action.id, kind: outcome.kind, error: outcome.error });
    return this.#failed(outcome, { action, buckets, attempts: given.attempts });
  }

  #failed(
    outcome: Extract<ActionOutcome, { ok: false }>,
    about: { action: Action; buckets: readonly Bucket[]; attempts: number },
  ): Verdict | "unclear" {
    const { pacing, random, adapter, onAuth } = this.#options;
    const { error, retryAfterMs, scope } = outcome;
    const laterMs = backoffMs(about.attempts, AGAIN, random);
    switch (outcome.kind) {
      case "rateLimited":
        pacing.block(about.buckets, retryAfterMs ?? laterMs, scope);
        return { kind: "later", afterMs: retryAfterMs ?? laterMs };
      case "transient":
        return { kind: "again", afterMs: retryAfterMs ?? laterMs, error };
      case "auth":
        onAuth(error);
        return { kind: "again", afterMs: AGAIN.maxMs, error };
      case "permanent":
        return { kind: "dead", error };
      case "ambiguous":
        // Doing it twice does no harm, so there is no doubt to clear.
        if (adapter().idempotency === "key" || isRepeatable(about.action))
          return { kind: "again", afterMs: laterMs, error };
        return "unclear";
    }
  }

  async #bounded(action: Action, attempt: number, signal: AbortSignal): Promise<ActionOutcome> {
    const { adapter, clock } = this.#options;
    const answered = new AbortController();
    const late = clock
      .sleep(ATTEMPT_MS, answered.signal)
      .then((): ActionOutcome => ({ ok: false, kind: "ambiguous", error: `no outcome within ${ATTEMPT_MS} ms` }));
    try {
      return await Promise.race([adapter().execute(action, attempt, signal), late]);
    } catch (error) {
      // An adapter that throws says nothing about what it had sent before.
      return { ok: false, kind: "ambiguous", error: error instanceof Error ? error.message : String(error) };
    } finally {
      answered.abort();
    }
  }

  async #clear(action: Action, since: number, signal: AbortSignal): Promise<Verdict | "say"> {
    const { adapter, unit, emit, inDoubt } = this.#options;
    const decide = (result: string): void => emit("action.in-doubt", { unit, action: action.id, result });
    if (isRepeatable(action)) return "say";
    if (adapter().idempotency === "key") {
      decide("repeated under its key");
      return "say";
    }
    const known = await this.#ask(action, since, signal);
    if (signal.aborted) return LEFT;
    if (typeof known === "object" && known.ok) {
      decide("found");
      return done(action, known.messageId);
    }
    if (known === "absent") {
      decide("absent");
      return "say";
    }
    const drop = (action.inDoubt ?? inDoubt) === "drop";
    decide(drop ? "dropped" : "said again");
    return drop ? { kind: "done" } : "say";
  }

  /** Asks the service, for a while also one that cannot be asked at this moment. */
  async #ask(action: Action, since: number, signal: AbortSignal): Promise<ActionOutcome | "absent" | "unknown"> {
    const { adapter, clock, ready, random } = this.#options;
    if (!adapter().reconcile) return "unknown";
    const until = clock.monotonic() + RECONCILE_MS;
    for (let tries = 0; clock.monotonic() < until && !signal.aborted; tries++) {
      const asked = ready() ? adapter().reconcile?.(action, since) : undefined;
      const known = (await asked?.catch(() => "unknown" as const)) ?? "unknown";
      if (known !== "unknown" && (known === "absent" || known.ok)) return known;
      if (ready() && known === "unknown") return known;
      await clock.sleep(backoffMs(tries, ASK_AGAIN, random), signal);
    }
    return "unknown";
  }
}

function done(action: Action, messageId: string | undefined): Verdict {
  if (action.op !== "send" || messageId === undefined) return { kind: "done" };
  return { kind: "done", said: { actionId: action.id, messageId } };
}

/** Once or twice makes no difference. */
function isRepeatable(action: Action): boolean {
  return action.op !== "send";
}
