// `--url`: the admin port that a command asks, in place of Redis.

import { type CommandContext, type Option, UsageError } from "./command.ts";

export const URL_OPTION: Readonly<Record<"url", Option>> = {
  url: {
    type: "string",
    value: "URL",
    help: "asks the admin port of a master or worker instead of Redis, with ANTIPHON_ADMIN_TOKEN",
  },
};

/** @throws UsageError */
export function urlOf({ url }: CommandContext["options"]): string | undefined {
  if (url === undefined) return undefined;
  if (typeof url === "string" && /^https?:\/\/[^/]/.test(url)) return url.replace(/\/+$/, "");
  throw new UsageError("--url takes the address of an admin port, e.g. http://localhost:9090.");
}
