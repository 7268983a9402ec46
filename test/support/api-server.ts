// A small API server of Kubernetes: one namespace, Deployments with pods, autoscalers, events. It records what it is asked, keeps
// to the rules that scaling depends on (who is removed first, versions, selectors), and can be silent or refuse.

import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Place } from "../../services/kubernetes/place.ts";
import { makeCertificate } from "./certificate.ts";

export interface Request {
  readonly method: string;
  /** Without the namespace's prefix and the query: `pods/worker-1`, `deployments/worker/scale`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly type: string;
  readonly token: string;
  readonly body: Record<string, unknown>;
  readonly atMs: number;
}

export interface FakePod {
  readonly name: string;
  readonly uid: string;
  readonly owner: string;
  readonly createdAtMs: number;
  revision: string;
  isReady: boolean;
  isLeaving: boolean;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface FakeDeployment {
  readonly name: string;
  replicas: number;
  version: number;
}

const NAMESPACE = "bots";
const COST = "controller.kubernetes.io/pod-deletion-cost";
type Body = Readonly<Record<string, unknown>>;

export class ApiServer {
  readonly requests: Request[] = [];
  readonly pods = new Map<string, FakePod>();
  readonly deployments = new Map<string, FakeDeployment>();
  /** Name -> what it scales, as Kind/name. */
  readonly autoscalers = new Map<string, string>();
  readonly events: Body[] = [];
  /** What each removed pod was when it was told to go. */
  readonly removed: FakePod[] = [];
  handshakes = 0;
  token = "secret-1";
  /** Answers nothing any more. */
  isSilent = false;
  /** A status instead of an answer, for what this matches. */
  refuse: (request: Request) => number | undefined = () => undefined;
  /** A pod was started, or told to go. */
  onPod: (pod: FakePod, what: "started" | "removed") => void = () => {};
  readonly #folder = mkdtempSync(join(tmpdir(), "antiphon-account-"));
  readonly #sockets = new Set<Socket>();
  #server: Http2SecureServer | undefined;
  #pods = 0;

  async start(): Promise<this> {
    const { key, cert } = makeCertificate();
    const server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
      void this.#serve(request, response);
    });
    server.on("secureConnection", () => this.handshakes++);
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    writeFileSync(join(this.#folder, "ca.crt"), cert);
    writeFileSync(join(this.#folder, "token"), this.token);
    writeFileSync(join(this.#folder, "namespace"), NAMESPACE);
    return this;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server?.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  place(pod = "master-1"): Place {
    const port = (this.#server?.address() as AddressInfo | undefined)?.port;
    return { server: `https://localhost:${port}`, namespace: NAMESPACE, folder: this.#folder, pod };
  }

  get folder(): string {
    return this.#folder;
  }

  deploy(name: string, replicas: number): FakeDeployment {
    const deployment = { name, replicas, version: 1 };
    this.deployments.set(name, deployment);
    this.#reconcile(deployment);
    return deployment;
  }

  podsOf(owner: string): FakePod[] {
    return [...this.pods.values()].filter((pod) => pod.owner === owner && !pod.isLeaving);
  }

  addPod(owner: string, name = `${owner}-${++this.#pods}`): FakePod {
    const labels = { app: owner, "pod-template-hash": "a" };
    const pod: FakePod = {
      name,
      owner,
      labels,
      uid: `uid-${name}`,
      createdAtMs: Date.now() + this.#pods,
      revision: "a",
      isReady: true,
      isLeaving: false,
      annotations: {},
    };
    this.pods.set(name, pod);
    this.onPod(pod, "started");
    return pod;
  }

  /** As the ReplicaSet's controller: too few are made, of too many those go first that are not ready, cheap, new. */
  #reconcile({ name, replicas }: FakeDeployment): void {
    while (this.podsOf(name).length < replicas) this.addPod(name);
    const cost = (pod: FakePod): number => Number(pod.annotations[COST] ?? 0);
    const order = this.podsOf(name).toSorted(
      (a, b) => Number(a.isReady) - Number(b.isReady) || cost(a) - cost(b) || b.createdAtMs - a.createdAtMs,
    );
    for (const pod of order.slice(0, Math.max(0, order.length - replicas))) {
      pod.isLeaving = true;
      this.removed.push(pod);
      this.onPod(pod, "removed");
    }
  }

  async #serve(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const url = new URL(request.url, "https://localhost");
    const asked: Request = {
      method: request.method,
      path: url.pathname.replace(/^.*\/namespaces\/[^/]+\//, ""),
      query: url.searchParams,
      type: String(request.headers["content-type"] ?? ""),
      token: String(request.headers["authorization"] ?? "").replace("Bearer ", ""),
      body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
      atMs: performance.now(),
    };
    this.requests.push(asked);
    if (this.isSilent) return;
    const status = asked.token === this.token ? this.refuse(asked) : 401;
    const [code, body] = status === undefined ? this.#answer(asked) : refusal(status);
    response.writeHead(code, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  }

  #answer(asked: Request): [number, Body] {
    const [kind = "", name = "", part = ""] = asked.path.split("/");
    if (asked.method === "PATCH" && asked.type !== "application/merge-patch+json") return refusal(415);
    if (kind === "deployments" && part === "scale") return this.#scale(asked, name);
    if (kind === "pods") return name === "" ? this.#list(asked) : this.#pod(asked, name);
    if (kind === "horizontalpodautoscalers") return [200, { items: [...this.autoscalers].map(autoscaler) }];
    if (kind !== "events" || asked.method !== "POST") return refusal(404);
    this.events.push(asked.body);
    return [201, asked.body];
  }

  #scale({ method, body }: Request, name: string): [number, Body] {
    const deployment = this.deployments.get(name);
    if (deployment === undefined) return refusal(404);
    if (method === "PATCH") {
      const { metadata, spec } = body as { metadata?: { resourceVersion?: string }; spec: { replicas: number } };
      if (metadata?.resourceVersion !== String(deployment.version)) return refusal(409);
      deployment.replicas = spec.replicas;
      deployment.version++;
      this.#reconcile(deployment);
    }
    const { replicas, version } = deployment;
    const metadata = { name, uid: `uid-${name}`, resourceVersion: String(version) };
    return [200, { metadata, spec: { replicas }, status: { replicas, selector: `app=${name}` } }];
  }

  #list({ query }: Request): [number, Body] {
    const wanted = (query.get("labelSelector") ?? "").split(",").map((term) => term.split("="));
    const fits = ({ labels }: FakePod): boolean => wanted.every(([key = "", value]) => labels[key] === value);
    return [200, { items: [...this.pods.values()].filter(fits).map(podBody) }];
  }

  #pod({ method, body }: Request, name: string): [number, Body] {
    const pod = this.pods.get(name);
    if (pod === undefined) return refusal(404);
    const { metadata } = body as { metadata?: { annotations?: Record<string, string | null> } };
    for (const [key, value] of Object.entries(method === "PATCH" ? (metadata?.annotations ?? {}) : {})) {
      if (value === null) delete pod.annotations[key];
      else pod.annotations[key] = value;
    }
    return [200, podBody(pod)];
  }
}

function podBody({ name, uid, labels, annotations, isReady, isLeaving, createdAtMs, revision }: FakePod): Body {
  const metadata = {
    name,
    uid,
    annotations,
    labels: { ...labels, "pod-template-hash": revision },
    creationTimestamp: new Date(createdAtMs).toISOString(),
    ...(isLeaving && { deletionTimestamp: new Date().toISOString() }),
  };
  return {
    metadata,
    status: { phase: "Running", conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] },
  };
}

function autoscaler([name, target]: [string, string]): Body {
  const [kind, of] = target.split("/");
  return { metadata: { name }, spec: { maxReplicas: 5, scaleTargetRef: { kind, name: of } } };
}

function refusal(code: number): [number, Body] {
  return [code, { kind: "Status", status: "Failure", code, message: `refused with ${code}` }];
}
