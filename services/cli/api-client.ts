// Asks the admin API: one request, its answer or its error, with the token that the settings have.

import { AntiphonError, ERROR_TABLE, type ErrorCode, hasCode } from "../runtime/errors.ts";

export interface ApiClientOptions {
  /** Of the admin port, with the prefix of a proxy if there is one. */
  readonly url: string;
  readonly token: string | undefined;
  /** How long an answer may take. */
  readonly answerMs?: number;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface ApiRequest {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
}

const ANSWER_MS = 60_000;

export class ApiClient {
  readonly #options: ApiClientOptions;
  #csrf: Promise<string> | undefined;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  /** @throws AntiphonError with the code of the answer; API_UNREACHABLE */
  async ask<T>(method: Method, path: string, { query = {}, body }: ApiRequest = {}): Promise<T> {
    const { url, token, answerMs = ANSWER_MS } = this.#options;
    const asked = new URLSearchParams(
      Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    );
    const address = `${url}/api${path}${asked.size > 0 ? `?${asked}` : ""}`;
    const response = await fetch(address, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(method !== "GET" && token === undefined && { "x-csrf-token": await this.#proof() }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: "error",
      signal: AbortSignal.timeout(answerMs),
    }).catch((error: unknown) => {
      throw new AntiphonError("API_UNREACHABLE", `${url}: ${reasonOf(error)}.`, { cause: error });
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return answer as T;
    throw errorOf(answer, `${url} answered ${response.status}.`);
  }

  /** The same, but undefined for what is not there. */
  async find<T>(path: string): Promise<T | undefined> {
    try {
      return await this.ask<T>("GET", path);
    } catch (error) {
      if (hasCode(error, "NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** Where nobody has to log in, as in development, changes need it all the same. */
  #proof(): Promise<string> {
    this.#csrf ??= this.ask<{ csrf: string }>("GET", "/session").then(({ csrf }) => csrf);
    return this.#csrf;
  }
}

function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  if (cause instanceof Error && cause.message !== "") return cause.message;
  return error instanceof Error ? error.message : String(error);
}

/** The message of an answer begins with the sentence of its code. */
function errorOf(answer: unknown, said: string): AntiphonError {
  const { code = "", message = "" } =
    (answer as { error?: { code?: string; message?: string } } | undefined)?.error ?? {};
  if (!Object.hasOwn(ERROR_TABLE, code)) return new AntiphonError("API_UNREACHABLE", message === "" ? said : message);
  const known = code as ErrorCode;
  const { sentence } = ERROR_TABLE[known];
  return new AntiphonError(known, message.startsWith(sentence) ? message.slice(sentence.length).trim() : message);
}
