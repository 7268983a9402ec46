// The cluster that kubectl points at: kubectl and helm as people use them, and its API through `kubectl proxy`, which costs no
// process per question.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { command } from "./command.ts";

/** What of Kubernetes' objects is looked at here. */
export interface Resource {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
  };
}

export interface Listed<T extends Resource> {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly T[];
}

interface Node extends Resource {
  readonly status: {
    readonly addresses: readonly { readonly type: string; readonly address: string }[];
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
  };
}

export interface ClusterNode {
  readonly name: string;
  readonly address: string;
  readonly isReady: boolean;
}

export interface Asking {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

const PROXY_MS = 20_000;

export class Cluster {
  /** Where NodePorts are reached: E2E_HOST, else the first node. */
  readonly host: string;
  readonly #proxy: ChildProcess;
  readonly #url: string;

  private constructor(proxy: ChildProcess, url: string, host: string) {
    this.#proxy = proxy;
    this.#url = url;
    this.host = host;
  }

  static async open(): Promise<Cluster> {
    const proxy = spawn("kubectl", ["proxy", "--port=0"], { stdio: ["ignore", "pipe", "inherit"] });
    const url = await addressOf(proxy);
    const asking = new Cluster(proxy, url, "");
    const [first] = await asking.nodes();
    return new Cluster(proxy, url, process.env["E2E_HOST"] ?? first?.address ?? "127.0.0.1");
  }

  close(): void {
    this.#proxy.kill();
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return command("kubectl", args);
  }

  helm(...args: readonly string[]): Promise<string> {
    return command("helm", args);
  }

  async apply(namespace: string, ...objects: readonly unknown[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
    await command("kubectl", ["--namespace", namespace, "apply", "-f", "-"], { input });
  }

  /** One question to the API, e.g. `/api/v1/nodes`. Throws what it refused. */
  async api<T>(path: string, asking: Asking = {}): Promise<T> {
    const answer = await this.#ask(path, asking);
    return (await answer.json()) as T;
  }

  async text(path: string): Promise<string> {
    return (await this.#ask(path, {})).text();
  }

  /** Also of what is no success: what a pod says of itself, through the API server. */
  async answer(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`${this.#url}${path}`, { signal: AbortSignal.timeout(PROXY_MS) });
    return { status: answer.status, text: await answer.text() };
  }

  /** The lines of an answer that does not end by itself: a watch, a log. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const answer = await this.#ask(path, { signal });
    if (answer.body === null) return;
    yield* createInterface({ input: Readable.fromWeb(answer.body as never) });
  }

  /** In the order of their names: the first one is not drained nor cut off while others can be. */
  async nodes(): Promise<ClusterNode[]> {
    const { items } = await this.api<Listed<Node>>("/api/v1/nodes");
    return items
      .map(({ metadata, status }) => ({
        name: metadata.name,
        address: status.addresses.find(({ type }) => type === "InternalIP")?.address ?? "",
        isReady: status.conditions.some((one) => one.type === "Ready" && one.status === "True"),
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #ask(path: string, { method = "GET", body, signal }: Asking): Promise<Response> {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const answer = await fetch(`${this.#url}${path}`, {
      method,
      headers: { "content-type": type },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${(await answer.text()).slice(0, 500)}`);
    return answer;
  }
}

/** `Starting to serve on 127.0.0.1:41637` */
function addressOf(proxy: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("kubectl proxy did not start")), PROXY_MS);
    proxy.once("error", reject);
    proxy.once("exit", (code) => reject(new Error(`kubectl proxy ended with ${code}`)));
    const said = createInterface({ input: proxy.stdout as NodeJS.ReadableStream });
    said.on("line", (line) => {
      const address = /on (\S+:\d+)$/.exec(line)?.[1];
      if (address === undefined) return;
      clearTimeout(late);
      resolve(`http://${address}`);
    });
  });
}
