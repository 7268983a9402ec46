// Every pod there was in a namespace: when it came, served, was told to go and went, how it ended, and what it logged.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../support/wait-for.ts";
import type { Cluster, Listed, Resource } from "./cluster.ts";

export interface PodObject extends Resource {
  readonly spec: {
    readonly nodeName?: string;
    readonly automountServiceAccountToken?: boolean;
    readonly volumes?: readonly Readonly<Record<string, unknown>>[];
  };
  readonly status: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly restartCount: number;
  readonly lastState?: { readonly terminated?: { readonly exitCode: number; readonly reason?: string } };
  readonly state: {
    readonly running?: object;
    readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly finishedAt?: string };
    readonly waiting?: { readonly reason?: string };
  };
}

/** All times: ms since 1970. */
export interface Pod {
  readonly name: string;
  readonly component: string;
  readonly pool: string;
  object: PodObject;
  readonly seenAt: number;
  readyAt?: number;
  /** When it was first seen as told to go. */
  deletedAt?: number;
  goneAt?: number;
  exitCode?: number;
  /** From SIGTERM to the end of its container, to the second: the chart's preStop lasts 5 s. */
  drainMs?: number;
  /** Of its container, and of those before that ended. */
  readonly logs: string[];
  readonly logsBefore: string[];
  logRound: number;
}

export interface LogLine {
  readonly time: string;
  readonly event?: string;
  readonly pod: string;
  readonly [field: string]: unknown;
}

interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: PodObject;
}

const AGAIN_MS = 250;
/** Rounds of reading: all pods each ten seconds, those that go each time. */
const READ_ALL_EACH = 40;
const LABEL = "app.kubernetes.io";
const PRE_STOP_MS = 5_000;

export class Pods {
  readonly #cluster: Cluster;
  readonly #path: string;
  readonly #all = new Map<string, Pod>();
  readonly #stop = new AbortController();
  #working: Promise<unknown> | undefined;

  constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster;
    this.#path = `/api/v1/namespaces/${namespace}/pods`;
  }

  start(): void {
    this.#working = Promise.all([this.#watch(), this.#readOn()]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#working;
  }

  /** All that ever were. */
  get all(): readonly Pod[] {
    return [...this.#all.values()];
  }

  /** Those that are there and not told to go. */
  of(component: string): Pod[] {
    return this.all.filter((pod) => pod.component === component && isThere(pod));
  }

  ready(component: string): Pod[] {
    return this.of(component).filter(isReady);
  }

  named(name: string): Pod | undefined {
    return this.all.findLast((pod) => pod.name === name);
  }

  async gone(component: string, timeoutMs: number): Promise<void> {
    const left = (): string[] =>
      this.all.filter((pod) => pod.component === component && pod.goneAt === undefined).map(({ name }) => name);
    await waitFor(() => left().length === 0, { timeoutMs, what: `${component} pods are gone` });
  }

  /** Reads the logs of those that are there, up to now. */
  async read(which: (pod: Pod) => boolean = () => true): Promise<void> {
    const there = this.all.filter((pod) => pod.goneAt === undefined && pod.object.status.phase !== "Pending");
    await Promise.all(there.filter(which).map((pod) => this.#read(pod)));
  }

  /** What all of them logged under this event until they were read last, in the order of time. */
  logged(event: string): LogLine[] {
    return this.all
      .flatMap(({ name, logs, logsBefore }) =>
        [...logsBefore, ...logs]
          .filter((line) => line.includes(`"${event}"`))
          .map((line) => ({ ...(parsed(line) as LogLine), pod: name }))
          .filter((line) => line.event === event),
      )
      .sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
  }

  /** For whoever wants to know why. Answers the file. */
  keepLogs(): string {
    const file = join(mkdtempSync(join(tmpdir(), "antiphon-e2e-")), "logs");
    const lines = this.all.flatMap((pod) => [
      `== ${pod.name} on ${pod.object.spec.nodeName ?? "no node"} ${JSON.stringify({ ...pod, object: undefined, logs: undefined, logsBefore: undefined })}`,
      ...pod.logsBefore,
      ...pod.logs,
    ]);
    writeFileSync(file, lines.join("\n"));
    return file;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const { metadata, items } = await this.#cluster.api<Listed<PodObject>>(this.#path);
        const there = new Set(items.map((object) => object.metadata.uid));
        for (const object of items) this.#saw(object);
        for (const [uid, pod] of this.#all) if (!there.has(uid)) pod.goneAt ??= Date.now();
        const query = `watch=true&resourceVersion=${metadata.resourceVersion}`;
        for await (const line of this.#cluster.lines(`${this.#path}?${query}`, signal)) {
          const change = JSON.parse(line) as Change;
          if (change.type === "ERROR") break;
          if (change.type === "BOOKMARK") continue;
          const pod = this.#saw(change.object);
          if (change.type === "DELETED") pod.goneAt ??= Date.now();
        }
      } catch {
        // The API server or the proxy was away: once more.
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  #saw(object: PodObject): Pod {
    const { uid = "", name, labels = {}, deletionTimestamp } = object.metadata;
    const now = Date.now();
    const pod: Pod = this.#all.get(uid) ?? {
      name,
      component: labels[`${LABEL}/component`] ?? labels["app"] ?? labels[`${LABEL}/name`] ?? "",
      pool: labels["antiphon.dev/pool"] ?? "",
      object,
      seenAt: now,
      logs: [],
      logsBefore: [],
      logRound: restartsIn(object),
    };
    this.#all.set(uid, pod);
    pod.object = object;
    if (isReady(pod)) pod.readyAt ??= now;
    if (deletionTimestamp !== undefined) pod.deletedAt ??= now;
    const [main] = object.status.containerStatuses ?? [];
    const ended = main?.state.terminated;
    if (ended !== undefined) pod.exitCode ??= ended.exitCode;
    if (ended?.finishedAt !== undefined && deletionTimestamp !== undefined)
      pod.drainMs ??= Date.parse(ended.finishedAt) - askedAt(object) - PRE_STOP_MS;
    return pod;
  }

  /** A pod that was told to go may be gone a moment after its last word. */
  async #readOn(): Promise<void> {
    for (let round = 0; !this.#stop.signal.aborted; round++) {
      const all = round % READ_ALL_EACH === 0;
      await this.read((pod) => all || pod.deletedAt !== undefined);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  async #read(pod: Pod): Promise<void> {
    const round = restartsOf(pod);
    const text = await this.#cluster.text(`${this.#path}/${pod.name}/log`).catch(() => "");
    const lines = text.split("\n").slice(0, -1);
    if (pod.logRound !== round) pod.logsBefore.push(...pod.logs.splice(0));
    pod.logRound = round;
    if (lines.length > pod.logs.length) pod.logs.push(...lines.slice(pod.logs.length));
  }
}

/** The deletionTimestamp lies in the future by the grace period. */
function askedAt({ metadata }: PodObject): number {
  return Date.parse(metadata.deletionTimestamp ?? "") - 1_000 * (metadata.deletionGracePeriodSeconds ?? 0);
}

export function restartsOf({ object }: Pod): number {
  return restartsIn(object);
}

function restartsIn(object: PodObject): number {
  return object.status.containerStatuses?.[0]?.restartCount ?? 0;
}

export function isReady({ object }: Pod): boolean {
  return object.status.conditions?.some((one) => one.type === "Ready" && one.status === "True") ?? false;
}

function isThere({ goneAt, deletedAt, object }: Pod): boolean {
  return (
    goneAt === undefined && deletedAt === undefined && !["Failed", "Succeeded"].includes(object.status.phase ?? "")
  );
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}
