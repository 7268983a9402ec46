// How the settings say who may use the dashboard and its API: tokens with names and roles, and proxies that may be believed.

import { isIP } from "node:net";
import { type Kind, list, text, wholeNumber } from "./kinds.ts";
import { always, type Rows } from "./row.ts";

/** What somebody may: look; also change what runs; also what concerns the processes and their secrets. */
export const ROLES = ["viewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

export interface AdminToken {
  readonly name: string;
  readonly role: Role;
  readonly secret: string;
}

/** Who a proxy says that somebody is -> what they may do. */
export interface ProxyRole {
  readonly who: "everybody" | "user" | "group";
  /** "" of everybody. */
  readonly name: string;
  readonly role: Role;
}

/** The request headers in which a proxy names who asks. */
export interface ProxyHeaders {
  readonly user: string;
  readonly email: string;
  readonly groups: string;
}

export const PROXY_HEADERS: ProxyHeaders = {
  user: "x-forwarded-user",
  email: "x-forwarded-email",
  groups: "x-forwarded-groups",
};

const TOKEN = /^([a-z0-9][a-z0-9._@-]{0,63}):(viewer|operator|admin):([^\s,]{16,1024})$/i;

/** Undefined: it is none. */
export function readToken(written: string): AdminToken | undefined {
  const [, name = "", role, secret = ""] = TOKEN.exec(written) ?? [];
  return role === undefined ? undefined : { name, role: role.toLowerCase() as Role, secret };
}

export const adminTokens: Kind<readonly AdminToken[]> = {
  says: "a list (separated by commas) of name:role:secret with different names and secrets, a role of viewer, operator or admin, and secrets of at least 16 characters",
  secret: true,
  read: (raw, written) => {
    const found = list.read(raw, written)?.map(readToken);
    const tokens = found?.filter((token) => token !== undefined) ?? [];
    if (found === undefined || tokens.length < found.length) return undefined;
    const distinct = (of: "name" | "secret"): boolean =>
      new Set(tokens.map((token) => token[of])).size === tokens.length;
    return distinct("name") && distinct("secret") ? tokens : undefined;
  },
};

const BITS = { 4: 32, 6: 128 } as const;

/** `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`. */
export function isNetwork(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const family = isIP(address);
  if ((family !== 4 && family !== 6) || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= BITS[family]);
}

export const networks: Kind<readonly string[]> = {
  says: "a list (separated by commas) of addresses and networks such as 10.0.0.0/8 or fd00::1",
  read: (raw, written) => {
    const texts = list.read(raw, written);
    return texts?.every(isNetwork) === true ? texts : undefined;
  },
};

const PROXY_ROLE = /^(\*|user:[^,=]{1,128}|[^,=*:][^,=]{0,127})=(viewer|operator|admin)$/;

export const proxyRoles: Kind<readonly ProxyRole[]> = {
  says: "a list (separated by commas) of group=role, user:name=role or *=role, a role being viewer, operator or admin",
  read: (raw, written) => {
    const matches = list.read(raw, written)?.map((entry) => PROXY_ROLE.exec(entry));
    const roles = matches?.flatMap((match): ProxyRole[] => (match ? [roleOf(match[1] ?? "", match[2] as Role)] : []));
    return roles?.length === matches?.length ? roles : undefined;
  },
};

function roleOf(whom: string, role: Role): ProxyRole {
  if (whom === "*") return { who: "everybody", name: "", role };
  if (whom.startsWith("user:")) return { who: "user", name: whom.slice("user:".length), role };
  return { who: "group", name: whom, role };
}

const PROXY_HEADER = /^(user|email|groups)=([a-z0-9][a-z0-9-]{0,63})$/i;

export const proxyHeaders: Kind<ProxyHeaders> = {
  says: "a list (separated by commas) like user=x-forwarded-user,email=x-forwarded-email,groups=x-forwarded-groups",
  read: (raw, written) => {
    const matches = list.read(raw, written)?.map((entry) => PROXY_HEADER.exec(entry));
    if (!matches?.every((match) => match !== null)) return undefined;
    const given = matches.map(([, of = "", name = ""]) => [of.toLowerCase(), name.toLowerCase()] as const);
    const headers = { ...PROXY_HEADERS, ...Object.fromEntries(given) };
    const isTwice = new Set(given.map(([of]) => of)).size < given.length;
    return isTwice || new Set(Object.values(headers)).size < 3 ? undefined : headers;
  },
};

const BASE_PATH = /^(?:\/[A-Za-z0-9._~-]+)+$/;

/** Without a slash at its end; "" for none. */
export const basePath: Kind<string> = {
  says: "a path such as /ops/antiphon",
  read: (raw, written) => {
    const path = text.read(raw, written)?.replace(/\/+$/, "");
    return path === undefined || path === "" || BASE_PATH.test(path) ? path : undefined;
  },
};

const PLAIN_PATH = /^\/(?![/\\])[\x21-\x7e]*$/;

/** On the same host, or elsewhere; nothing that a browser would run. */
export const signOut: Kind<string> = {
  says: "a path such as /oauth2/sign_out, or a URL http://… or https://…",
  read: (raw, written) => {
    const address = text.read(raw, written);
    if (address === undefined || PLAIN_PATH.test(address)) return address;
    return /^https?:\/\//i.test(address) && URL.canParse(address) ? address : undefined;
  },
};

export interface AccessValues {
  readonly adminBasePath: string;
  readonly adminTokens: readonly AdminToken[];
  readonly adminTokensFile: string | undefined;
  readonly adminTrustedProxies: readonly string[];
  readonly adminProxyRoles: readonly ProxyRole[];
  readonly adminProxyHeaders: ProxyHeaders;
  readonly adminProxySignOut: string | undefined;
  readonly auditLength: number;
  readonly auditDays: number;
}

export const ACCESS_ROWS: Rows<AccessValues> = {
  adminBasePath: {
    variable: "ANTIPHON_ADMIN_BASE_PATH",
    kind: basePath,
    preset: always(""),
    presetSaid: "none",
    sentence: "The path under which a proxy shows the dashboard and its API, e.g. `/ops/antiphon`.",
  },
  adminTokens: {
    variable: "ANTIPHON_ADMIN_TOKENS",
    kind: adminTokens,
    preset: always([]),
    sentence:
      "More such tokens, each with a name for the audit log and a role: `ann:operator:secret1,wall:viewer:secret2`.",
  },
  adminTokensFile: {
    variable: "ANTIPHON_ADMIN_TOKENS_FILE",
    kind: text,
    preset: always(undefined),
    sentence: "A file with such tokens, one a line; it is read again when it changes.",
  },
  adminTrustedProxies: {
    variable: "ANTIPHON_ADMIN_TRUSTED_PROXIES",
    kind: networks,
    preset: always([]),
    sentence: "The proxies in front of the dashboard that may say for whom they ask, from where and over https.",
  },
  adminProxyRoles: {
    variable: "ANTIPHON_ADMIN_PROXY_ROLES",
    kind: proxyRoles,
    preset: always([]),
    presetSaid: "none: no proxy says who somebody is",
    sentence:
      "For a proxy that logs people in: what its groups and users may, e.g. `ops=operator,user:ann@example.org=admin,*=viewer`.",
  },
  adminProxyHeaders: {
    variable: "ANTIPHON_ADMIN_PROXY_HEADERS",
    kind: proxyHeaders,
    preset: always(PROXY_HEADERS),
    presetSaid: "`user=x-forwarded-user,email=x-forwarded-email,groups=x-forwarded-groups`",
    sentence: "In which headers that proxy says who somebody is.",
  },
  adminProxySignOut: {
    variable: "ANTIPHON_ADMIN_PROXY_SIGN_OUT",
    kind: signOut,
    preset: always(undefined),
    presetSaid: "none: the dashboard has no button for it",
    sentence: "Where that proxy signs people out, e.g. `/oauth2/sign_out`.",
  },
  auditLength: {
    variable: "ANTIPHON_AUDIT_LENGTH",
    kind: wholeNumber({ min: 100, max: 1_000_000 }),
    preset: always(10_000),
    sentence: "Changes by operators that the audit log keeps.",
  },
  auditDays: {
    variable: "ANTIPHON_AUDIT_DAYS",
    kind: wholeNumber({ min: 1, max: 36_500 }),
    preset: always(400),
    sentence: "Days for which it keeps them.",
  },
};

/** What could not be read is undefined, and is told elsewhere. */
type Checked = Partial<AccessValues> & { readonly adminToken?: string | undefined };

/** One sentence each. */
export function accessProblems(values: Checked): string[] {
  const { adminToken, adminTokens = [], adminTrustedProxies = [], adminProxyRoles = [] } = values;
  const problems: string[] = [];
  if (adminProxyRoles.length > 0 && adminTrustedProxies.length === 0)
    problems.push(
      "ANTIPHON_ADMIN_PROXY_ROLES needs ANTIPHON_ADMIN_TRUSTED_PROXIES: otherwise anybody could claim to be anybody.",
    );
  if (adminTokens.some(({ secret }) => secret === adminToken))
    problems.push("ANTIPHON_ADMIN_TOKENS holds the secret of ANTIPHON_ADMIN_TOKEN.");
  return problems;
}
