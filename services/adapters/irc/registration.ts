// The way into a network: capabilities, SASL, nick and name, until the server has welcomed us and told its limits.
// Pure: lines in, lines out and in the end an outcome.
//
//   CAP LS, PASS, NICK, USER ──▶ negotiating ──▶ authenticating ──CAP END──▶ welcomed (001) ──376 or 422──▶ in
//                                     └───────── a refusal at any moment ──────────▶ out

import { Capabilities } from "./capabilities.ts";
import { Isupport } from "./isupport.ts";
import { formatLine, type Line } from "./line.ts";
import { nextNick } from "./nick.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import { type Credentials, SaslExchange } from "./sasl.ts";

export interface Identity {
  readonly nick: string;
  /** Asked for first, when the nick is another's for the time being. */
  readonly firstNick?: string;
  readonly username: string;
  readonly realname: string;
  /** Of the server (PASS), not of an account. */
  readonly password?: string;
  readonly credentials?: Credentials;
}

/** What is known at the end. */
export interface Welcome {
  readonly nick: string;
  readonly capabilities: Capabilities;
  readonly isupport: Isupport;
  /** The account that we are logged in to. */
  readonly account: string | undefined;
}

export interface Step {
  readonly send: readonly string[];
  readonly outcome?: { readonly welcome: Welcome } | { readonly refusal: Refusal };
}

const NOTHING: Step = { send: [] };
/** Names tried before giving up for this time. */
const NICKS_MAX = 20;

export class Registration {
  readonly #identity: Identity;
  readonly #capabilities: Capabilities;
  readonly #isupport = new Isupport();
  #nick: string;
  #nicks = 0;
  #sasl: SaslExchange | undefined;
  /** CAP END was sent, or the server knows no CAP. */
  #negotiated = false;
  #authenticated = false;
  #welcomed = false;
  #account: string | undefined;

  constructor(identity: Identity) {
    this.#identity = identity;
    this.#nick = identity.firstNick ?? identity.nick;
    this.#capabilities = new Capabilities({ sasl: identity.credentials !== undefined });
  }

  begin(): string[] {
    const { password, username, realname } = this.#identity;
    return [
      "CAP LS 302",
      ...(password === undefined ? [] : [formatLine("PASS", [password])]),
      formatLine("NICK", [this.#nick]),
      formatLine("USER", [username, "0", "*", realname]),
    ];
  }

  heard(line: Line): Step {
    const refusal = refusalOf(line);
    if (refusal) return { send: [], outcome: { refusal } };
    switch (line.command) {
      case "PING":
        return { send: [formatLine("PONG", line.params.slice(-1))] };
      case "CAP":
        return this.#negotiate(this.#capabilities.heard(line));
      case "900":
        this.#account = line.params[2];
        return NOTHING;
      case "001":
        this.#welcomed = true;
        this.#nick = line.params[0] ?? this.#nick;
        return NOTHING;
      case "005":
        this.#isupport.read(line.params);
        return NOTHING;
      case "376":
      case "422":
        return this.#welcomed ? this.#in() : NOTHING;
      case "432":
      case "433":
      case "436":
      case "437":
        return this.#otherNick(line);
      default:
        return this.#authenticate(line);
    }
  }

  #negotiate(send: string[]): Step {
    if (this.#negotiated || !this.#capabilities.settled || send.length > 0) return { send };
    const { credentials } = this.#identity;
    if (!credentials) return this.#end();
    if (this.#sasl) return { send };
    const offered = this.#capabilities.offer("sasl");
    const mechanism = credentials.mechanism.toUpperCase();
    if (!this.#capabilities.has("sasl")) {
      // After a split the services may be away for a while, so this is no refusal of ours.
      return { send: [], outcome: { refusal: { kind: "lost", detail: "the server offers no SASL at this moment" } } };
    }
    if (offered !== undefined && offered !== "" && !offered.split(",").includes(mechanism)) {
      const detail = `the server has no SASL ${mechanism}, only ${offered}`;
      return { send: [], outcome: { refusal: { kind: "credentials", detail } } };
    }
    this.#sasl = new SaslExchange(credentials);
    return { send: this.#sasl.begin() };
  }

  #authenticate(line: Line): Step {
    if (!this.#sasl || this.#authenticated) return NOTHING;
    const { send, outcome } = this.#sasl.heard(line);
    if (outcome === undefined) return { send };
    if (outcome !== "done") {
      const detail = `SASL ${this.#identity.credentials?.mechanism.toUpperCase()}: ${outcome.refused}`;
      return { send, outcome: { refusal: { kind: "credentials", detail } } };
    }
    this.#authenticated = true;
    this.#account ??= this.#identity.credentials?.account ?? this.#identity.nick;
    return this.#end();
  }

  #end(): Step {
    this.#negotiated = true;
    return { send: ["CAP END"] };
  }

  /** Somebody has it, our own ghost perhaps: first in under another name, then see. */
  #otherNick({ command, params }: Line): Step {
    if (this.#welcomed) return NOTHING;
    if (++this.#nicks > NICKS_MAX)
      return { send: [], outcome: { refusal: { kind: "lost", detail: "no nick is to be had" } } };
    if (command === "432" && this.#nick.length <= 9) {
      const detail = `the nick ${this.#nick} is not allowed: ${params.at(-1) ?? ""}`;
      return { send: [], outcome: { refusal: { kind: "credentials", detail } } };
    }
    // 432 for a long one: before its welcome a server does not tell how long they may be.
    const lengthMax = command === "432" ? 9 : this.#nick.length > 9 ? 30 : 9;
    this.#nick = nextNick(this.#identity.nick, this.#nicks - (command === "432" ? 1 : 0), lengthMax);
    return { send: [formatLine("NICK", [this.#nick])] };
  }

  #in(): Step {
    const { credentials } = this.#identity;
    if (credentials && !this.#authenticated)
      return { send: [], outcome: { refusal: { kind: "lost", detail: "the server let us in without SASL" } } };
    const welcome = {
      nick: this.#nick,
      capabilities: this.#capabilities,
      isupport: this.#isupport,
      account: this.#account,
    };
    return { send: [], outcome: { welcome } };
  }
}
