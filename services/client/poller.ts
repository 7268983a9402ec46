// Decides when the next request begins: at once when something changed, after a pause that grows when something failed.
//
//   idle ─▶ connecting ─▶ connected ⇄ waiting          any ─▶ denied (401, 403), stopped; both until start()

import { type Ending, poll } from "./request.ts";
import { randomId, type Settings } from "./settings.ts";
import { type Demand, demand, type Subscription } from "./subscription.ts";
import { askedWithin, isHidden, noteRequest } from "./visibility.ts";
import type { WireMessage } from "./wire.ts";

export type State = "idle" | "connecting" | "connected" | "waiting" | "denied" | "stopped";

export interface PollerOptions {
  readonly settings: Settings;
  /** Who wants to hear something. */
  readonly subscriptions: () => readonly Subscription[];
  readonly onMessages: (messages: readonly WireMessage[], of: Demand) => void;
  readonly onState: (state: State, status?: number) => void;
  readonly onError: (error: unknown) => void;
}

/** A request that lasted so long was held: its end is no reason to wait. */
const HELD_MS = 1_000;
const FIRST_PAUSE_MS = 500;
/** The least that somebody waits who asks too often. */
const LIMITED_MS = 15_000;

export class Poller {
  failures = 0;
  requests = 0;
  startedAt = -Infinity;
  readonly #options: PollerOptions;
  #isOn = false;
  #giveUp: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unchunked = 0;
  #isRenewed = false;
  /** Whoever changes something during a pause after a failure does not shorten it. */
  #notBefore = 0;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  stop(): void {
    this.#isOn = false;
    this.#notBefore = 0;
    this.#abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Begins; or, when something changed, begins anew: what is held now is out of date. */
  refresh(): void {
    this.#isOn = true;
    this.#abort();
    this.#after(Math.max(0, this.startedAt + this.#settings.minPollInterval - now(), this.#notBefore - now()));
  }

  /** The page is seen again, or the network is back: whoever waits need not wait on. */
  hurry(): void {
    if (this.#timer !== undefined) this.#after(0);
  }

  get #settings(): Settings {
    return this.#options.settings;
  }

  #abort(): void {
    this.#giveUp?.();
    this.#giveUp = undefined;
  }

  #after(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#isOn) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#poll();
    }, ms);
  }

  #poll(): void {
    const { settings, subscriptions, onState } = this.#options;
    const all = subscriptions();
    if (all.length === 0) return onState("idle");
    if (isHidden() && askedWithin(settings.minHiddenPollInterval)) return this.#after(500 + Math.random() * 500);
    if (this.failures === 0) onState("connecting");
    const asked = demand(all);
    const long = !asked.isShort && this.#mayHold();
    const chunked = long && settings.enableChunkedEncoding && this.#unchunked === 0;
    if (this.#unchunked > 0) this.#unchunked--;
    this.startedAt = now();
    noteRequest();
    let ended = false;
    const giveUp = poll({
      ajax: settings.ajax,
      open: () => this.#open(),
      url: `${settings.baseUrl}message-bus/${settings.clientId}/poll?gaps=t${long ? "" : "&dlp=t"}`,
      headers: { "X-SILENCE-LOGGER": "true", ...settings.headers, ...(chunked ? {} : { "Dont-Chunk": "true" }) },
      data: { ...asked.positions, __seq: ++this.requests },
      chunked,
      firstChunkMs: settings.firstChunkTimeout,
      onMessages: (messages) => {
        this.#reached();
        this.#options.onMessages(messages, asked);
      },
      onError: this.#options.onError,
      onEnd: (ending) => {
        ended = true;
        this.#giveUp = undefined;
        this.#ended(ending, asked.isShort);
      },
    });
    if (!ended) this.#giveUp = giveUp;
  }

  #mayHold(): boolean {
    const { enableLongPolling, alwaysLongPoll, shouldLongPollCallback } = this.#settings;
    return enableLongPolling && (alwaysLongPoll || (shouldLongPollCallback ? shouldLongPollCallback() : !isHidden()));
  }

  #open(): XMLHttpRequest {
    const { xhrImplementation, withCredentials, maxPollInterval } = this.#settings;
    const xhr = new (xhrImplementation ?? XMLHttpRequest)();
    xhr.withCredentials = withCredentials;
    // No server holds a request for so long: the connection is dead and nobody has noticed.
    xhr.timeout = maxPollInterval;
    return xhr;
  }

  #reached(): void {
    this.failures = this.#notBefore = 0;
    this.#isRenewed = false;
    this.#options.onState("connected");
  }

  #ended(ending: Ending, wasShort: boolean): void {
    const settings = this.#settings;
    const lastedMs = now() - this.startedAt;
    if (ending.kind === "failed") return this.#failed(ending);
    if (ending.kind === "buffered") {
      this.#unchunked = settings.retryChunkedAfterRequests;
      return this.#after(settings.minPollInterval);
    }
    this.#reached();
    if (wasShort) return this.#after(0);
    const holds = this.#mayHold();
    const isNext = holds && (lastedMs >= HELD_MS || (ending.gotData && !ending.chunked));
    const interval = holds ? settings.callbackInterval : settings.backgroundCallbackInterval;
    this.#after(isNext ? settings.minPollInterval : Math.max(100, interval - lastedMs));
  }

  #failed({ status, retryAfter }: Extract<Ending, { kind: "failed" }>): void {
    const settings = this.#settings;
    if (status === 403 && !this.#isRenewed) {
      // Client ids belong to who used them first; somebody may have logged in or out.
      this.#isRenewed = true;
      settings.clientId = randomId();
      return this.#after(settings.minPollInterval);
    }
    if (status === 401 || status === 403) {
      this.stop();
      return this.#options.onState("denied", status);
    }
    this.#options.onState("waiting", status);
    // Who is told to come less often has not failed.
    const backOffMs = status === 429 ? LIMITED_MS : FIRST_PAUSE_MS * 2 ** this.failures++ * (0.5 + Math.random() / 2);
    const pauseMs = Math.max(retryAfter * 1_000, Math.min(settings.maxPollInterval, backOffMs));
    this.#notBefore = now() + pauseMs;
    this.#after(pauseMs);
  }
}

function now(): number {
  return performance.now();
}
