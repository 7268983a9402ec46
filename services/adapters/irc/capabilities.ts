// The negotiation of IRCv3 capabilities: what the server has, what we ask for, what it grants. Pure: lines in, lines out.
//
//   asking ──LS──▶ requesting ──ACK or NAK of all──▶ settled        a server that knows no CAP never answers: settled from outside

import type { Line } from "./line.ts";

/** One of each inner list, the first that the server has. */
const WANTED: readonly (readonly string[])[] = [
  ["sasl"],
  ["server-time"],
  ["message-tags"],
  ["echo-message"],
  ["batch"],
  ["labeled-response"],
  ["account-tag"],
  ["chathistory", "draft/chathistory"],
  ["cap-notify"],
  ["chghost"],
];
/** Offers a server may make; more are not remembered. */
const OFFERS_MAX = 200;
const REQUEST_BYTES_MAX = 400;

export class Capabilities {
  readonly #offered = new Map<string, string>();
  readonly #enabled = new Set<string>();
  readonly #pending = new Set<string>();
  readonly #withoutSasl: boolean;
  #listed = false;

  constructor(options: { readonly sasl: boolean }) {
    this.#withoutSasl = !options.sasl;
  }

  has(name: string): boolean {
    return this.#enabled.has(name);
  }

  /** Whether the server offers it, and with which value. */
  offer(name: string): string | undefined {
    return this.#offered.get(name);
  }

  get enabled(): readonly string[] {
    return [...this.#enabled];
  }

  /** Every question is answered. */
  get settled(): boolean {
    return this.#listed && this.#pending.size === 0;
  }

  /** A line `CAP <us> <verb> [*] :<names>`; answers what to send. */
  heard({ params }: Line): string[] {
    const verb = (params[1] ?? "").toUpperCase();
    const isMore = params[2] === "*" && params.length > 3;
    const names = (params.at(-1) ?? "").split(" ").filter((name) => name !== "");
    switch (verb) {
      case "LS":
        this.#offer(names);
        if (isMore || this.#listed) return [];
        this.#listed = true;
        return this.#request();
      case "NEW":
        this.#offer(names);
        return this.#request();
      case "DEL":
        for (const name of names) {
          this.#offered.delete(name);
          this.#enabled.delete(name);
        }
        return [];
      case "ACK":
        for (const name of names) this.#granted(name);
        return [];
      case "NAK":
        return this.#refused(names);
      default:
        return [];
    }
  }

  #offer(names: readonly string[]): void {
    for (const name of names) {
      if (this.#offered.size >= OFFERS_MAX) return;
      const end = name.indexOf("=");
      this.#offered.set(end < 0 ? name : name.slice(0, end), end < 0 ? "" : name.slice(end + 1));
    }
  }

  #request(): string[] {
    const chosen = WANTED.flatMap((same) => same.find((name) => this.#offered.has(name)) ?? [])
      .filter((name) => !(name === "sasl" && this.#withoutSasl))
      .filter((name) => !this.#enabled.has(name) && !this.#pending.has(name));
    const lines: string[] = [];
    for (const name of chosen) {
      this.#pending.add(name);
      const last = lines.at(-1);
      if (last !== undefined && last.length + name.length < REQUEST_BYTES_MAX)
        lines[lines.length - 1] = `${last} ${name}`;
      else lines.push(`CAP REQ :${name}`);
    }
    return lines;
  }

  #granted(name: string): void {
    const plain = name.replace(/^[-~=]+/, "");
    this.#pending.delete(plain);
    if (name.startsWith("-")) this.#enabled.delete(plain);
    else this.#enabled.add(plain);
  }

  /** All of a request are refused together, so each is asked for alone once. */
  #refused(names: readonly string[]): string[] {
    if (names.length > 1) return names.map((name) => `CAP REQ :${name}`);
    for (const name of names) this.#pending.delete(name);
    return [];
  }
}
