// The fence log: what Redis accepted and refused under which epoch, when, and what in it must not be.
//
// Nothing in the product writes it: it is what the servers say by MONITOR that the scripts did.

import { Monitor, type ScriptCall } from "./monitor.ts";

/**
 * - `grant`: the Lease went to somebody, with a new epoch; `renewal`, `release` of the one who holds it.
 * - `accepted`: a call under that epoch passed its fence; `intake` if it stored resume state. `refused`: it did not pass.
 */
export type Deed = "grant" | "renewal" | "release" | "accepted" | "intake" | "refused";

export interface Entry {
  /** By the server's clock, ms since 1970. */
  readonly at: number;
  /** `{<namespace>:<shard>} <unit>` */
  readonly lease: string;
  readonly deed: Deed;
  readonly epoch: number;
  /** Of the server that did it. */
  readonly port: number;
}

type Told = Pick<Entry, "deed" | "epoch">;

const EPOCH = /"GET" "(\{[^"]+?\}):epoch:([^"]+)"/;
const COUNTED = /^"HINCRBY" "[^"]+" "fenced" /;
const LEASE = /"GET" "(\{[^"]+?\}):lease:([^"]+)"/;

export class FenceLog {
  readonly #monitors: Monitor[];
  readonly #entries = new Map<string, Entry[]>();
  readonly #grants = new Map<string, Entry[]>();
  /** Port and token, or token alone: who holds a Lease -> under which epoch. A deposed primary may grant with a token, too. */
  readonly #tokens = new Map<string, number>();

  /** Of the servers at these ports. */
  constructor(ports: readonly number[], host?: string) {
    this.#monitors = ports.map((port) => new Monitor(port, (call) => this.#take(call, port), host));
  }

  async start(): Promise<void> {
    await Promise.all(this.#monitors.map((monitor) => monitor.start()));
  }

  stop(): void {
    for (const monitor of this.#monitors) monitor.stop();
  }

  /** In the order of time. */
  of(lease: string): Entry[] {
    return (this.#entries.get(lease) ?? []).toSorted((a, b) => a.at - b.at);
  }

  /** The newest epoch that was granted; 0 before the first. */
  epoch(lease: string): number {
    return this.#grants.get(lease)?.at(-1)?.epoch ?? 0;
  }

  /** When a later epoch than this one was granted. */
  grantAfter(lease: string, epoch: number): Entry | undefined {
    return this.#grants.get(lease)?.find((grant) => grant.epoch > epoch);
  }

  /** When the first event was taken in under this epoch. */
  firstIntake(lease: string, epoch: number): Entry | undefined {
    const from =
      this.#entries.get(lease)?.findLastIndex((entry) => entry.deed === "grant" && entry.epoch === epoch) ?? 0;
    return this.#entries
      .get(lease)
      ?.slice(from)
      .find((entry) => entry.deed === "intake" && entry.epoch === epoch);
  }

  #take(call: ScriptCall, port: number): void {
    const { at, commands } = call;
    const looked = commands.findIndex((command) => EPOCH.test(command) || LEASE.test(command));
    const found = commands[looked]?.match(EPOCH) ?? commands[looked]?.match(LEASE);
    if (!found) return;
    const lease = `${found[1]} ${found[2]}`;
    const told = this.#deedOf({ ...call, port }, lease, looked);
    if (!told) return;
    const entry = { at, lease, port, ...told };
    listOf(this.#entries, lease).push(entry);
    if (told.deed === "grant") listOf(this.#grants, lease).push(entry);
  }

  #deedOf(call: ScriptCall & { readonly port: number }, lease: string, looked: number): Told | undefined {
    const { words, commands, port } = call;
    const granted = commands.map((command) => /^"SET" "[^"]+:epoch:[^"]+" "(\d+)"/.exec(command)?.[1]).find(Boolean);
    if (granted !== undefined) {
      const token = commands.map((command) => /^"SET" "[^"]+:lease:[^"]+" "([^"]+)"/.exec(command)?.[1]).find(Boolean);
      for (const holder of [`${port} ${token}`, token ?? ""]) this.#tokens.set(holder, Number(granted));
      return { deed: "grant", epoch: Number(granted) };
    }
    if (LEASE.test(commands[looked] ?? "")) {
      const did = (start: string): boolean => commands.some((command) => command.startsWith(start));
      const holder = words.split('"').find((word) => this.#tokens.has(word)) ?? "";
      const epoch = this.#tokens.get(`${port} ${holder}`) ?? this.#tokens.get(holder) ?? this.epoch(lease);
      if (did('"PEXPIRE"')) return { deed: "renewal", epoch };
      return did('"DEL"') ? { deed: "release", epoch } : undefined;
    }
    const epoch = this.#epochIn(words, lease);
    // A script whose fence refuses does nothing more but count that it did.
    if (commands.slice(looked + 1).every((command) => COUNTED.test(command))) return { deed: "refused", epoch };
    const isIntake = commands.some((command) => /^"HSET" "[^"]+:resume:/.test(command));
    return { deed: isIntake ? "intake" : "accepted", epoch };
  }

  /** Of the caller: its claimer is `<unit>:<epoch>`, or the epoch is an argument by itself. 0: it names none. */
  #epochIn(words: string, lease: string): number {
    const claimer = `${lease.slice(lease.indexOf(" ") + 1)}:`;
    const named = words.split('"').map((word) => (word.startsWith(claimer) ? word.slice(claimer.length) : word));
    const numbers = named.filter((word) => /^\d{13,}$/.test(word)).map(Number);
    const known = (number: number): boolean => this.#grants.get(lease)?.some(({ epoch }) => epoch === number) ?? false;
    return numbers.find(known) ?? numbers.at(-1) ?? 0;
  }
}

function listOf<V>(map: Map<string, V[]>, key: string): V[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}
