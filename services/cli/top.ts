// `antiphon top`: the Now page in a terminal, again and again; one frame of it where nobody looks at a terminal.

import type { Snapshot } from "../admin/api.ts";
import { takeSnapshot } from "../admin/snapshot.ts";
import type { Config } from "../config/config.ts";
import { closeRedis, databaseOf, openRedis } from "../redis/connect.ts";
import { Keys } from "../redis/keys.ts";
import { systemClock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { withDeadline } from "../runtime/part.ts";
import { ApiClient } from "./api-client.ts";
import type { Command, CommandContext } from "./command.ts";
import { countOf } from "./option-values.ts";
import { frame } from "./top-frame.ts";
import { Screen } from "./top-screen.ts";
import { URL_OPTION, urlOf } from "./url-option.ts";

const EVERY_S = 2;
const EVERY_S_MAX = 3600;
const ANSWER_MS = 5_000;

export const top: Command = {
  name: "top",
  help: [
    "How the bot stands, every two seconds, until q or Ctrl-C. Without a terminal: once. Reads Redis, or asks an admin port",
    "with --url, as whoever ANTIPHON_ADMIN_TOKEN names.",
  ].join("\n"),
  options: {
    ...URL_OPTION,
    every: { type: "string", value: "SECONDS", help: "between two looks (2)" },
    json: { type: "boolean", help: "once, as an object" },
  },
  async run(context) {
    const everyMs = (countOf(context.options, "every", EVERY_S_MAX) ?? EVERY_S) * 1000;
    const url = urlOf(context.options);
    const source = sourceOf(await context.readConfig("tool"), url);
    try {
      if (context.options["json"] === true) context.print(JSON.stringify(await source.look()));
      else if (process.stdout.isTTY) await live(source, everyMs, context);
      else for (const line of frame(await source.look(), { ...UNBOUNDED, headline: source.name })) context.print(line);
      return 0;
    } finally {
      await source.close();
    }
  },
};

const UNBOUNDED = { width: 1_000, height: 10_000 };

interface Source {
  readonly name: string;
  look(): Promise<Snapshot>;
  close(): Promise<void>;
}

function sourceOf(config: Config, url: string | undefined): Source {
  return url === undefined ? redisSource(config) : httpSource(config, url);
}

function redisSource({ redisUrl: url, namespace, leaseMs }: Config): Source {
  if (url === undefined)
    throw new AntiphonError("CONFIG_INVALID", "\n  REDIS_URL is missing, and so is --url. `antiphon dev` prints both.");
  const client = openRedis({ url, name: "cli-top", purpose: "commands", onState: () => {} });
  const context = { client, keys: new Keys(namespace, databaseOf(url)) };
  return {
    name: `antiphon ${namespace}`,
    look: () =>
      withDeadline(takeSnapshot({ context, leaseMs }), ANSWER_MS, "Redis").catch((error: unknown) => {
        throw new AntiphonError("REDIS_UNAVAILABLE", "", { cause: error });
      }),
    close: () => closeRedis(client),
  };
}

function httpSource({ adminToken: token }: Config, url: string): Source {
  const client = new ApiClient({ url, token, answerMs: ANSWER_MS });
  return { name: `antiphon at ${url}`, look: () => client.ask<Snapshot>("GET", "/now"), close: async () => {} };
}

/** What cannot be had is said in the first line, over what was known last; it comes back by itself. */
async function live(source: Source, everyMs: number, { stopping }: CommandContext): Promise<void> {
  const leaving = new AbortController();
  const ending = AbortSignal.any([stopping, leaving.signal]);
  const screen = new Screen({ input: process.stdin, output: process.stdout, onEnd: () => leaving.abort() });
  let last: Snapshot | undefined;
  try {
    while (!ending.aborted) {
      const problem = await source.look().then(
        (snapshot) => void (last = snapshot),
        (error: Error) => error.message,
      );
      const headline = `${source.name}  ${last?.at ?? ""}  ${problem ?? "q ends"}`;
      if (!ending.aborted) screen.draw(frame(last, { ...screen.size, headline }));
      await systemClock.sleep(everyMs, ending);
    }
  } finally {
    screen.close();
  }
}
