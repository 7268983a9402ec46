// What a server says of itself (numeric 005): its limits and its notion of names. Pure.

import { fold } from "./casemap.ts";

const SIZES = { NICKLEN: 9, LINELEN: 512, CHATHISTORY: 0, TOPICLEN: 390 } as const;
const TOKENS_MAX = 200;

export class Isupport {
  readonly #tokens = new Map<string, string>();

  /** The parameters of one 005: our nick first, a sentence last. */
  read(params: readonly string[]): void {
    for (const token of params.slice(1, -1)) {
      const [name = "", ...rest] = token.split("=");
      if (name.startsWith("-")) this.#tokens.delete(name.slice(1));
      else if (name !== "" && (this.#tokens.size < TOKENS_MAX || this.#tokens.has(name)))
        this.#tokens.set(name, unescape(rest.join("=")));
    }
  }

  /** Whether a server has told anything. */
  get known(): boolean {
    return this.#tokens.size > 0;
  }

  has(name: string): boolean {
    return this.#tokens.has(name);
  }

  text(name: string): string | undefined {
    return this.#tokens.get(name);
  }

  /** A number within reason, else what the protocol says of old. */
  size(name: keyof typeof SIZES): number {
    const value = Number(this.#tokens.get(name));
    return Number.isInteger(value) && value > 0 && value <= 65_536 ? value : SIZES[name];
  }

  fold(name: string): string {
    return fold(name, this.#tokens.get("CASEMAPPING") ?? "rfc1459");
  }

  isSame(one: string, other: string): boolean {
    return this.fold(one) === this.fold(other);
  }

  /** Also with a sign before it, as in `@#ops` for the operators of #ops. */
  isChannel(target: string): boolean {
    const types = this.#tokens.get("CHANTYPES") ?? "#&";
    const first = target.charAt(0);
    if (first !== "" && types.includes(first)) return true;
    const isPart = first !== "" && (this.#tokens.get("STATUSMSG") ?? "").includes(first);
    return isPart && target.length > 1 && types.includes(target.charAt(1));
  }
}

function unescape(value: string): string {
  return value.replace(/\\x([0-9a-fA-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
