// Three that read a channel of the bus through the NodePort, as the protocols say and no better: server-sent events, the
// streaming poll of MessageBus' clients, and a page with our client. Each comes back by itself when its worker goes.

import { setTimeout as pause } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { launchChromium } from "../../conformance/bus/pages.ts";

export interface BusReader {
  readonly name: string;
  /** What it heard, in its order. */
  heard(): Promise<readonly number[]>;
  /** How often it had to come back. */
  again(): number | undefined;
  stop(): Promise<void>;
}

interface Told {
  readonly n: number;
}

const AGAIN_MS = 1_000;
const SEPARATOR = "\r\n|\r\n";

/** What ends by itself is begun anew, from where it stood. */
abstract class Streaming implements BusReader {
  abstract readonly name: string;
  readonly numbers: number[] = [];
  readonly stopping = new AbortController();
  readonly #url: string;
  #opened = 0;
  #working: Promise<void> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /** Resolves when the first request is answered. */
  async start(): Promise<this> {
    const first = Promise.withResolvers<void>();
    this.#working = this.#work(first.resolve);
    await first.promise;
    return this;
  }

  async heard(): Promise<readonly number[]> {
    return this.numbers;
  }

  again(): number {
    return this.#opened - 1;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.#working;
  }

  protected abstract ask(url: string, signal: AbortSignal): Promise<Response>;
  /** Answers what is left of a text that has not ended yet. */
  protected abstract read(text: string): string;

  async #work(opened: () => void): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        const { ok, status, body } = await this.ask(this.#url, signal);
        if (!ok || body === null) throw new Error(`${this.name}: ${status}`);
        this.#opened++;
        opened();
        const decoder = new TextDecoder();
        let left = "";
        for await (const bytes of body) left = this.read(left + decoder.decode(bytes as Uint8Array, { stream: true }));
      } catch {
        // Its worker has gone.
      }
      if (!signal.aborted) await pause(AGAIN_MS);
    }
  }
}

class Events extends Streaming {
  readonly name = "server-sent events";
  #id: string | undefined;

  protected ask(url: string, signal: AbortSignal): Promise<Response> {
    const headers = this.#id === undefined ? {} : { "last-event-id": this.#id };
    return fetch(`${url}/bus/sse?channel=/e2e`, { headers, signal });
  }

  protected read(text: string): string {
    const frames = text.split("\n\n");
    for (const frame of frames.slice(0, -1)) {
      const id = /^id: (.*)$/m.exec(frame)?.[1];
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data !== undefined && frame.includes("event: message"))
        this.numbers.push((JSON.parse(data) as { readonly data: Told }).data.n);
      this.#id = id ?? this.#id;
    }
    return frames.at(-1) ?? "";
  }
}

interface BusMessage {
  readonly channel: string;
  readonly message_id: number;
  readonly data: Told & Readonly<Record<string, number>>;
}

class Poll extends Streaming {
  readonly name = "a streaming poll";
  #last = -1;

  protected ask(url: string, signal: AbortSignal): Promise<Response> {
    const body = new URLSearchParams({ "/e2e": String(this.#last) });
    return fetch(`${url}/message-bus/e2e-${process.pid}/poll`, { method: "POST", body, signal });
  }

  protected read(text: string): string {
    const arrays = text.split(SEPARATOR);
    for (const message of arrays.slice(0, -1).flatMap((array) => JSON.parse(array) as BusMessage[])) {
      if (message.channel === "/e2e") this.numbers.push(message.data.n);
      this.#last = message.channel === "/e2e" ? message.message_id : (message.data["/e2e"] ?? this.#last);
    }
    return arrays.at(-1) ?? "";
  }
}

export function readers(url: string): Promise<BusReader[]> {
  return Promise.all([new Events(url).start(), new Poll(url).start()]);
}

/** The module that workers serve, in a page of their own origin. */
export async function pageReader(url: string): Promise<BusReader> {
  const browser: Browser = await launchChromium();
  const page = await browser.newPage();
  await page.route(`${url}/page`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto(`${url}/page`);
  await page.evaluate(`(async () => {
    const { Bus } = await import("/bus/client.mjs");
    window.heard = [];
    const bus = new Bus();
    bus.subscribe("/e2e", ({ n }) => heard.push(n), -1);
    await bus.ready();
  })()`);
  return {
    name: "a page in Chromium",
    heard: () => page.evaluate("heard"),
    again: () => undefined,
    stop: () => browser.close(),
  };
}
