// A Redis beside the release, where nothing of a scenario disturbs it, and the way to it from outside: a NodePort.

import { openQueue, type Queue } from "../../../services/queue/queue.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { waitFor } from "../../support/wait-for.ts";
import type { Cluster, Resource } from "./cluster.ts";

export const REDIS_IMAGE = process.env["E2E_REDIS_IMAGE"] ?? "redis:7-bookworm";
/** The user of Debian's and of Docker's image are both allowed to write into a folder of this group. */
const REDIS_USER = 999;
const PORT = 6379;
const READY_MS = 60_000;

/** What a pod must say of itself in a namespace with Pod Security `restricted`. */
export const RESTRICTED = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
} as const;

/** What a release writes and reads, as a program beside it sees it. */
export class Store {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly queue: Queue;
  readonly port: number;

  private constructor(client: RedisClient, queue: Queue, port: number) {
    this.client = client;
    this.queue = queue;
    this.port = port;
    this.keys = new Keys("antiphon", 0);
  }

  /** Waits until it answers. */
  static async at(host: string, port: number, password?: string): Promise<Store> {
    const url = `redis://${password === undefined ? "" : `:${encodeURIComponent(password)}@`}${host}:${port}`;
    const queue = await waitFor(() => openQueue({ url, name: "e2e" }), {
      timeoutMs: READY_MS,
      what: `Redis at ${url}`,
    });
    const client = openRedis({ url, name: "e2e-looks", purpose: "commands", onState: () => {} });
    return new Store(client, queue, port);
  }

  async close(): Promise<void> {
    await this.queue.close();
    await closeRedis(this.client);
  }
}

export interface RedisOptions {
  /** Where there are several. */
  readonly node?: string | undefined;
  readonly password?: string | undefined;
}

/** Starts one in the namespace, as `redis:6379`. */
export async function startRedis(cluster: Cluster, namespace: string, options: RedisOptions): Promise<void> {
  await cluster.apply(namespace, deploymentOf(options), {
    ...serviceOf("redis"),
    spec: { selector: { app: "redis" }, ports: [{ port: PORT }] },
  });
}

function serviceOf(name: string) {
  return { apiVersion: "v1", kind: "Service", metadata: { name } };
}

/** A NodePort to the pods with these labels. */
export async function openPort(
  cluster: Cluster,
  namespace: string,
  { name, selector, port }: { name: string; selector: Readonly<Record<string, string>>; port: number },
): Promise<number> {
  await cluster.apply(namespace, {
    ...serviceOf(name),
    spec: { type: "NodePort", selector, ports: [{ port, targetPort: port }] },
  });
  return nodePortOf(cluster, namespace, name);
}

interface Service extends Resource {
  readonly spec: { readonly ports: readonly { readonly name?: string; readonly nodePort?: number }[] };
}

export async function nodePortOf(
  cluster: Cluster,
  namespace: string,
  name: string,
  portName?: string,
): Promise<number> {
  const { spec } = await cluster.api<Service>(`/api/v1/namespaces/${namespace}/services/${name}`);
  const port = spec.ports.find((one) => portName === undefined || one.name === portName)?.nodePort;
  if (port === undefined) throw new Error(`The service ${name} has no NodePort.`);
  return port;
}

function deploymentOf({ node, password }: RedisOptions) {
  const args = [
    "redis-server",
    "--protected-mode",
    "no",
    "--appendonly",
    "yes",
    "--save",
    "",
    "--maxmemory-policy",
    "noeviction",
    ...(password === undefined ? [] : ["--requirepass", password]),
  ];
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "redis" },
    spec: {
      replicas: 1,
      strategy: { type: "Recreate" },
      selector: { matchLabels: { app: "redis" } },
      template: {
        metadata: { labels: { app: "redis" } },
        spec: {
          ...(node !== undefined && { nodeName: node }),
          automountServiceAccountToken: false,
          securityContext: { runAsUser: REDIS_USER, runAsGroup: REDIS_USER, fsGroup: REDIS_USER },
          containers: [
            {
              name: "redis",
              image: REDIS_IMAGE,
              imagePullPolicy: "IfNotPresent",
              command: args,
              workingDir: "/data",
              securityContext: RESTRICTED,
              resources: { requests: { cpu: "50m", memory: "64Mi" } },
              volumeMounts: [{ name: "data", mountPath: "/data" }],
              readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
            },
          ],
          volumes: [{ name: "data", emptyDir: {} }],
        },
      },
    },
  };
}
