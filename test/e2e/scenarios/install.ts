// From nothing to an answer: the chart with its own Redis, everything else as it comes.

import { randomUUID } from "node:crypto";
import { waitFor } from "../../support/wait-for.ts";
import type { Cluster } from "../support/cluster.ts";
import type { Finding } from "../support/figures.ts";
import { count, time } from "../support/figures.ts";
import { settled } from "../support/ledger.ts";
import { post } from "../support/load.ts";
import { restartsOf } from "../support/pods.ts";
import { NAME, Release } from "../support/release.ts";

const READY_MS = 60_000;
const ANSWER_MS = 20_000;
const SETTLE_MS = 60_000;

export async function installed(cluster: Cluster, namespace: string): Promise<Finding> {
  const from = Date.now();
  const release = await Release.install({ cluster, namespace, bundled: true });
  try {
    const readyMs = Date.now() - from;
    const tested = Date.now();
    await cluster.helm("test", NAME, "--namespace", namespace, "--timeout", "120s");
    const testMs = Date.now() - tested;
    const asked = Date.now();
    await answered(release.url, "antiphon ping", /pong/i);
    const answerMs = Date.now() - asked;
    const status = await post(`${release.url}/e2e`, { body: JSON.stringify({ event: "first" }) });
    await settled(release.store, SETTLE_MS);
    const done = await release.store.client.hget(release.store.keys.store("e2e"), "once first");
    const restarts = release.pods.all.reduce((sum, pod) => sum + restartsOf(pod), 0);
    return {
      name: "install",
      conditions: [
        "namespace with Pod Security `restricted`; values: the image, a handler, `redis.bundled.enabled`, a NodePort",
      ],
      rows: [
        time("`helm install` → every pod is ready and a master leads", readyMs, READY_MS),
        time("`helm test`", testMs),
        time("chat through the NodePort: `ping` answered", answerMs),
        count("webhook through the NodePort: status", status, { is: 202 }),
        count("restarts of containers", restarts, { is: 0 }),
      ],
      problems: [
        ...(status === 202 && done !== null ? [] : [`the webhook was answered with ${status}, its run wrote ${done}`]),
        ...(readyMs <= READY_MS ? [] : [`ready after ${readyMs} ms`]),
        ...(restarts === 0 ? [] : [`${restarts} restarts`]),
      ],
    };
  } catch (error) {
    throw await release.explained(error);
  } finally {
    await release.remove();
  }
}

/** Says a line in a web chat session of its own and waits for an answer like this. */
export async function answered(url: string, text: string, like: RegExp): Promise<string> {
  const session = `e2e-${randomUUID()}`;
  const stop = new AbortController();
  let heard = "";
  const listening = fetch(`${url}/chat/${session}/events`, { signal: stop.signal }).then(async ({ body }) => {
    for await (const bytes of body ?? []) heard += Buffer.from(bytes as Uint8Array).toString();
  });
  listening.catch(() => {}); // ended below
  try {
    const status = await post(`${url}/chat/${session}/messages`, { body: JSON.stringify({ text }) });
    if (status !== 202) throw new Error(`"${text}" was answered with ${status}`);
    await waitFor(() => like.test(heard), { timeoutMs: ANSWER_MS, what: `an answer like ${like} in ${heard}` });
    return heard;
  } finally {
    stop.abort();
  }
}
