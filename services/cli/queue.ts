// `antiphon queue ls`: what waits, what runs and what failed for good.

import { queueDepth, type QueueDepth } from "../broker/inspect.ts";
import { queueNames } from "../broker/reap.ts";
import { suggestion } from "../runtime/suggest.ts";
import { askRedis } from "./ask-redis.ts";
import { columns, type Command, UsageError } from "./command.ts";

export const queue: Command = {
  name: "queue",
  words: "[ls]",
  help: "Lists the queues and how many deliveries are in them: ready, claimed by a worker, due later, dead.",
  options: { json: { type: "boolean", help: "an array of objects" } },
  async run({ readConfig, options, words, print }) {
    const [verb = "ls", ...more] = words;
    if (verb !== "ls" || more.length > 0)
      throw new UsageError(`queue knows no ${words.join(" ")}.${suggestion(verb, ["ls"])}`);
    const depths = await askRedis(await readConfig("tool"), async (client, keys) => {
      const names = (await queueNames({ client, keys })).sort();
      return Promise.all(names.map((name) => queueDepth({ client, keys }, name)));
    });
    if (options["json"]) print(JSON.stringify(depths));
    else print(columns([["QUEUE", "READY", "CLAIMED", "DELAYED", "DEAD"], ...depths.map(row)]));
    return 0;
  },
};

function row({ name, ready, claimed, delayed, dead }: QueueDepth): string[] {
  return [name, ...[ready, claimed, delayed, dead].map(String)];
}
