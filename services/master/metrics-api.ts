// The external metrics API of a master, where it is configured: every master serves it, whoever leads.

import type { Config } from "../config/config.ts";
import { MetricsApi } from "../http/metrics-api.ts";
import type { ServiceAccount } from "../http/service-account.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Emit } from "../telemetry/events.ts";
import { type Load, samplesOf } from "../telemetry/samples.ts";

export interface MetricsApiSurroundings {
  readonly config: Pick<Config, "adminHost" | "metricsApiPort" | "metricsApiCertificate">;
  readonly place: ServiceAccount | undefined;
  readonly look: () => Promise<Load>;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

/** None where there is no port for it. Throws CONFIG_INVALID where nobody could say whom it may trust. */
export function metricsApiOf({ config, place, look, ...common }: MetricsApiSurroundings): MetricsApi[] {
  const { adminHost: host, metricsApiPort: port, metricsApiCertificate: certificate } = config;
  if (port === undefined || certificate === undefined) return [];
  if (place === undefined) {
    const problem = "ANTIPHON_METRICS_API_PORT is set, and this process has no service account of Kubernetes.";
    throw new AntiphonError("CONFIG_INVALID", problem);
  }
  const samples = async () => samplesOf(await look());
  return [new MetricsApi({ host, port, certificate, account: place, samples, ...common })];
}
