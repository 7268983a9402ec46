// What a proxy in front of us says, believed only of those that the settings name: from where a request comes, whether it
// came over https, and, where roles are given to its users and groups, who asks.

import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import type { ProxyHeaders, ProxyRole } from "../../config/access.ts";
import { isAtLeast, type Role } from "./roles.ts";

export interface ProxiesOptions {
  /** Addresses and networks. */
  readonly trusted: readonly string[];
  readonly headers: ProxyHeaders;
  /** None: no proxy says who somebody is. */
  readonly roles: readonly ProxyRole[];
}

export interface Named {
  readonly name: string;
  /** None: whoever it is may nothing. */
  readonly role: Role | undefined;
}

const HOPS_MAX = 32;
const NAME_CHARS_MAX = 256;
const GROUPS_MAX = 1_000;
// oxlint-disable-next-line no-control-regex -- That is what is looked for.
const NO_NAME = /[\u0000-\u001f\u007f-\u009f\ufffd]/;

export class Proxies {
  readonly #options: ProxiesOptions;
  readonly #trusted = new BlockList();

  constructor(options: ProxiesOptions) {
    this.#options = options;
    for (const network of options.trusted) {
      const [address = "", bits] = network.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (bits === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, Number(bits), family);
    }
  }

  isTrusted(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#trusted.check(address, family === 6 ? "ipv6" : "ipv4");
  }

  /** The address of whoever asked the first proxy that is trusted. */
  clientOf(request: IncomingMessage): string {
    const peer = peerOf(request);
    if (!this.isTrusted(peer)) return peer;
    const hops = valuesOf(request, "x-forwarded-for").join(",").split(",").slice(-HOPS_MAX);
    let client = peer;
    for (const hop of hops.toReversed()) {
      const address = plain(hop.trim());
      if (isIP(address) === 0) return client;
      client = address;
      if (!this.isTrusted(address)) return client;
    }
    return client;
  }

  isHttps(request: IncomingMessage): boolean {
    if ("encrypted" in request.socket && request.socket.encrypted === true) return true;
    if (!this.isTrusted(peerOf(request))) return false;
    // The last one is what the proxy next to us says.
    return valuesOf(request, "x-forwarded-proto").join(",").split(",").at(-1)?.trim().toLowerCase() === "https";
  }

  /** Undefined: no proxy that may says who it is. */
  namedBy(request: IncomingMessage): Named | undefined {
    const { roles, headers } = this.#options;
    if (roles.length === 0 || !this.isTrusted(peerOf(request))) return undefined;
    const [user, email, groups] = [headers.user, headers.email, headers.groups].map((name) => onlyOf(request, name));
    if (user === undefined || email === undefined || groups === undefined) return undefined;
    const name = email || user;
    if (name === "" || name.length > NAME_CHARS_MAX) return undefined;
    const names = { users: [user, email].filter((one) => one !== ""), groups: listed(groups) };
    return { name, role: roleOf(names, roles) };
  }
}

/** Of the socket; an IPv4 address as such, however it is written. */
export function peerOf({ socket }: IncomingMessage): string {
  return plain(socket.remoteAddress ?? "");
}

function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "").replace(/%.*$/, "");
}

function valuesOf(request: IncomingMessage, header: string): string[] {
  return request.headersDistinct[header] ?? [];
}

/** "": it is not there. Undefined: it was sent twice, as when a proxy adds its own to what a stranger sent, or is no name. */
function onlyOf(request: IncomingMessage, header: string): string | undefined {
  const values = valuesOf(request, header);
  if (values.length > 1) return undefined;
  const value = Buffer.from(values[0] ?? "", "latin1")
    .toString("utf8")
    .trim();
  return NO_NAME.test(value) ? undefined : value;
}

function listed(text: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "").slice(0, GROUPS_MAX);
}

interface Names {
  readonly users: readonly string[];
  readonly groups: readonly string[];
}

/** The strongest of the roles that this person has. */
function roleOf({ users, groups }: Names, roles: readonly ProxyRole[]): Role | undefined {
  const held = roles.filter(({ who, name }) => {
    if (who === "everybody") return true;
    return (who === "user" ? users : groups).includes(name);
  });
  return held.map(({ role }) => role).reduce<Role | undefined>(stronger, undefined);
}

function stronger(a: Role | undefined, b: Role): Role {
  return a !== undefined && isAtLeast(a, b) ? a : b;
}
