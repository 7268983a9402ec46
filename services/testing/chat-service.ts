// A chat service other than the web chat, as a bot under test sees it: keeps every room's lines and is always there. Its
// adapter is as plain as can be; what stands before it (Lease, intake, outbox, executor) is real.

import { adapterKind } from "../adapters/index.ts";
import { FAKE } from "../adapters/fake/manifest.ts";
import { randomId } from "../runtime/ids.ts";
import type { Action } from "../sdk/action.ts";
import type { ActionOutcome, Adapter, AdapterManifest, Host } from "../sdk/adapter.ts";
import type { Room } from "../sdk/message.ts";
import type { Line } from "./lines.ts";

export interface SpokenThere {
  readonly id: string;
  /** The service's own ids. */
  readonly room: string;
  readonly user: string;
  readonly text: string;
  readonly thread?: string;
  readonly atMs: number;
}

interface Entry {
  line: Line;
  readonly actionId: string | undefined;
}

/** One unit: `slack` or `irc/libera`. */
export class ChatService {
  readonly unit: string;
  readonly manifest: AdapterManifest;
  readonly #entries: Entry[] = [];
  readonly #botName: string;
  readonly #ready = Promise.withResolvers<void>();
  #host: Host | undefined;

  constructor(unit: string, botName: string) {
    this.unit = unit;
    this.manifest = manifestOf(unit.split("/")[0] ?? unit);
    this.#botName = botName;
  }

  /** Resolves when a master is connected to it. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** In the order in which they were said. */
  get lines(): Line[] {
    return this.#entries.map(({ line }) => line);
  }

  /** The client that a master makes of it. */
  connect(): Adapter {
    const adapter: Adapter = {
      ...this.manifest,
      start: async (host) => {
        this.#host = host;
        host.state("ready");
        this.#ready.resolve();
      },
      promote: async () => {},
      stop: async () => {
        this.#host = undefined;
        return undefined;
      },
      buckets: () => [],
      execute: async (action) => this.#execute(action),
    };
    if (this.manifest.idempotency === "reconcile")
      adapter.reconcile = async (action) => this.#find(action.id) ?? "absent";
    return adapter;
  }

  /** Somebody says something; `again` tells the same event once more. Resolves when it is stored. */
  async hear(spoken: SpokenThere, again = false): Promise<void> {
    const { id, room, user, text, thread, atMs } = spoken;
    if (this.#host === undefined) throw new Error(`${this.unit}: the bot is not connected`);
    const inThread = thread === undefined ? {} : { thread };
    if (!again) {
      const line = { room: this.#room(room), from: user, text, ref: id, atMs, isBot: false, edits: [], reactions: [] };
      this.#entries.push({ line: { ...line, ...inThread }, actionId: undefined });
    }
    const message = {
      id,
      room: { id: room, kind: room === user ? "dm" : "channel" },
      user: { id: user, name: user, isBot: false, isSelf: false },
      text,
      mentionsBot: false,
      sentAt: atMs,
      ...inThread,
    } as const;
    const event = { id, adapter: this.manifest.name, unit: this.unit, at: atMs, replayed: again };
    const answer = await this.#host.intake([{ event: { ...event, type: "message", message }, dedupe: [id] }]);
    if (answer !== "ok") throw new Error(`${this.unit} could not say it: ${answer}`);
  }

  #execute(action: Action): ActionOutcome {
    switch (action.op) {
      case "send":
        return this.#find(action.id) ?? this.#say(action);
      case "edit":
        return this.#change(action, ({ text, edits }) => ({ text: action.text, edits: [...edits, text] }));
      case "react":
        return this.#change(action, ({ reactions }) => ({ reactions: [...reactions, action.emoji] }));
      default:
        return { ok: true };
    }
  }

  #say(action: Extract<Action, { op: "send" }>): ActionOutcome {
    const { id, text, thread, to } = action;
    const ref = randomId();
    const atMs = this.#host?.now() ?? 0;
    const line = { room: this.#room(action.room), from: this.#botName, text, ref, atMs, edits: [], reactions: [] };
    const extras = { ...(thread === undefined ? {} : { thread }), ...(to === undefined ? {} : { to }) };
    this.#entries.push({ line: { ...line, isBot: true, ...extras }, actionId: id });
    return { ok: true, messageId: ref };
  }

  #change(action: { readonly messageId?: string }, change: (line: Line) => Partial<Line>): ActionOutcome {
    const entry = this.#entries.find(({ line }) => line.ref === action.messageId);
    if (entry === undefined) return { ok: false, kind: "permanent", error: "there is no such message" };
    entry.line = { ...entry.line, ...change(entry.line) };
    return { ok: true };
  }

  /** Saying it once more does nothing. */
  #find(actionId: string): ActionOutcome | undefined {
    const entry = this.#entries.find((one) => one.actionId === actionId);
    return entry && { ok: true, messageId: entry.line.ref };
  }

  #room(id: string): Room {
    return `${this.unit}:${id}`;
  }
}

/** What is known of the service; one that Antiphon does not know can do what our fake one can. */
function manifestOf(name: string): AdapterManifest {
  try {
    return adapterKind(name).manifest;
  } catch {
    return { ...FAKE, name };
  }
}
