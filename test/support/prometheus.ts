// A real Prometheus for tests: scrapes what it is told every second, keeps nothing, and answers queries.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./redis.ts";
import { endWithThis } from "./spawn.ts";
import { waitFor } from "./wait-for.ts";

export interface Target {
  /** host:port */
  readonly address: string;
  /** As a ServiceMonitor or PodMonitor adds them. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Prometheus {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(child: ChildProcess, folder: string, url: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  /** `rules`: a file of them, evaluated every second. */
  static async start(targets: readonly Target[], rules?: string): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), "antiphon-prometheus-"));
    const port = await freePort();
    const file = join(folder, "prometheus.json");
    const jobs = [
      {
        job_name: "antiphon",
        static_configs: targets.map(({ address, labels }) => ({ targets: [address], labels })),
      },
    ];
    // JSON is YAML.
    const rulesFile = join(folder, "rules.yaml");
    if (rules !== undefined) writeFileSync(rulesFile, rules);
    const global = { scrape_interval: "1s", evaluation_interval: "1s" };
    const config = { global, scrape_configs: jobs, ...(rules === undefined ? {} : { rule_files: [rulesFile] }) };
    writeFileSync(file, JSON.stringify(config));
    const args = [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, "data")}`];
    const child = endWithThis(
      spawn("prometheus", [...args, `--web.listen-address=127.0.0.1:${port}`], { stdio: "ignore" }),
    );
    const prometheus = new Prometheus(child, folder, `http://127.0.0.1:${port}`);
    const ready = async (): Promise<boolean> => (await fetch(`${prometheus.#url}/-/ready`)).ok;
    await waitFor(ready, { timeoutMs: 60_000, what: "Prometheus is ready" });
    return prometheus;
  }

  async query(text: string): Promise<Series[]> {
    const { result } = (await this.#get(`query?query=${encodeURIComponent(text)}`)) as {
      result: { metric: Record<string, string>; value: [number, string] }[];
    };
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Labels of the series that match. */
  async series(match: string): Promise<Record<string, string>[]> {
    return (await this.#get(`series?match[]=${encodeURIComponent(match)}`)) as Record<string, string>[];
  }

  /** Labels of the alerts that fire now. */
  async firing(): Promise<Record<string, string>[]> {
    const { alerts } = (await this.#get("alerts")) as { alerts: { state: string; labels: Record<string, string> }[] };
    return alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels);
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #get(path: string): Promise<unknown> {
    const answer = (await (await fetch(`${this.#url}/api/v1/${path}`)).json()) as { data?: unknown; error?: string };
    if (answer.data === undefined) throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }
}
