// The settings of IRC as its client wants them: of one network from the variables, or of several from the file.

import { AntiphonError } from "../../runtime/errors.ts";
import type { ChannelWish } from "./channels.ts";
import type { Address } from "./link.ts";
import type { Pace } from "./outgoing.ts";
import type { Identity } from "./registration.ts";
import type { Credentials } from "./sasl.ts";

export interface Network {
  readonly address: Address;
  readonly identity: Identity;
  readonly channels: readonly ChannelWish[];
  readonly pace: Pace;
  /** Silence after which the server is asked whether it is there. */
  readonly pingMs: number;
  /** Whether masters that do not lead are connected already. */
  readonly standby: boolean;
}

type Settings = Readonly<Record<string, unknown>>;

/** The parts of the units' names after `irc/`; "" where there is one network without a name. */
export function networkNames(settings: Settings): readonly string[] {
  const { networks, network } = settings;
  if (isTable(networks) && Object.keys(networks).length > 0) return Object.keys(networks);
  return [typeof network === "string" ? network : ""];
}

/** @throws AntiphonError CONFIG_INVALID when there is nothing to connect to */
export function networkOf(settings: Settings, name: string): Network {
  const { networks, ...common } = settings;
  const own = isTable(networks) ? networks[name] : undefined;
  // What a network does not set is as for all.
  const all: Settings = { ...common, ...(isTable(own) ? own : {}) };
  const host = textOf(all["host"]);
  if (host === undefined) throw new AntiphonError("CONFIG_INVALID", "IRC_HOST is missing.");
  const tls = all["tls"] !== false;
  const files = { caFile: textOf(all["tlsCa"]), certFile: textOf(all["tlsCert"]), keyFile: textOf(all["tlsKey"]) };
  const port = numberOf(all["port"], tls ? 6697 : 6667);
  return {
    address: { host, port, tls, ...defined(files) },
    identity: identityOf(all),
    channels: Array.isArray(all["channels"]) ? all["channels"].map((entry) => channelOf(String(entry))) : [],
    pace: { burst: numberOf(all["burst"], 4), lineMs: numberOf(all["lineMs"], 2_000) },
    pingMs: numberOf(all["pingMs"], 30_000),
    standby: all["standby"] !== false,
  };
}

function identityOf(all: Settings): Identity {
  const nick = textOf(all["nick"]) ?? "antiphon";
  const secret = textOf(all["password"]);
  const credentials = credentialsOf(all, nick);
  // Without SASL it is the server's, which many networks pass on to their services.
  const password = textOf(all["serverPassword"]) ?? (credentials ? undefined : secret);
  return {
    nick,
    username: textOf(all["username"]) ?? (nick.toLowerCase().replace(/[^a-z0-9]/g, "") || "antiphon"),
    realname: textOf(all["realname"]) ?? "Antiphon",
    ...defined({ password, credentials }),
  };
}

function credentialsOf(all: Settings, nick: string): Credentials | undefined {
  const account = textOf(all["account"]);
  if (all["sasl"] === "external") return { mechanism: "external", ...defined({ account }) };
  if (all["sasl"] !== "plain") return undefined;
  return { mechanism: "plain", account: account ?? nick, password: textOf(all["password"]) ?? "" };
}

/** `#ops`, or `#ops key`. */
function channelOf(entry: string): ChannelWish {
  const [name = "", key] = entry.trim().split(/\s+/);
  return key === undefined ? { name } : { name, key };
}

/** `exactOptionalPropertyTypes`: what is undefined is left out. */
function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function numberOf(value: unknown, preset: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : preset;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
