// Asks the Kubernetes API for one ConfigMap, with the service account that is mounted into the pod. A bounded GET and no more.

import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";

export interface ServiceAccount {
  /** URL of the API server. */
  readonly server: string;
  /** Where `token` and `ca.crt` are. */
  readonly folder: string;
  readonly namespace: string;
}

const ANSWER_MS = 5_000;
const ANSWER_BYTES_MAX = 1024 * 1024;

/** Its data. The token is read anew each time, for it is renewed. */
export async function readConfigMap(account: ServiceAccount, path: string): Promise<Record<string, unknown>> {
  const [token = "", ca = ""] = await Promise.all(
    ["token", "ca.crt"].map((file) => readFile(join(account.folder, file), "utf8")),
  );
  const [namespace, name] = path.split("/");
  const url = new URL(`/api/v1/namespaces/${namespace}/configmaps/${name}`, account.server);
  const text = await get(url, { token: token.trim(), ca });
  const { data } = JSON.parse(text) as { data?: unknown };
  if (typeof data !== "object" || data === null) throw new Error(`the ConfigMap ${path} is empty`);
  return data as Record<string, unknown>;
}

function get(url: URL, { token, ca }: { readonly token: string; readonly ca: string }): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asked = request(url, { headers, ca, signal, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      response.on("data", (piece: Buffer) => {
        pieces.push(piece);
        bytes += piece.length;
        if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error("the answer is too long"));
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(Buffer.concat(pieces).toString("utf8"));
        else reject(new Error(`GET ${url.pathname}: ${response.statusCode}`));
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}
