// The settings of a master: how long it leads, what it tells Kubernetes, and which Deployments it scales.

import { VERSION } from "../runtime/version.ts";
import { port, text, wholeNumber } from "./kinds.ts";
import { always, type Rows } from "./row.ts";
import { type ScaleTarget, scaleTargets } from "./scale.ts";

export interface MasterValues {
  readonly leaseMs: number;
  readonly revision: string;
  readonly metricsApiPort: number | undefined;
  readonly metricsApiCertificate: string | undefined;
  readonly scaleTargets: readonly ScaleTarget[];
}

export const MASTER_ROWS: Rows<MasterValues> = {
  leaseMs: {
    variable: "ANTIPHON_LEASE_MS",
    kind: wholeNumber({ min: 500, max: 600_000 }),
    preset: always(6_000),
    sentence: "How long a master stays leader without renewing.",
  },
  revision: {
    variable: "ANTIPHON_REVISION",
    kind: text,
    preset: always(VERSION),
    presetSaid: "the version of Antiphon",
    sentence: "What is deployed: while masters of two revisions run, those of the one started last lead.",
  },
  metricsApiPort: {
    variable: "ANTIPHON_METRICS_API_PORT",
    kind: port,
    preset: always(undefined),
    sentence: "The port of a master's external metrics API for Kubernetes; without one there is none.",
  },
  metricsApiCertificate: {
    variable: "ANTIPHON_METRICS_API_CERTIFICATE",
    kind: text,
    preset: always(undefined),
    sentence: "The folder with `tls.crt` and `tls.key` of that API.",
  },
  scaleTargets: {
    variable: "ANTIPHON_SCALE_TARGETS",
    kind: scaleTargets,
    preset: always([]),
    sentence:
      "In Kubernetes: the Deployment of each pool that the masters scale, and within what bounds: `default=antiphon-worker:2-10`.",
  },
};
