// Finds out who asks: by a bearer token, a session's cookie, a proxy that logged them in, or as whoever sits at this machine.

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { AntiphonError } from "../../runtime/errors.ts";
import type { Emit } from "../../telemetry/events.ts";
import type { Proxies } from "./proxies.ts";
import type { Caller } from "./roles.ts";
import { csrfOf, isSame, type Sessions } from "./sessions.ts";
import { CSRF_HEADER, foreignProblem, isChange, isLocal } from "./same-site.ts";
import type { Tokens } from "./tokens.ts";
import type { Tries } from "./tries.ts";

export interface CallersOptions {
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly tries: Tries;
  readonly proxies: Proxies;
  /** Of whoever a proxy logged in. */
  readonly signOutUrl: string | undefined;
  /** Whoever sits at this machine is an admin. */
  readonly dev: boolean;
  readonly namespace: string;
  readonly emit: Emit;
}

/** Somebody, and what their page must send with each change; "" where a browser adds nothing by itself. */
export interface Found {
  readonly caller: Caller;
  readonly csrf: string;
  /** Where a browser goes to be signed out, other than here. */
  readonly signOutUrl?: string | undefined;
}

const AUTHORIZATION_CHARS_MAX = 2_048;
/** Only our own page can add a header at all; what is in it matters where there is a session. */
const ANY_PAGE_OF_OURS = "own-page";

export class Callers {
  /** Cookies are the same for all ports of a host, so each bot has its own name. */
  readonly cookie: string;
  readonly #options: CallersOptions;
  readonly #cookie: RegExp;

  constructor(options: CallersOptions) {
    this.#options = options;
    this.cookie = cookieName(options.namespace);
    this.#cookie = new RegExp(`(?:^|; *)${this.cookie}=([A-Za-z0-9_-]{43})(?=;|$)`);
  }

  /** Throws UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS, REDIS_UNAVAILABLE. */
  async of(request: IncomingMessage): Promise<Found> {
    const found =
      (await this.#byToken(request)) ??
      (await this.#bySession(request)) ??
      this.#byProxy(request) ??
      this.#byPlace(request);
    if (found === undefined) throw new AntiphonError("UNAUTHORIZED", "");
    if (found.caller.way !== "token") checkPage(request, found.csrf);
    return found;
  }

  /** Somebody who is about to log in. Throws UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS. */
  async login(request: IncomingMessage, secret: string): Promise<{ readonly id: string; readonly found: Found }> {
    const problem = foreignProblem(request);
    if (problem !== undefined) throw new AntiphonError("FORBIDDEN", problem);
    const { caller, token } = await this.#known(request, secret);
    const id = await this.#options.sessions.begin(token);
    return { id, found: { caller: { ...caller, way: "login" }, csrf: csrfOf(id) } };
  }

  /** The session of this request, if there is one, counts no more, for any pod. */
  async logout(request: IncomingMessage): Promise<void> {
    const id = this.#sessionOf(request);
    if (id !== undefined) await this.#options.sessions.end(id);
  }

  isHttps(request: IncomingMessage): boolean {
    return this.#options.proxies.isHttps(request);
  }

  #sessionOf({ headers }: IncomingMessage): string | undefined {
    return this.#cookie.exec(headers.cookie ?? "")?.[1];
  }

  async #byToken(request: IncomingMessage): Promise<Found | undefined> {
    const { authorization } = request.headers;
    if (authorization === undefined) return undefined;
    const { proxies } = this.#options;
    // A proxy that logs people in may pass on what it knows them by, which is no token of ours.
    if (proxies.namedBy(request) !== undefined) return undefined;
    const [, secret] =
      authorization.length > AUTHORIZATION_CHARS_MAX ? [] : (/^Bearer +(\S+)$/i.exec(authorization) ?? []);
    if (secret === undefined) throw new AntiphonError("UNAUTHORIZED", "");
    const { caller } = await this.#known(request, secret);
    return { caller, csrf: "" };
  }

  async #known(request: IncomingMessage, secret: string) {
    const { tokens, tries, proxies, emit } = this.#options;
    const from = proxies.clientOf(request);
    const blockedMs = await tries.blockedMs(from);
    if (blockedMs > 0) throw new TooManyTries(blockedMs);
    const token = await tokens.of(secret);
    if (token === undefined) {
      emit("admin.login-failed", { from, tries: await tries.failed(from) });
      throw new AntiphonError("UNAUTHORIZED", "");
    }
    const caller: Caller = { name: token.name, role: token.role, way: "token", from };
    return { caller, token };
  }

  async #bySession(request: IncomingMessage): Promise<Found | undefined> {
    const { sessions, proxies } = this.#options;
    const id = this.#sessionOf(request);
    const token = id === undefined ? undefined : await sessions.of(id);
    if (id === undefined || token === undefined) return undefined;
    const caller: Caller = { name: token.name, role: token.role, way: "login", from: proxies.clientOf(request) };
    return { caller, csrf: csrfOf(id) };
  }

  #byProxy(request: IncomingMessage): Found | undefined {
    const { proxies, signOutUrl } = this.#options;
    const named = proxies.namedBy(request);
    if (named === undefined) return undefined;
    const { name, role } = named;
    if (role === undefined) {
      const out = signOutUrl === undefined ? "" : ` To come as somebody else: ${signOutUrl}`;
      throw new AntiphonError(
        "FORBIDDEN",
        `ANTIPHON_ADMIN_PROXY_ROLES gives no role to ${name} or their groups.${out}`,
      );
    }
    const caller: Caller = { name, role, way: "proxy", from: proxies.clientOf(request) };
    return { caller, csrf: ANY_PAGE_OF_OURS, signOutUrl };
  }

  #byPlace(request: IncomingMessage): Found | undefined {
    if (!this.#options.dev || !isLocal(request)) return undefined;
    const from = this.#options.proxies.clientOf(request);
    return { caller: { name: "dev", role: "admin", way: "dev", from }, csrf: ANY_PAGE_OF_OURS };
  }
}

/** Too many wrong tokens from one address. */
export class TooManyTries extends AntiphonError {
  readonly afterMs: number;

  constructor(afterMs: number) {
    super("TOO_MANY_REQUESTS", "Too many wrong tokens came from this address.");
    this.afterMs = afterMs;
  }
}

function checkPage(request: IncomingMessage, csrf: string): void {
  const problem = foreignProblem(request);
  if (problem !== undefined) throw new AntiphonError("FORBIDDEN", problem);
  const sent = request.headers[CSRF_HEADER];
  if (!isChange(request) || (typeof sent === "string" && isSame(sent, csrf))) return;
  throw new AntiphonError("FORBIDDEN", `The header ${CSRF_HEADER} is missing or wrong; GET session tells it.`);
}

/** Bots on one host keep their cookies apart. */
export function cookieName(namespace: string): string {
  return `antiphon-${createHash("sha256").update(namespace).digest("hex").slice(0, 8)}`;
}
