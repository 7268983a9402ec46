// What Antiphon asks of Kubernetes: a few verbs, all within its own namespace. Types only.

/** One Deployment's number of pods. */
export interface Scale {
  readonly deployment: string;
  readonly uid: string;
  /** Of what was read: whoever writes by it is refused when the Deployment has changed since. */
  readonly version: string;
  /** How many pods there should be. */
  readonly replicas: number;
  /** Its pods, as a label selector. */
  readonly selector: string;
}

export interface Pod {
  readonly name: string;
  readonly uid: string;
  readonly isReady: boolean;
  readonly isLeaving: boolean;
  readonly createdAtMs: number;
  /** Differs while a Deployment is rolled out; "" where it does not say. */
  readonly revision: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A HorizontalPodAutoscaler, one's own or KEDA's. */
export interface Autoscaler {
  readonly name: string;
  /** What it scales: `Deployment/antiphon-worker`. */
  readonly target: string;
}

/** What `kubectl get events` shows. */
export interface Occurrence {
  readonly reason: string;
  readonly note: string;
  readonly isWarning?: boolean;
  readonly about: { readonly kind: "Deployment" | "Pod"; readonly name: string; readonly uid?: string };
}

/** null takes one away. */
export type Annotations = Readonly<Record<string, string | null>>;

/** Every call ends in time. All throw AntiphonError KUBERNETES_UNAVAILABLE, _FORBIDDEN, _MISSING, _CONFLICT or _REFUSED. */
export interface Cluster {
  scaleOf(deployment: string): Promise<Scale>;
  /** @throws AntiphonError KUBERNETES_CONFLICT when the Deployment is no longer as it was read */
  setReplicas(scale: Scale, replicas: number): Promise<Scale>;
  pods(selector: string): Promise<Pod[]>;
  pod(name: string): Promise<Pod>;
  annotate(pod: string, annotations: Annotations): Promise<void>;
  autoscalers(): Promise<Autoscaler[]>;
  tell(occurrence: Occurrence): Promise<void>;
}

export type Verb = keyof Cluster;
