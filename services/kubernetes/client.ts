// The verbs of a Cluster, through Kubernetes' own client for JavaScript: loaded when it is opened, which costs 80 MiB and most
// of a second. So only the thread of the one master that needs it does that.

import type * as library from "@kubernetes/client-node";
import type { Annotations, Autoscaler, Cluster, Occurrence, Pod, Scale } from "./cluster.ts";
import { Connection } from "./connection.ts";
import { translate } from "./failures.ts";
import type { Place } from "./place.ts";
import { toAutoscaler, toEvent, toPod, toScale } from "./shapes.ts";

type Library = typeof library;

export interface ClientOptions {
  readonly place: Place;
  readonly timeoutMs?: number;
  /** ms since 1970. */
  readonly now: () => number;
}

const TIMEOUT_MS = 3_000;

export async function openClient(options: ClientOptions): Promise<Client> {
  return new Client(await import("@kubernetes/client-node"), options);
}

export class Client implements Cluster {
  readonly #library: Library;
  readonly #connection: Connection;
  readonly #namespace: string;
  readonly #pod: string;
  readonly #now: () => number;
  readonly #apps: library.AppsV1Api;
  readonly #core: library.CoreV1Api;
  readonly #autoscaling: library.AutoscalingV2Api;
  readonly #events: library.EventsV1Api;
  readonly #merge: library.ConfigurationOptions;

  constructor(loaded: Library, { place, timeoutMs = TIMEOUT_MS, now }: ClientOptions) {
    this.#library = loaded;
    this.#connection = new Connection({ library: loaded, place, timeoutMs });
    this.#namespace = place.namespace;
    this.#pod = place.pod;
    this.#now = now;
    const configuration = loaded.createConfiguration({
      baseServer: new loaded.ServerConfiguration(place.server, {}),
      authMethods: { default: this.#connection },
    });
    this.#apps = new loaded.AppsV1Api(configuration);
    this.#core = new loaded.CoreV1Api(configuration);
    this.#autoscaling = new loaded.AutoscalingV2Api(configuration);
    this.#events = new loaded.EventsV1Api(configuration);
    // Without it a patch is sent as JSON Patch, and refused.
    this.#merge = loaded.setHeaderOptions("Content-Type", loaded.PatchStrategy.MergePatch);
  }

  scaleOf(deployment: string): Promise<Scale> {
    const asked = { name: deployment, namespace: this.#namespace };
    return this.#ask(`scale of ${deployment}`, async () =>
      toScale(await this.#apps.readNamespacedDeploymentScale(asked)),
    );
  }

  setReplicas({ deployment, version }: Scale, replicas: number): Promise<Scale> {
    const body = { metadata: { resourceVersion: version }, spec: { replicas } };
    const asked = { name: deployment, namespace: this.#namespace, body };
    return this.#ask(`scaling ${deployment}`, async () =>
      toScale(await this.#apps.patchNamespacedDeploymentScale(asked, this.#merge)),
    );
  }

  pods(selector: string): Promise<Pod[]> {
    const asked = { namespace: this.#namespace, labelSelector: selector };
    return this.#ask("listing pods", async () => (await this.#core.listNamespacedPod(asked)).items.map(toPod));
  }

  pod(name: string): Promise<Pod> {
    const asked = { name, namespace: this.#namespace };
    return this.#ask(`pod ${name}`, async () => toPod(await this.#core.readNamespacedPod(asked)));
  }

  async annotate(pod: string, annotations: Annotations): Promise<void> {
    const asked = { name: pod, namespace: this.#namespace, body: { metadata: { annotations } } };
    await this.#ask(`annotating pod ${pod}`, () => this.#core.patchNamespacedPod(asked, this.#merge));
  }

  autoscalers(): Promise<Autoscaler[]> {
    const asked = { namespace: this.#namespace };
    return this.#ask("listing autoscalers", async () => {
      const { items } = await this.#autoscaling.listNamespacedHorizontalPodAutoscaler(asked);
      return items.map(toAutoscaler);
    });
  }

  async tell(occurrence: Occurrence): Promise<void> {
    const body = toEvent(occurrence, {
      namespace: this.#namespace,
      pod: this.#pod,
      time: new this.#library.V1MicroTime(this.#now()),
    });
    await this.#ask("an event", () => this.#events.createNamespacedEvent({ namespace: this.#namespace, body }));
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #ask<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const known = translate(error, what);
      if (known.code === "KUBERNETES_UNAVAILABLE" || isStranger(error)) this.#connection.renew();
      throw known;
    }
  }
}

/** The token has run out; the file has another by now. */
function isStranger(error: unknown): boolean {
  return (error as { code?: unknown }).code === 401;
}
