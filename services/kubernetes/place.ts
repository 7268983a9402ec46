// Where this process runs: in a pod with a service account, or not.

import { existsSync, readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";

/** Plain data: it crosses threads. */
export interface Place {
  /** The API server's URL. */
  readonly server: string;
  readonly namespace: string;
  /** Of the service account: `token` and `ca.crt`, which are replaced while the process runs. */
  readonly folder: string;
  /** The pod that asks. */
  readonly pod: string;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** undefined: no pod, or one without a service account's token. */
export function placeOf(
  env: Readonly<Record<string, string | undefined>>,
  pod: string,
  folder = SERVICE_ACCOUNT,
): Place | undefined {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "443";
  if (!host || !existsSync(join(folder, "token"))) return undefined;
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return { server, namespace: readFileSync(join(folder, "namespace"), "utf8").trim(), folder, pod };
}
