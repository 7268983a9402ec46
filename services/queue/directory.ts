// Which route does a job: what the workers registered, remembered here and read again when a name is not known yet.

import { type BrokerContext, translate } from "../broker/connection.ts";
import { type JobPlace, readJobPlaces, readJobs, readRoutes } from "../broker/routes.ts";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { suggestion } from "../runtime/suggest.ts";
import type { Job } from "../sdk/context.ts";
import type { Schema } from "../sdk/infer.ts";

export interface KnownJob {
  /**
   * Where only the name is known: a job whose schema takes anything, because the worker checks the input, and whose
   * deliveries wait in the queue that its contract names.
   */
  readonly job: Job;
  readonly route: { readonly id: string; readonly number: number };
}

/** A name that nobody knows is looked up no more often. */
const READ_AGAIN_MS = 1000;
/** A deploy may give a job to another route. */
const REFRESH_MS = 10_000;

export class Directory {
  readonly #context: BrokerContext;
  readonly #clock: Clock;
  #numbers: ReadonlyMap<string, number> = new Map();
  #routes: ReadonlyMap<string, string> = new Map();
  #jobs: ReadonlyMap<string, string> = new Map();
  #places: ReadonlyMap<string, JobPlace> = new Map();
  #reading: Promise<void> | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: BrokerContext, clock: Clock) {
    this.#context = context;
    this.#clock = clock;
  }

  /** By a contract, a job's name or a route's id. @throws AntiphonError ROUTE_UNKNOWN when no worker ever had it */
  async find(job: Job | string): Promise<KnownJob> {
    const known = this.#find(job);
    if (known !== undefined) {
      this.#refresh();
      return known;
    }
    if (this.#clock.monotonic() - this.#readAtMs > READ_AGAIN_MS) await this.#read();
    const found = this.#find(job);
    if (found !== undefined) return found;
    const name = typeof job === "string" ? job : job.name;
    const names = [...this.#routes.keys(), ...(typeof job === "string" ? this.#numbers.keys() : [])];
    throw new AntiphonError("ROUTE_UNKNOWN", `${name}: no worker has had it yet.${suggestion(name, names)}`);
  }

  /** The id of the route with this number. */
  async routeOf(number: number): Promise<string | undefined> {
    for (const [id, known] of this.#numbers) if (known === number) return id;
    await this.#read();
    for (const [id, known] of this.#numbers) if (known === number) return id;
    return undefined;
  }

  /** The number of the route with this id, read anew: a Redis that came back empty gave out others. @throws AntiphonError ROUTE_UNKNOWN */
  async numberOf(id: string): Promise<number> {
    await this.#read();
    const number = this.#numbers.get(id);
    if (number !== undefined) return number;
    throw new AntiphonError("ROUTE_UNKNOWN", `${id}: no worker has had it yet.${suggestion(id, this.#numbers.keys())}`);
  }

  /** Until the answer is there, what was known before is used. */
  #refresh(): void {
    if (this.#clock.monotonic() - this.#readAtMs <= REFRESH_MS) return;
    this.#readAtMs = this.#clock.monotonic();
    void this.#read().catch(() => {}); // away: tried again in as long
  }

  #find(job: Job | string): KnownJob | undefined {
    const name = typeof job === "string" ? (this.#jobs.get(job) ?? job) : job.name;
    const id = this.#routes.get(name) ?? (typeof job === "string" ? job : undefined);
    const number = id === undefined ? undefined : this.#numbers.get(id);
    if (id === undefined || number === undefined) return undefined;
    const named = { kind: "job", name, input: ANYTHING, ...this.#places.get(name) } as const;
    return { job: typeof job === "string" ? named : job, route: { id, number } };
  }

  /** Once at a time, whoever asks. */
  #read(): Promise<void> {
    const context = this.#context;
    this.#reading ??= Promise.all([readRoutes(context), readJobs(context), readJobPlaces(context)])
      .then(([routes, jobs, places]) => {
        this.#places = places;
        this.#numbers = new Map([...routes].map(([number, id]) => [id, number]));
        this.#routes = jobs;
        this.#jobs = new Map([...jobs].map(([name, id]) => [id, name]));
        this.#readAtMs = this.#clock.monotonic();
      })
      .catch((error: unknown) => {
        throw translate(error);
      })
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }
}

const ANYTHING: Schema = {
  "~standard": { version: 1, vendor: "antiphon", validate: (value) => ({ value }) },
};
