// Proving who we are before we are let in: SASL PLAIN (account and password) and EXTERNAL (the TLS certificate). Pure.

import type { Line } from "./line.ts";

export type Credentials =
  | { readonly mechanism: "plain"; readonly account: string; readonly password: string }
  | { readonly mechanism: "external"; readonly account?: string };

export interface SaslStep {
  readonly send: readonly string[];
  readonly outcome?: "done" | { readonly refused: string };
}

const CHUNK = 400;
const NOTHING: SaslStep = { send: [] };

/** `902` locked, `904` failed, `905` too long, `906` aborted, `908` other mechanisms only. */
const REFUSALS: readonly string[] = ["902", "904", "905", "906", "908"];

export class SaslExchange {
  readonly #credentials: Credentials;
  #answered = false;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  begin(): string[] {
    return [`AUTHENTICATE ${this.#credentials.mechanism.toUpperCase()}`];
  }

  heard(line: Line): SaslStep {
    const { command, params } = line;
    // The server asks once; a second question would be a mechanism that we do not speak.
    if (command === "AUTHENTICATE" && params[0] === "+" && !this.#answered) {
      this.#answered = true;
      return { send: chunks(this.#response()).map((chunk) => `AUTHENTICATE ${chunk}`) };
    }
    if (command === "AUTHENTICATE") return { send: ["AUTHENTICATE *"] };
    // 907: we are authenticated already.
    if (command === "903" || command === "907") return { send: [], outcome: "done" };
    if (REFUSALS.includes(command)) return { send: [], outcome: { refused: params.at(-1) ?? command } };
    return NOTHING;
  }

  #response(): string {
    const { account = "" } = this.#credentials;
    if (this.#credentials.mechanism === "external") return account;
    return `${account}\0${account}\0${this.#credentials.password}`;
  }
}

/** A last piece that is full is followed by an empty one. */
function chunks(response: string): string[] {
  const encoded = Buffer.from(response, "utf8").toString("base64");
  const pieces = encoded.match(new RegExp(`.{1,${CHUNK}}`, "g")) ?? [];
  return pieces.length === 0 || pieces.at(-1)?.length === CHUNK ? [...pieces, "+"] : pieces;
}
