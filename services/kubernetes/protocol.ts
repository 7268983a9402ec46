// What the thread of the Kubernetes client and its caller say to each other.

import type { ErrorCode } from "../runtime/errors.ts";
import type { Cluster, Verb } from "./cluster.ts";

export interface Call {
  readonly id: number;
  readonly verb: Verb;
  readonly args: Parameters<Cluster[Verb]>;
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly code: ErrorCode; readonly detail: string };
