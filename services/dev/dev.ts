// `antiphon dev`: the local stack in a terminal, with a shell in it, from start to the end that was asked for.

import { isAbsolute, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { logEmitter } from "../telemetry/logs.ts";
import { Console } from "./console.ts";
import { Stack } from "./stack.ts";
import { Watch } from "./watch.ts";

/** A terminal client of the web chat that lets others write above its prompt. */
export interface Shell {
  print(text: string): void;
  close(): void;
}

export interface DevOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stopping: AbortSignal;
  readonly colour: boolean;
  write(text: string): void;
  /** Opened once all is ready; left out where nobody types. */
  openShell?(url: string): Shell;
}

const DATA = ".antiphon/data";
const CACHE = ".antiphon/cache";
const SETTLE_MS = 150;

/** @returns the exit code */
export async function runDev(options: DevOptions): Promise<number> {
  const { config, stopping } = options;
  const console = new Console({ format: config.logFormat, colour: options.colour, write: options.write });
  const emit = logEmitter({
    level: config.logLevel,
    format: "json",
    base: { mode: "dev" },
    write: (line) => console.line("dev", line.trimEnd()),
  });
  const [dataDir, cacheDir] = [resolve(options.cwd, DATA), resolve(options.cwd, CACHE)];
  const stack = new Stack({ config, env: options.env, dataDir, cacheDir, console, emit });
  const watch = new Watch({
    paths: [...config.handlers.filter((path) => isAbsolute(path)), ...(config.file === undefined ? [] : [config.file])],
    settleMs: SETTLE_MS,
    onChange: (files) => void stack.reload(files),
  });
  const stopped = new Promise<"stopped">((resolve) => {
    if (stopping.aborted) resolve("stopped");
    stopping.addEventListener("abort", () => resolve("stopped"), { once: true });
  });
  let shell: Shell | undefined;
  try {
    const started = await Promise.race([stack.start(), stopped]);
    if (started === false) return 1;
    if (started === true) {
      console.plain(stack.readyLine);
      watch.start();
      shell = options.openShell?.(stack.url);
      if (shell !== undefined) console.redirect((text) => shell?.print(text.trimEnd()));
      await stopped;
    }
    emit("process.stopping", { signal: String(stopping.reason) });
    return 0;
  } finally {
    shell?.close();
    console.redirect();
    watch.stop();
    await stack.stop();
  }
}
