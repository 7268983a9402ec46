// One kept connection to the API server, for a client that by itself opens one per call and waits for ever.
//
// Built on what the client library exports; `test/unit/kubernetes/client.test.ts` counts handshakes, should that change.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as library from "@kubernetes/client-node";
import type { Place } from "./place.ts";

type Library = typeof library;
type Request = library.RequestContext;
type Dispatcher = NonNullable<ReturnType<Request["getDispatcher"]>>;

export interface ConnectionOptions {
  readonly library: Library;
  readonly place: Place;
  readonly timeoutMs: number;
}

/** What the client asks to authorise each request. */
export class Connection implements library.SecurityAuthentication {
  readonly #options: ConnectionOptions;
  #config: library.KubeConfig;
  #kept: { readonly dispatcher: Dispatcher; readonly ca: string } | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#config = this.#read();
  }

  getName(): string {
    return "service account";
  }

  /** The token is read again each minute, the authority's certificate each time: both are replaced while we run. */
  async applySecurityAuthentication(request: Request): Promise<void> {
    await this.#config.applySecurityAuthentication(request);
    const fresh = request.getDispatcher();
    const ca = this.#authority();
    if (this.#kept !== undefined && this.#kept.ca !== ca) this.renew();
    if (this.#kept === undefined && fresh !== undefined) this.#kept = { dispatcher: fresh, ca };
    // What the library made for this call was never used: it has no connection.
    if (this.#kept !== undefined) request.setDispatcher(this.#kept.dispatcher);
    request.setSignal(AbortSignal.timeout(this.#options.timeoutMs));
  }

  /** The next call connects anew and reads the token again: the server was silent, or did not know us. */
  renew(): void {
    this.#kept?.dispatcher.close().catch(() => {}); // calls beside this one may still be answered
    this.#kept = undefined;
    this.#config = this.#read();
  }

  async close(): Promise<void> {
    await this.#kept?.dispatcher.destroy();
    this.#kept = undefined;
  }

  #authority(): string {
    return readFileSync(join(this.#options.place.folder, "ca.crt"), "utf8");
  }

  #read(): library.KubeConfig {
    const { library, place } = this.#options;
    const config = new library.KubeConfig();
    config.loadFromOptions({
      clusters: [{ name: "here", server: place.server, caFile: join(place.folder, "ca.crt"), skipTLSVerify: false }],
      users: [{ name: "us", authProvider: { name: "tokenFile", config: { tokenFile: join(place.folder, "token") } } }],
      contexts: [{ name: "here", cluster: "here", user: "us", namespace: place.namespace }],
      currentContext: "here",
    });
    return config;
  }
}
