// The main thread's pulse, in memory that it shares with the HTTP thread: so the health checks answer while main is silent.
//
// Float64, one number each; only main writes, the HTTP thread only reads:
//   [0] tickAtMs    when main's loop last ran (each 250 ms), ms since 1970; 0 = not yet
//   [1] beatAtMs    when Redis last accepted a beat for every queue; 0 = never
//   [2] redis       index in REDIS_STATES
//   [3] phase       index in PHASES
//   [4] contactAtMs first contact with Redis; 0 = never (`/readyz?serving` is 200 from then until the phase is draining)
//   [5] slots       deliveries that may run at once     [6] busy  slots that are taken

export const REDIS_STATES = ["connecting", "ready", "away", "unfit"] as const;
export type RedisState = (typeof REDIS_STATES)[number];

/** starting: threads load handlers. running: takes deliveries. draining: SIGTERM came. */
export const PHASES = ["starting", "running", "draining"] as const;
export type Phase = (typeof PHASES)[number];

export interface PulseReading {
  readonly tickAtMs: number;
  readonly beatAtMs: number;
  readonly redis: RedisState;
  readonly phase: Phase;
  readonly contactAtMs: number;
  readonly slots: number;
  readonly busy: number;
}

const FIELDS = 7;

export class Pulse {
  readonly memory: SharedArrayBuffer;
  readonly #fields: Float64Array;

  constructor(memory = new SharedArrayBuffer(FIELDS * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#fields = new Float64Array(memory);
  }

  tick(nowMs: number, { slots, busy }: { slots: number; busy: number }): void {
    this.#fields[0] = nowMs;
    this.#fields[5] = slots;
    this.#fields[6] = busy;
  }

  beat(nowMs: number): void {
    this.#fields[1] = nowMs;
  }

  redis(state: RedisState, nowMs: number): void {
    this.#fields[2] = REDIS_STATES.indexOf(state);
    if (state === "ready" && this.#fields[4] === 0) this.#fields[4] = nowMs;
  }

  phase(phase: Phase): void {
    this.#fields[3] = PHASES.indexOf(phase);
  }

  read(): PulseReading {
    const [tickAtMs = 0, beatAtMs = 0, redis = 0, phase = 0, contactAtMs = 0, slots = 0, busy = 0] = this.#fields;
    const words = { redis: REDIS_STATES[redis] ?? "connecting", phase: PHASES[phase] ?? "starting" };
    return { tickAtMs, beatAtMs, ...words, contactAtMs, slots, busy };
  }
}
