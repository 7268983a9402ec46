// `bot.http`: requests to the real public server of a bot under test, signed as the route's sender would sign them.

import { Agent, request } from "node:http";
import type { LoadedRoute } from "../handlers/manifest.ts";
import type { Clock } from "../runtime/clock.ts";
import { signatureHeaders } from "../sdk/hmac.ts";
import type { HttpRoute, Method } from "../sdk/routes.ts";

export interface RequestOptions {
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>;
  /** Sent as it is; say its content type in `headers`. */
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** With the route's own secret, or with another one. */
  readonly sign?: boolean | string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Parsed, where it is JSON. */
  readonly body: unknown;
}

export interface TestHttpOptions {
  readonly routes: readonly LoadedRoute<HttpRoute>[];
  readonly port: () => number;
  readonly clock: Clock;
  /** Whether this request arrives twice. */
  readonly isTwice: () => boolean;
  readonly track: <T>(work: Promise<T>) => Promise<T>;
}

/** Resolves with the answer; what a handler does about it comes after that. */
type Verb = (path: string, options?: RequestOptions) => Promise<Answer>;

export class TestHttp {
  readonly get: Verb = (path, options) => this.#send("GET", path, options);
  readonly post: Verb = (path, options) => this.#send("POST", path, options);
  readonly put: Verb = (path, options) => this.#send("PUT", path, options);
  readonly patch: Verb = (path, options) => this.#send("PATCH", path, options);
  readonly delete: Verb = (path, options) => this.#send("DELETE", path, options);
  readonly #options: TestHttpOptions;

  constructor(options: TestHttpOptions) {
    this.#options = options;
  }

  /** Where it listens, for clients of your own. */
  get url(): string {
    return `http://127.0.0.1:${this.#options.port()}`;
  }

  #send(method: Method, path: string, options: RequestOptions = {}): Promise<Answer> {
    const { track, isTwice } = this.#options;
    return track(
      (async () => {
        const body = bodyOf(options);
        const type = options.json === undefined ? options.form && FORM : JSON_TYPE;
        const given = Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
        const headers: Record<string, string> = {
          ...(type === undefined ? {} : { "content-type": type }),
          ...(options.sign === undefined || options.sign === false
            ? {}
            : this.#signed(method, path, options.sign, body)),
          ...(Object.fromEntries(given) as Record<string, string>),
        };
        const sent = { url: new URL(path, this.url), method, headers, body };
        const answer = await exchange(sent);
        if (isTwice()) await exchange(sent);
        return answer;
      })(),
    );
  }

  // oxlint-disable-next-line max-params -- Parts of one request.
  #signed(method: Method, path: string, sign: true | string, body: Buffer): Record<string, string> {
    const { routes, clock } = this.#options;
    const route = routes.find(({ shape }) => shape.method === method && fits(shape.path, path));
    const hmac = route?.shape.hmac;
    if (route === undefined || hmac === undefined)
      throw new TypeError(`sign: no route checks a signature of ${method} ${path}`);
    const secret = sign === true ? hmac.secret(route.handler.config) : sign;
    return signatureHeaders(hmac, { body, secret, nowMs: clock.now() });
  }
}

const JSON_TYPE = "application/json";
const FORM = "application/x-www-form-urlencoded";

function bodyOf({ json, form, body }: RequestOptions): Buffer {
  if (json !== undefined) return Buffer.from(JSON.stringify(json));
  if (form !== undefined) return Buffer.from(new URLSearchParams(form).toString());
  return Buffer.from(body ?? "");
}

/** Whether a path is one of `/hooks/:repo`. */
function fits(pattern: string, path: string): boolean {
  const wanted = segments(pattern);
  const given = segments(path.split("?", 1)[0] ?? "");
  return wanted.length === given.length && wanted.every((part, index) => part.startsWith(":") || part === given[index]);
}

function segments(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

interface Sent {
  readonly url: URL;
  readonly method: Method;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Each over a connection of its own, so that none is left open. */
function exchange({ url, method, headers, body }: Sent): Promise<Answer> {
  const length = body.length > 0 ? { "content-length": String(body.length) } : {};
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false });
    const sending = request(url, { method, agent, headers: { ...headers, ...length } }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const isJson = response.headers["content-type"]?.includes("json") === true;
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: isJson ? JSON.parse(text) : text,
        });
      });
    });
    sending.once("error", reject);
    sending.end(body);
  });
}
