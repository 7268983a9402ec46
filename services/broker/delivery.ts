// What waits in the broker: its life, its element (retry state), its envelope (what a producer wrote).
//
//   enqueue ─▶ waiting ─take─▶ claimed ─settle─▶ done | discarded
//                ▲  ▲             │
//     due, answer│  │             ├─ retry (block: keeps its key's head; skip: rejoins at the tail), wait ─▶ delayed
//                │  └─ release,   ├─ dead ─▶ dead letter
//                │     reap ──────┘
//             delayed
//
// Promised: what an enqueue answered is in Redis until it is settled; deliveries of one ordering key are claimed one run
// at a time, in order; a run that lost its claim writes nothing. Not promised: that a handler runs only once.

/** Priority class: 0 is served first most of the time, 3 last; none starves (weights 8:4:2:1). */
export type PriorityClass = 0 | 1 | 2 | 3;
export const DEFAULT_CLASS: PriorityClass = 1;

/** The route number of a Message that no worker has matched yet. */
export const UNMATCHED = 0;

/** Retry state travels in the element, so there is no record per delivery beyond its body. */
export interface Element {
  readonly class: PriorityClass;
  /** Decimal; `publicId()` gives the form people see. */
  readonly id: string;
  /** Failures of the handler. Hand-backs, drains and lost processes are not counted. */
  readonly attempts: number;
  /** Reaps as a suspect and deaths in quarantine; see `verdictOf`. */
  readonly crashes: number;
  /** Number of the route in the registry. */
  readonly route: number;
}

export function encodeElement(e: Element): string {
  return `${e.class}:${e.id}:${e.attempts}:${e.crashes}:${e.route}`;
}

/** Of what is no number, as in an element that something else wrote, the beginning: it runs as if it had never failed. */
export function decodeElement(text: string): Element {
  const [cls, id, attempts, crashes, route] = text.split(":");
  return {
    class: (Number(cls) || (cls === "0" ? 0 : DEFAULT_CLASS)) as PriorityClass,
    id: id ?? "",
    attempts: Number(attempts) || 0,
    crashes: Number(crashes) || 0,
    route: Number.parseInt(route ?? "", 10) || UNMATCHED,
  };
}

/** What a delivery's crashes mean. A reap while in quarantine adds 10, every other crash 1. */
export function verdictOf(crashes: number): "run" | "quarantine" | "dead" {
  if (crashes % 10 >= 3 || crashes >= 100) return "dead";
  return crashes % 10 >= 2 ? "quarantine" : "run";
}

/** When a delivery was enqueued, ms since 1970 by the server's clock: its number was drawn from that clock, in µs. */
export function enqueuedAtMs(id: string): number {
  return Math.floor(Number(id) / 1000);
}

/** When a delivery was claimed, likewise: from its claim fence. */
export function claimedAtMs(fence: string): number {
  return Math.floor(Number(fence) / 1000);
}

export type Kind = "message" | "webhook" | "event" | "job" | "cron";

/** The newest version of the envelope that this release reads and writes. */
export const ENVELOPE_VERSION = 1;

/** What a producer says about a delivery. When it was enqueued is in its id: `enqueuedAtMs`. */
export interface EnvelopeHeader {
  readonly v: 1;
  readonly kind: Kind;
  /** The origin id, where it is not the delivery's own. */
  readonly origin?: string;
  /** Who caused it, e.g. `web:guest`: for groups and for the audit. */
  readonly by?: string;
  /** Whoever took the event in knew that person as an admin. */
  readonly admin?: true;
  /** The route's id, e.g. `deploy.ship`; absent in a Message that is not matched yet. */
  readonly route?: string;
  /** Its ordering key and, of a job, its class, where they are not the default. What moves it needs them. */
  readonly key?: string;
  readonly class?: PriorityClass;
  /** Of a Message that is retried: only these routes run. */
  readonly only?: readonly string[];
  /** Of a Message that is retried: failures of these routes before this delivery. */
  readonly tries?: number;
  /** What middleware around the enqueue gave it, for middleware around the run. */
  readonly meta?: Readonly<Record<string, string>>;
  /** It is not begun later than so many ms after it was enqueued, nor after `notAfter`, ms since 1970. */
  readonly ttl?: number;
  readonly notAfter?: number;
  /** How long what came of it is kept, ms. */
  readonly result?: number;
  /** Labels, to be looked for. */
  readonly tags?: readonly string[];
  /** Of a webhook. */
  readonly request?: RequestHead;
  /** Which span made it, as W3C writes it: see telemetry/carrier.ts. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** It was made together with others, so its run is no part of that trace but linked to it. */
  readonly traceLink?: true;
}

export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** Without the question mark. */
  readonly search: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly params: Readonly<Record<string, string>>;
}

const LETTERS = { message: "m", webhook: "w", event: "e", job: "j", cron: "c" } as const;
const KINDS = new Map<string, Kind>(Object.entries(LETTERS).map(([kind, letter]) => [letter, kind as Kind]));

/**
 * What comes before the payload: `<version><letter of the kind><route>`, then JSON of all else there is to say, and a
 * newline, which neither holds. A plain job's is `1jdeploy.ship`: every byte of it is paid for a million times.
 */
function headText({ v, kind, route = "", ...rest }: EnvelopeHeader): string {
  return `${v}${LETTERS[kind]}${route}${restText(rest)}\n`;
}

export function envelopeHead(header: EnvelopeHeader): Buffer {
  return Buffer.from(headText(header));
}

function restText(rest: object): string {
  for (const _ in rest) return JSON.stringify(rest);
  return "";
}

/** What a producer wrote: bytes, or the text whose UTF-8 they are, which is cheaper on its way to Redis. */
export type Envelope = Buffer | string;

export function encodeEnvelope(header: EnvelopeHeader, payload: string): string;
export function encodeEnvelope(header: EnvelopeHeader, payload: Uint8Array | string): Envelope;
export function encodeEnvelope(header: EnvelopeHeader, payload: Uint8Array | string): Envelope {
  return typeof payload === "string" ? headText(header) + payload : Buffer.concat([envelopeHead(header), payload]);
}

const HEAD = /^(\d+)(\w)([^{]*)(\{.*)?$/;

/** Of a version that is not known here only that version is told. Throws when it is no envelope. */
export function decodeEnvelope(bytes: Buffer): { header: EnvelopeHeader; payload: Buffer } {
  const end = bytes.indexOf(0x0a);
  const [, version, letter = "", route = "", rest] = HEAD.exec(bytes.toString("utf8", 0, Math.max(0, end))) ?? [];
  if (version === undefined) throw new Error("no envelope");
  const payload = bytes.subarray(end + 1);
  if (version !== "1") return { header: { v: Number(version) } as unknown as EnvelopeHeader, payload };
  const kind = KINDS.get(letter);
  if (kind === undefined) throw new Error(`an envelope of no known kind: ${letter}`);
  const more = rest === undefined ? {} : (JSON.parse(rest) as object);
  return { header: { v: 1, kind, ...(route !== "" && { route }), ...more }, payload };
}
