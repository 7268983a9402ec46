// A server of one's own making for tests of the browser's client: every request waits until the test answers it.

export interface Sent {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly positions: Record<string, string>;
}

interface Options {
  readonly status?: number;
  readonly headers?: Record<string, string>;
}

export class FakeServer {
  /** Oldest first; aborted ones too. */
  readonly requests: FakeRequest[] = [];
  readonly Xhr: new () => XMLHttpRequest;

  constructor() {
    const { requests } = this;
    this.Xhr = class extends FakeRequest {
      constructor() {
        super();
        requests.push(this);
      }
    } as never;
  }

  get last(): FakeRequest {
    const last = this.requests.at(-1);
    if (last === undefined) throw new Error("Nothing was asked.");
    return last;
  }
}

export class FakeRequest implements Sent {
  url = "";
  readonly headers: Record<string, string> = {};
  positions: Record<string, string> = {};
  isAborted = false;
  readyState = 0;
  status = 0;
  statusText = "";
  responseText = "";
  withCredentials = false;
  onprogress: (() => void) | null = null;
  onreadystatechange: (() => void) | null = null;
  #answer: Record<string, string> = {};

  open(_method: string, url: string): void {
    this.url = url;
  }

  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value;
  }

  getResponseHeader(name: string): string | null {
    return this.#answer[name.toLowerCase()] ?? null;
  }

  send(body: string): void {
    const { __seq, ...positions } = Object.fromEntries(new URLSearchParams(body));
    this.positions = positions;
    if (!/^\d+$/.test(__seq ?? "")) throw new Error("__seq is no number");
  }

  /** As the standard says: with an empty status text. */
  abort(): void {
    this.isAborted = true;
    this.#over();
  }

  /** One more chunk of a stream. */
  stream(messages: readonly unknown[]): void {
    this.#answer = { "content-type": "text/plain; charset=utf-8" };
    this.raw(`${JSON.stringify(messages).replaceAll("\r\n|\r\n", "\r\n||\r\n")}\r\n|\r\n`);
  }

  raw(text: string): void {
    this.responseText += text;
    this.onprogress?.();
  }

  end({ status = 200, headers = {} }: Options = {}): void {
    Object.assign(this.#answer, headers);
    this.status = status;
    this.#over();
  }

  /** An answer that is no stream. */
  json(messages: unknown): void {
    this.#answer = { "content-type": "application/json; charset=utf-8" };
    this.raw(JSON.stringify(messages));
    this.end();
  }

  #over(): void {
    if (this.readyState === 4) return;
    this.readyState = 4;
    this.onreadystatechange?.();
  }
}

export function message(channel: string, id: number, data: unknown = `${channel}${id}`): object {
  return { global_id: id + 1000, message_id: id, channel, data };
}

export function status(heads: Record<string, number>): object {
  return { global_id: -1, message_id: -1, channel: "/__status", data: heads };
}
