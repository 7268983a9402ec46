// `antiphon support-bundle FILE`: everything for whoever helps from afar, without secrets.

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { supportBundle } from "../admin/support.ts";
import { systemClock } from "../runtime/clock.ts";
import { askRedis } from "./ask-redis.ts";
import { type Command, UsageError } from "./command.ts";

const ANSWER_MS = 180_000;

export const support: Command = {
  name: "support-bundle",
  words: "FILE",
  help: [
    "Writes what somebody needs to know who helps from afar, as JSON: versions, settings without secrets, Redis and what the",
    "doctor says, figures, leaders, last errors. Read it before you send it: errors may quote what people wrote.",
  ].join("\n"),
  options: {},
  async run({ words: [file, ...others], cwd, readConfig, print }) {
    if (file === undefined || others.length > 0) throw new UsageError("support-bundle takes FILE.");
    const config = await readConfig("tool");
    const around = { config, clock: systemClock };
    const bundle = await askRedis(
      config,
      (client, keys) => supportBundle({ ...around, context: { client, keys } }),
      ANSWER_MS,
    );
    try {
      await writeFile(resolve(cwd, file), bundle, { flag: "wx", mode: 0o600 });
    } catch (error) {
      throw new UsageError(`${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
    print(`${file}: ${Math.ceil(bundle.length / 1024)} KB`);
    return 0;
  },
};
