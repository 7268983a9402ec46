// The settings of a bus: those of MessageBus' own client under their names, then ours. Plain properties, to be changed at any time.

import { type Ajax, xhrAjax } from "./request.ts";
import type { Subscription } from "./subscription.ts";

export class Settings {
  /** Held requests; without them it asks every `backgroundCallbackInterval`. */
  enableLongPolling = true;
  /** Streams: one held request brings many messages. */
  enableChunkedEncoding = true;
  /** An answer that was not held is asked for again so long after it began, ms. */
  callbackInterval = 15_000;
  /** The same when the page is not seen. */
  backgroundCallbackInterval = 60_000;
  minPollInterval = 100;
  /** The longest pause after failures. */
  maxPollInterval = 180_000;
  /** Pages that are not seen and share no connection leave so much between their requests, all together. */
  minHiddenPollInterval = 1_500;
  alwaysLongPoll = false;
  /** Decides in place of the page's visibility. */
  shouldLongPollCallback: (() => boolean) | undefined = undefined;
  /** Without a first chunk in this time it gives up streaming ... */
  firstChunkTimeout = 3_000;
  /** ... for so many requests. */
  retryChunkedAfterRequests = 30;
  baseUrl = "/";
  headers: Record<string, string> = {};
  /** A secret: who knows it can take this client's place. Pages that share a connection have one together. */
  clientId: string = randomId();
  readonly callbacks: Subscription[] = [];
  ajax: Ajax = xhrAjax;
  xhrImplementation: (new () => XMLHttpRequest) | undefined = undefined;

  /** One connection for all pages of this browser that are told the same, where it has Web Locks. */
  shareTabs = true;
  /** Sends cookies to another origin, too. */
  withCredentials = false;
  /** So many messages wait while it is paused; then it asks for no more until it is resumed. */
  maxPaused = 1_000;
}

export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
