// `antiphon audit`: who changed what, when, and what came of it.

import type { Audit, Entry } from "../admin/audit.ts";
import { backoffMs } from "../runtime/backoff.ts";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { askRedis } from "./ask-redis.ts";
import { auditOf } from "./audited.ts";
import { columns, type Command } from "./command.ts";
import { countOf } from "./option-values.ts";

const LIMIT_MAX = 10_000;
const PAGE = 200;
const LOOK_MS = 1_000;
const RETRY = { firstMs: 500, maxMs: 10_000 };
const DAY_MS = 86_400_000;
/** A timer cannot last longer than 24 days. */
const STAY_MS = 20 * DAY_MS;

export const audit: Command = {
  name: "audit",
  help: "Lists changes by operators, through the dashboard, its API or commands: the newest last. Needs REDIS_URL.",
  options: {
    limit: { type: "string", value: "N", help: "at most so many (50)" },
    follow: { type: "boolean", help: "goes on with what happens from now on, until Ctrl-C" },
    json: { type: "boolean", help: "an object a line" },
  },
  async run({ readConfig, options, print, stopping }) {
    const limit = countOf(options, "limit", LIMIT_MAX) ?? 50;
    const config = await readConfig("tool");
    const line = options["json"] === true ? (entry: Entry) => JSON.stringify(entry) : shown;
    const look = <T>(what: (log: Audit) => Promise<T>, ms?: number): Promise<T> =>
      askRedis(config, (client, keys) => what(auditOf({ config, client, keys })), ms);
    const tell = (entry: Entry): void => print(line(entry));
    if (options["follow"] !== true) {
      for (const entry of (await look((log) => newest(log, limit))).toReversed()) tell(entry);
      return 0;
    }
    const following = new Following({ limit, clock: systemClock, stopping, tell });
    while (!stopping.aborted) await look((log) => following.of(log), STAY_MS + DAY_MS);
    return 0;
  },
};

async function newest(log: Audit, limit: number, known?: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  let before: string | undefined;
  do {
    const page = await log.list({
      limit: Math.min(PAGE, limit - entries.length),
      ...(before !== undefined && { before }),
    });
    for (const entry of page.items) {
      if (entry.id === known) return entries;
      entries.push(entry);
    }
    before = page.cursor;
  } while (before !== undefined && entries.length < limit);
  return entries;
}

interface FollowingOptions {
  /** To begin with. */
  readonly limit: number;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  readonly tell: (entry: Entry) => void;
}

/** A Redis that is away is waited for: what was changed meanwhile comes then. */
class Following {
  readonly #options: FollowingOptions;
  #known: string | undefined;

  constructor(options: FollowingOptions) {
    this.#options = options;
  }

  /** Until it is stopped, or for some days. */
  async of(log: Audit): Promise<void> {
    const { clock, stopping } = this.#options;
    const end = clock.monotonic() + STAY_MS;
    for (let failures = 0; !stopping.aborted && clock.monotonic() < end;) {
      failures = await this.#look(log).then(
        () => 0,
        (error: unknown) => this.#failed(error, failures),
      );
      await clock.sleep(failures === 0 ? LOOK_MS : backoffMs(failures, RETRY, Math.random), stopping);
    }
  }

  async #look(log: Audit): Promise<void> {
    const { limit, tell } = this.#options;
    const entries = await newest(log, this.#known === undefined ? limit : LIMIT_MAX, this.#known);
    for (const entry of entries.toReversed()) tell(entry);
    this.#known = entries[0]?.id ?? this.#known ?? "0-0";
  }

  #failed(error: unknown, failures: number): number {
    if (this.#known === undefined) throw error;
    return failures + 1;
  }
}

function shown({ at, who, way, from, action, target, outcome, status }: Entry): string {
  const came = outcome === "done" ? "" : status === 0 ? outcome : `${outcome} (${status})`;
  return columns([[at, `${who} (${way}, ${from})`, action, plain(target), came]]).trim();
}

/** What people sent must not steer a terminal. */
function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- That is what is taken out.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "�");
}
