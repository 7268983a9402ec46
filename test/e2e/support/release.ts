// The chart installed in a Kubernetes namespace of its own, with Pod Security `restricted`: upgraded, asked, taken away.

import { setTimeout as pause } from "node:timers/promises";
import { mastersOf } from "../../../services/leader/masters.ts";
import { type Seat, seats } from "../../../services/leader/seats.ts";
import { waitFor } from "../../support/wait-for.ts";
import type { Cluster, Resource } from "./cluster.ts";
import { command } from "./command.ts";
import { Pods } from "./pods.ts";
import { nodePortOf, openPort, startRedis, Store } from "./redis.ts";
import { merged, testValues, type Values } from "./values.ts";

export const NAME = "antiphon";
export const CHART = new URL("../../../charts/antiphon", import.meta.url).pathname;
const READY_MS = 180_000;
const ROLLOUT_MS = 600_000;
const LEASE_MS = 6_000;
const POLL_MS = 200;
const EVENTS_TOLD = 15;

export interface ReleaseOptions {
  readonly cluster: Cluster;
  /** Of Kubernetes; it is made, and deleted in the end. */
  readonly namespace: string;
  /** Beside those of testValues. */
  readonly values?: Values;
  /** The chart's own Redis, instead of one that nothing disturbs. */
  readonly bundled?: boolean;
  /** Of the latter; without one it asks for none. */
  readonly password?: string;
  /** What must be there before the chart. */
  readonly objects?: readonly unknown[];
}

export interface Deployment extends Resource {
  readonly spec: { readonly replicas?: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
  };
}

export class Release {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly pods: Pods;
  /** Of the present values. */
  values: Values;
  readonly #options: ReleaseOptions;
  #store: Store | undefined;
  #url = "";

  private constructor(options: ReleaseOptions) {
    const { cluster, namespace, values = {}, bundled = false } = options;
    this.cluster = cluster;
    this.namespace = namespace;
    this.#options = options;
    this.pods = new Pods(cluster, namespace);
    const redis = bundled ? { bundled: { enabled: true } } : { url: "redis://redis:6379" };
    this.values = merged(testValues({ redis }), values);
  }

  /** Resolves when all pods are ready. */
  static async install(options: ReleaseOptions): Promise<Release> {
    const release = await Release.begin(options);
    try {
      await release.settled();
      await release.connect();
      return release;
    } catch (error) {
      throw await release.explained(error);
    }
  }

  /** Resolves when Helm has done its part. */
  static async begin(options: ReleaseOptions): Promise<Release> {
    const release = new Release(options);
    const { cluster, namespace } = release;
    const { bundled = false, objects = [], password } = options;
    await release.#makeNamespace();
    try {
      if (!bundled) await startRedis(cluster, namespace, { node: (await cluster.nodes())[0]?.name, password });
      if (objects.length > 0) await cluster.apply(namespace, ...objects);
      await release.helm("install");
      return release;
    } catch (error) {
      throw await release.explained(error);
    }
  }

  /** `http://host:port` of the workers. */
  get url(): string {
    return this.#url;
  }

  get store(): Store {
    if (this.#store === undefined) throw new Error("not installed");
    return this.#store;
  }

  /** The values stand on standard input: they hold whole programs. */
  async helm(verb: "install" | "upgrade", values: Values = this.values): Promise<void> {
    this.values = values;
    const args = [verb, NAME, CHART, "--namespace", this.namespace, "--values", "-"];
    await command("helm", args, { input: JSON.stringify(values) });
  }

  /** With these values in place of those before. Resolves when the rollout has ended and the old pods have gone. */
  async upgrade(more: Values): Promise<void> {
    await this.helm("upgrade", merged(this.values, more));
    await this.settled(ROLLOUT_MS);
  }

  /** The same again in new pods, as another image would be. */
  async roll(round: string, components: readonly string[] = ["master", "worker"]): Promise<void> {
    const stamped = { podAnnotations: { "e2e/round": round } };
    await this.upgrade(Object.fromEntries(components.map((component) => [component, stamped])));
  }

  /** All Deployments are as they should be, and nothing that was told to go is still there. */
  async settled(timeoutMs = READY_MS): Promise<void> {
    const isOver = async (): Promise<boolean> => {
      await pause(POLL_MS);
      const all = await this.deployments();
      return all.length > 0 && all.every(isRolledOut) && !this.pods.all.some((pod) => pod.deletedAt && !pod.goneAt);
    };
    await waitFor(isOver, { timeoutMs, what: `${this.namespace} is rolled out` }).catch(async (error: unknown) => {
      throw await this.explained(error);
    });
  }

  async deployments(): Promise<readonly Deployment[]> {
    const path = `/apis/apps/v1/namespaces/${this.namespace}/deployments`;
    const { items } = await this.cluster.api<{ items: Deployment[] }>(path);
    return items;
  }

  async deployment(component: string): Promise<Deployment> {
    return this.cluster.api(`/apis/apps/v1/namespaces/${this.namespace}/deployments/${NAME}-${component}`);
  }

  /** Finds the ways in: to the workers, and to Redis. */
  async connect(): Promise<void> {
    const { cluster, namespace } = this;
    const { bundled = false, password } = this.#options;
    this.#url = `http://${cluster.host}:${await nodePortOf(cluster, namespace, `${NAME}-worker`, "http")}`;
    const labels = { "app.kubernetes.io/instance": NAME, "app.kubernetes.io/name": "antiphon-redis" };
    const selector = bundled ? labels : { app: "redis" };
    const port = await openPort(cluster, namespace, { name: "e2e-redis", selector, port: 6379 });
    await this.#store?.close();
    this.#store = await Store.at(cluster.host, port, bundled ? await this.#redisPassword() : password);
  }

  /** Who leads what, as Redis knows it. */
  async seats(): Promise<Seat[]> {
    const { client, keys } = this.store;
    const masters = await mastersOf(client, keys, LEASE_MS);
    return seats(client, keys, { units: ["control"], masters });
  }

  /** The pod that leads this unit. Resolves when there is one. */
  leader(unit = "control"): Promise<string> {
    const leads = async (): Promise<string | undefined> => {
      const seat = (await this.seats()).find((one) => one.unit === unit);
      return seat?.leader?.split("/")[0];
    };
    return waitFor(leads, { timeoutMs: READY_MS, what: `somebody leads ${unit}` });
  }

  /** The error, with where the logs of the pods are and what the cluster has to say. */
  async explained(error: unknown): Promise<Error> {
    const said = await this.#events();
    await this.pods.read();
    return new Error(`${String(error)}\nlogs in ${this.pods.keepLogs()}\n${said}`, { cause: error });
  }

  async #events(): Promise<string> {
    try {
      const get = ["get", "events", "--sort-by=.lastTimestamp"];
      const events = await this.cluster.kubectl("--namespace", this.namespace, ...get);
      return events.trim().split("\n").slice(-EVENTS_TOLD).join("\n");
    } catch (error) {
      return String(error);
    }
  }

  async remove(): Promise<void> {
    await this.#store?.close();
    await this.pods.stop();
    const { cluster, namespace } = this;
    await cluster.helm("uninstall", NAME, "--namespace", namespace, "--ignore-not-found");
    await cluster.kubectl("delete", "namespace", namespace, "--wait=false");
  }

  async #makeNamespace(): Promise<void> {
    const { cluster, namespace } = this;
    const left = await cluster.kubectl("get", "namespace", namespace, "--ignore-not-found", "-o", "name");
    if (left !== "") await cluster.kubectl("delete", "namespace", namespace, "--wait=true", "--timeout=120s");
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    await cluster.apply(namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } });
    this.pods.start();
  }

  async #redisPassword(): Promise<string | undefined> {
    interface Secret extends Resource {
      readonly data?: Readonly<Record<string, string>>;
    }
    const path = `/api/v1/namespaces/${this.namespace}/secrets/${NAME}-redis`;
    const secret = await this.cluster.api<Secret>(path).catch(() => undefined);
    const [, encoded] = Object.entries(secret?.data ?? {}).find(([key]) => /password/.test(key)) ?? [];
    return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString();
  }
}

function isRolledOut({ metadata, spec, status }: Deployment): boolean {
  const { replicas = 1 } = spec;
  const counts = [status.replicas, status.updatedReplicas, status.readyReplicas, status.availableReplicas];
  return status.observedGeneration === metadata.generation && counts.every((count = 0) => count === replicas);
}
