// REDIS_URL: standalone, Sentinel and Cluster, each with or without TLS, as typed parts.
//
//   redis://[[user]:password@]host[:port][/database]                                      rediss:// for TLS
//   redis+sentinel://[[user]:password@]host[:port],…/name[/database][?sentinelUsername=…&sentinelPassword=…]
//   redis+cluster://[[user]:password@]host[:port],…                                        rediss+… for TLS

import { AntiphonError } from "../runtime/errors.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Credentials {
  /** Absent: the server's default user. */
  readonly username?: string;
  readonly password: string;
}

interface Common {
  readonly tls: boolean;
  readonly credentials?: Credentials;
}

export type RedisUrl =
  | (Common & { readonly kind: "standalone"; readonly address: Address; readonly database: number })
  | (Common & {
      readonly kind: "sentinel";
      readonly sentinels: readonly Address[];
      /** What the Sentinels call the group of servers. */
      readonly name: string;
      readonly database: number;
      readonly sentinelCredentials?: Credentials;
    })
  | (Common & { readonly kind: "cluster"; readonly nodes: readonly Address[] });

const SHAPE = /^([a-z+]+):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?(#.*)?$/is;
const SCHEMES: Readonly<Record<string, { kind: RedisUrl["kind"]; tls: boolean }>> = {
  redis: { kind: "standalone", tls: false },
  rediss: { kind: "standalone", tls: true },
  "redis+sentinel": { kind: "sentinel", tls: false },
  "rediss+sentinel": { kind: "sentinel", tls: true },
  "redis+cluster": { kind: "cluster", tls: false },
  "rediss+cluster": { kind: "cluster", tls: true },
};
const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;

/** Throws CONFIG_INVALID with everything that is wrong. Passwords never appear in the message. */
export function parseRedisUrl(url: string): RedisUrl {
  const reading = new Reading(url);
  const parsed = reading.read();
  if (parsed === undefined || reading.problems.length > 0) {
    throw new AntiphonError("CONFIG_INVALID", `REDIS_URL: ${reading.problems.join("; ")}.`);
  }
  return parsed;
}

/** The number of the database, which channel names carry; 0 in a cluster, which has no other. */
export function databaseOf(url: string): number {
  const parsed = parseRedisUrl(url);
  return parsed.kind === "cluster" ? 0 : parsed.database;
}

/** One pass over a URL that gathers its problems instead of stopping at the first. */
class Reading {
  readonly problems: string[] = [];
  readonly #url: string;

  constructor(url: string) {
    this.#url = url.trim();
  }

  read(): RedisUrl | undefined {
    const match = SHAPE.exec(this.#url);
    const scheme = SCHEMES[match?.[1]?.toLowerCase() ?? ""];
    if (match === null || scheme === undefined) {
      this.problems.push(`it must begin with one of ${Object.keys(SCHEMES).join("://, ")}:// and name a host`);
      return undefined;
    }
    const [, , authority = "", path = "", query = "", fragment] = match;
    const at = authority.lastIndexOf("@");
    if (fragment !== undefined || (at < 0 && /@/.test(path + query))) {
      // Whatever stands where the host should be may be half a password: nothing of it is repeated.
      this.problems.push("in a password, / is written %2F, ? %3F and # %23; nothing else may hold a # or an @");
      return undefined;
    }
    const credentials = this.#credentials(authority.slice(0, Math.max(at, 0)));
    const common = { tls: scheme.tls, ...(credentials && { credentials }) };
    const hosts = authority.slice(at + 1);
    if (scheme.kind === "sentinel") return this.#sentinel(common, { hosts, path, query });
    if (query !== "") this.problems.push("it has parameters, but only Sentinel URLs take some");
    if (scheme.kind === "standalone") {
      const [address = { host: "", port: REDIS_PORT }, more] = this.#addresses(hosts, REDIS_PORT);
      if (more) this.problems.push("several hosts need redis+sentinel:// or redis+cluster://");
      return { kind: "standalone", ...common, address, database: this.#database(path) };
    }
    if (path !== "" && path !== "0") this.problems.push(`a cluster has no database but 0, not "${path}"`);
    return { kind: "cluster", ...common, nodes: this.#addresses(hosts, REDIS_PORT) };
  }

  #sentinel(common: Common, rest: { hosts: string; path: string; query: string }): RedisUrl {
    const [name = "", database = "", ...more] = rest.path.split("/");
    if (name === "") this.problems.push("the name of the Sentinel group is missing: redis+sentinel://host:port/name");
    if (more.length > 0) this.problems.push(`nothing may follow the database, not "/${more.join("/")}"`);
    const sentinelCredentials = this.#sentinelCredentials(new URLSearchParams(rest.query));
    return {
      kind: "sentinel",
      ...common,
      sentinels: this.#addresses(rest.hosts, SENTINEL_PORT),
      name: this.#decoded(name, "the name of the Sentinel group"),
      database: this.#database(database),
      ...(sentinelCredentials && { sentinelCredentials }),
    };
  }

  #sentinelCredentials(query: URLSearchParams): Credentials | undefined {
    for (const key of query.keys()) {
      if (key !== "sentinelUsername" && key !== "sentinelPassword")
        this.problems.push(`the parameter "${key}" is unknown`);
    }
    const username = query.get("sentinelUsername") ?? "";
    const password = query.get("sentinelPassword") ?? "";
    if (username !== "" && password === "") this.problems.push("sentinelUsername comes without sentinelPassword");
    if (password === "") return undefined;
    return { password, ...(username !== "" && { username }) };
  }

  #credentials(text: string): Credentials | undefined {
    if (text === "") return undefined;
    const colon = text.indexOf(":");
    const username = this.#decoded(colon < 0 ? text : text.slice(0, colon), "the user name");
    const password = colon < 0 ? "" : this.#decoded(text.slice(colon + 1), "the password");
    if (password === "" && username !== "") this.problems.push("the user name comes without a password");
    if (password === "") return undefined;
    return { password, ...(username !== "" && { username }) };
  }

  #addresses(text: string, defaultPort: number): Address[] {
    if (text === "") this.problems.push("the host is missing");
    return text.split(",").map((part) => this.#address(part.trim(), defaultPort));
  }

  #address(text: string, defaultPort: number): Address {
    const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]*))(?::(\d*))?$/i.exec(text);
    const host = match?.[1] ?? match?.[2] ?? "";
    const port = match?.[3] === undefined ? defaultPort : Number(match[3] || Number.NaN);
    if (text !== "" && host === "") this.problems.push(`"${text}" is no host (IPv6 is written [::1])`);
    else if (!(port >= 1 && port <= 65_535)) this.problems.push(`"${text}" has no port from 1 to 65535`);
    return { host, port };
  }

  #database(text: string): number {
    if (text === "") return 0;
    if (!/^\d{1,5}$/.test(text)) this.problems.push(`the database must be a number, not "${text}"`);
    return Number(text);
  }

  #decoded(text: string, what: string): string {
    try {
      return decodeURIComponent(text);
    } catch {
      this.problems.push(`${what} has a % that is not part of an escape such as %25`);
      return text;
    }
  }
}
