// One connection to a chat service, for as long as it is wanted: started, given rest where it would be a nuisance (wrong
// credentials, a second bot that uses them), started anew after that, and stopped.
//
// While it rests its state stays `failed`, whatever the adapter says of its own end.

import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Adapter, ConnState, ResumeState, StartOptions } from "../sdk/adapter.ts";
import type { Emit } from "../telemetry/events.ts";
import type { UnitHost } from "./host.ts";

export interface Opening {
  /** Read again at each start; undefined when it is not wanted any more. */
  options(): Promise<StartOptions | undefined>;
  /** After each start but the first. */
  again?(adapter: Adapter): Promise<void>;
  /** Whether a start that fails is tried again here; else it rejects, and the Lease goes back. */
  readonly isPatient: boolean;
}

export interface ConnectionOptions {
  readonly unit: string;
  readonly adapter: Adapter;
  /** Makes another one. */
  readonly create: () => Adapter | Promise<Adapter>;
  readonly host: (adapter: Adapter, onState: (state: ConnState, detail?: string) => void) => UnitHost;
  readonly onReady: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

/** After wrong credentials: whoever mends them starts the process again; a service that was only confused recovers. */
const REST = { firstMs: 60_000, maxMs: 900_000 };
const START_AGAIN = { firstMs: 500, maxMs: 30_000 };
/** So often another connection may take over within the time; then we give way. */
const EVICTIONS_MAX = 3;
const EVICTIONS_MS = 600_000;
const STOP_MS = 1_000;

export class Connection {
  readonly host: UnitHost;
  readonly #options: ConnectionOptions;
  readonly #ended = new AbortController();
  #adapter: Adapter;
  #opening: Opening | undefined;
  #state: ConnState = "idle";
  #detail = "";
  #isResting = false;
  /** Ends the wait for a start. */
  #giveUp: () => void = () => {};
  #rests = 0;
  #evictions: number[] = [];

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#adapter = options.adapter;
    this.host = options.host(options.adapter, (state, detail) => this.#heard(state, detail));
  }

  get adapter(): Adapter {
    return this.#adapter;
  }

  get state(): ConnState {
    return this.#state;
  }

  get detail(): string {
    return this.#detail;
  }

  /** Resolves when it is ready, when it rests, or when it is closed. */
  async open(opening: Opening): Promise<void> {
    this.#opening = opening;
    for (let failures = 0; !this.#ended.signal.aborted; failures++) {
      try {
        return await this.#start(opening);
      } catch (error) {
        if (!opening.isPatient) throw error;
        this.host.state("degraded", error instanceof Error ? error.message : String(error));
        const { clock, random } = this.#options;
        await clock.sleep(backoffMs(failures, START_AGAIN, random), this.#ended.signal);
      }
    }
  }

  /** The service does not accept us, and will not until somebody changes something. */
  fail(detail: string): void {
    if (!this.#isResting) this.host.state("failed", detail);
  }

  async close(how: "handover" | "shutdown" | "fenced", deadlineMs: number): Promise<ResumeState | undefined> {
    this.#ended.abort();
    this.#giveUp();
    this.#options.emit("adapter.closed", { unit: this.#options.unit });
    return this.#adapter.stop(how, deadlineMs);
  }

  async #start(opening: Opening): Promise<void> {
    const options = await opening.options();
    if (options === undefined || this.#ended.signal.aborted) return;
    const givenUp = new Promise<void>((resolve) => (this.#giveUp = resolve));
    const started = this.#adapter.start(this.host, options);
    try {
      await Promise.race([started, givenUp]);
    } catch (error) {
      if (!this.#isResting && !this.#ended.signal.aborted) throw error;
    }
    started.catch(() => {}); // it was given up
  }

  #heard(state: ConnState, detail = ""): void {
    if (this.#isResting) return;
    this.#state = state;
    this.#detail = detail;
    if (state === "ready") this.#options.onReady();
    if (state === "evicted") this.#evicted();
    if (state === "failed") this.#rest();
  }

  /** Our own successor is no nuisance: it evicts nobody who leads. */
  #evicted(): void {
    const { clock, unit } = this.#options;
    if (this.host.tenure?.held() === false) return;
    const now = clock.monotonic();
    this.#evictions = [...this.#evictions.filter((at) => now - at < EVICTIONS_MS), now];
    if (this.#evictions.length < EVICTIONS_MAX) return;
    this.#evictions = [];
    this.host.state(
      "failed",
      `Another process keeps taking over ${unit} with the same credentials. Is a second bot running with them, in another namespace or Redis?`,
    );
  }

  #rest(): void {
    const { clock, random, emit, unit } = this.#options;
    this.#isResting = true;
    this.#giveUp();
    const old = this.#adapter;
    const again = async (): Promise<void> => {
      await old.stop("shutdown", STOP_MS).catch(() => undefined);
      await clock.sleep(backoffMs(this.#rests++, REST, random), this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      this.#adapter = await this.#options.create();
      this.#isResting = false;
      const opening = this.#opening;
      if (opening === undefined) return;
      await this.open({ ...opening, isPatient: true });
      await opening.again?.(this.#adapter);
    };
    again().catch((error: unknown) => {
      emit("part.failed", { part: unit, error });
      if (!this.#ended.signal.aborted) this.fail("it could not be made anew");
    });
  }
}
