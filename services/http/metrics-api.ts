// The external metrics API as a part of a master: an HTTPS listener that believes the API server of its cluster and nobody else.
//
//   certificate: tls.crt and tls.key of a folder, read again and again, for they are renewed
//   trust:       a ConfigMap that says by which certificates the API server is known, read again and again
// Without trust every request is refused. Without a certificate no connection comes to be.

import { constants } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Part } from "../runtime/part.ts";
import { portProblem } from "../runtime/port-problem.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Sample } from "../telemetry/samples.ts";
import { answer } from "./external-metrics.ts";
import { askerOf, type Trust, trustOf } from "./front-proxy.ts";
import { readConfigMap, type ServiceAccount } from "./service-account.ts";

export interface MetricsApiOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** The folder with tls.crt and tls.key. */
  readonly certificate: string;
  /** Rejects where Redis is away. */
  readonly samples: () => Promise<readonly Sample[]>;
  readonly account: ServiceAccount;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const TRUST_MAP = "kube-system/extension-apiserver-authentication";
const LOOK_MS = 30_000;
/** While it cannot serve. */
const HURRY_MS = 2_000;
const REQUEST_MS = 10_000;
const CONNECTIONS_MAX = 256;

export class MetricsApi implements Part {
  readonly name = "metrics API";
  readonly #options: MetricsApiOptions;
  readonly #server: Server;
  readonly #loop: Loop;
  #certificate: Pair | undefined;
  #trust: Trust | undefined;

  constructor(options: MetricsApiOptions) {
    this.#options = options;
    const { clock, random, emit } = options;
    this.#server = createServer(TLS, (request, response) => void this.#serve(request, response));
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.requestTimeout = REQUEST_MS;
    this.#server.headersTimeout = REQUEST_MS;
    this.#loop = new Loop({
      name: this.name,
      intervalMs: () => (this.#trust === undefined || this.#certificate === undefined ? HURRY_MS : LOOK_MS),
      tick: () => this.#look(),
      onError: (error) => emit("loop.failed", { loop: this.name, error }),
      clock,
      random,
    });
  }

  /** Listens; answers as soon as it has a certificate and knows whom to trust. Throws CONFIG_INVALID when the port is taken. */
  async start(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    }).catch((error: unknown) => {
      throw portProblem(error, { host, port, variable: "ANTIPHON_METRICS_API_PORT" });
    });
    await this.#loop.start();
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? this.#options.port;
  }

  /** It has a certificate and knows whom to trust. */
  get isServing(): boolean {
    return this.#trust !== undefined && this.#certificate !== undefined;
  }

  async stop(deadlineMs: number): Promise<void> {
    await this.#loop.stop();
    const late = setTimeout(() => this.#server.closeAllConnections(), deadlineMs / 2);
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
    clearTimeout(late);
  }

  /** One that cannot be read leaves what the other one brought, and itself as it was. */
  async #look(): Promise<void> {
    const [certificate, trust] = await Promise.allSettled([
      this.#readCertificate(),
      readConfigMap(this.#options.account, TRUST_MAP).then(trustOf),
    ]);
    this.#apply(
      certificate.status === "fulfilled" ? certificate.value : this.#certificate,
      trust.status === "fulfilled" ? trust.value : this.#trust,
    );
    for (const one of [certificate, trust]) if (one.status === "rejected") throw one.reason;
    if (this.#trust === undefined) throw new Error(`${TRUST_MAP} does not say whom to trust`);
  }

  /** Throws, and nobody is trusted who was not before, when something does not fit: as in the middle of a renewal. */
  #apply(certificate: Pair | undefined, trust: Trust | undefined): void {
    const isOtherTrust = trust?.ca !== this.#trust?.ca;
    if (isOtherTrust) this.#trust = undefined;
    if (certificate !== undefined && (certificate !== this.#certificate || isOtherTrust)) {
      this.#server.setSecureContext({ ...TLS, ...certificate, ca: trust?.ca ?? [] });
      // Who was let in by the trust of before shows its certificate again.
      if (isOtherTrust) this.#server.closeAllConnections();
      this.#certificate = certificate;
    }
    if (this.#certificate !== undefined) this.#trust = trust;
  }

  async #readCertificate(): Promise<Pair> {
    const { certificate: folder } = this.#options;
    const [cert = "", key = ""] = await Promise.all(
      ["tls.crt", "tls.key"].map((file) => readFile(join(folder, file), "utf8")),
    );
    const known = this.#certificate;
    return known?.cert === cert && known.key === key ? known : { cert, key };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const { method = "", url = "/" } = request;
    const asker = this.#trust && askerOf(request, this.#trust);
    const { samples, account, clock } = this.#options;
    const source = { samples, namespace: account.namespace, now: () => clock.now() };
    const { code, body } = await answer({ method, url, asker }, source);
    response.writeHead(code, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(JSON.stringify(body));
  }
}

/** A resumed session would bring along the trust of the time when it began. */
const TLS = {
  requestCert: true,
  rejectUnauthorized: false,
  minVersion: "TLSv1.2",
  secureOptions: constants.SSL_OP_NO_TICKET,
  sessionTimeout: 1,
} as const;
