// `antiphon doctor`: whether everything in Redis is where it must be, and how it gets there again.

import type { Examination as Answered } from "../admin/api-doctor.ts";
import { type Examination, examine, type Finding } from "../broker/doctor.ts";
import { type Check, environmentOf } from "../redis/environment.ts";
import { systemClock } from "../runtime/clock.ts";
import { ApiClient, type ApiClientOptions } from "./api-client.ts";
import { askRedis } from "./ask-redis.ts";
import { audited } from "./audited.ts";
import { type Command, UsageError } from "./command.ts";
import { URL_OPTION, urlOf } from "./url-option.ts";

/** A large namespace takes minutes; each single command is answered, or given up, much sooner. */
const ANSWER_MS = 6 * 3_600_000;
const ANSWER_BEHIND_MS = 290_000;

export const doctor: Command = {
  name: "doctor",
  help: `Looks whether Redis itself is set up and well, and whether everything in it is where it must be, while work goes on; says what
is wrong, and mends what is out of place if asked to.
Without --repair nothing is written. Ends with 0 when all is well, or well again.`,
  options: {
    queue: {
      type: "string",
      value: "NAME",
      help: "only this queue: nothing that belongs to none, and not Redis itself",
    },
    repair: { type: "boolean", help: "mends what is wrong" },
    ...URL_OPTION,
    json: { type: "boolean", help: "an object: sound, queues, deliveries, findings, more, environment" },
  },
  async run({ readConfig, options, print, stopping }) {
    const { queue, repair, json } = options;
    if (queue === "") throw new UsageError("--queue takes the name of a queue.");
    const asked = { signal: stopping, repair: repair === true, ...(typeof queue === "string" && { queue }) };
    const config = await readConfig("tool");
    const url = urlOf(options);
    const look: Parameters<typeof askRedis<Told>>[1] = async (client, keys) => {
      const { durability } = config;
      const around = { client, keys, durability, clock: systemClock };
      const environment = asked.queue === undefined ? await environmentOf(around) : [];
      const run = (): Promise<Examination> => examine({ client, keys }, asked);
      const doing = { action: "doctor.repair", words: [], options };
      const repaired = (): Promise<Examination> =>
        audited({ config, client, keys }, doing, [run, ({ isSound }) => !isSound]);
      const examined = await (asked.repair ? repaired() : run()).catch((error: unknown) =>
        unexamined(error, environment),
      );
      return { ...examined, environment };
    };
    const looked =
      url === undefined ? askRedis(config, look, ANSWER_MS) : behind({ url, token: config.adminToken }, asked);
    const result = await looked.catch((error: unknown) => {
      if (stopping.aborted) return undefined;
      throw error;
    });
    if (result === undefined) {
      print("Stopped before everything was looked at.");
      return 1;
    }
    if (json) print(JSON.stringify(shown(result)));
    else tell(result, print, asked);
    return result.isSound && isFit(result.environment) && (queue === undefined || result.queues.length > 0) ? 0 : 1;
  },
};

/** A process that can reach Redis does it. It takes no namespace that is very large, and a request has an end. */
async function behind(api: ApiClientOptions, { queue, repair }: { queue?: string; repair: boolean }): Promise<Told> {
  const client = new ApiClient({ ...api, answerMs: ANSWER_BEHIND_MS });
  const asked = { query: { queue } };
  const { sound, environment, ...told } = await (repair
    ? client.ask<Answered>("POST", "/doctor/repair", asked)
    : client.ask<Answered>("GET", "/doctor", asked));
  return { ...told, isSound: sound, environment: environment as Check[], findings: told.findings as Finding[] };
}

interface Told extends Examination {
  readonly environment: readonly Check[];
  /** Why nothing was looked at but Redis itself. */
  readonly unexamined?: string;
}

/** What Redis itself lacks is told, also where that is why nothing else can be looked at. */
function unexamined(error: unknown, environment: readonly Check[]): Examination & Pick<Told, "unexamined"> {
  if (isFit(environment) || !(error instanceof Error) || error.name !== "ReplyError") throw error;
  const [why = ""] = error.message.split("\n");
  return { queues: [], deliveries: 0, findings: [], more: 0, isSound: false, unexamined: why };
}

function shown({ isSound, ...rest }: Told): object {
  return { sound: isSound, ...rest };
}

function tell(
  result: Told,
  print: (line: string) => void,
  { queue, repair }: { queue?: string; repair: boolean },
): void {
  const { queues, deliveries, findings, more, isSound, environment, unexamined: why } = result;
  for (const check of environment) if (check.state === "warning" || check.state === "problem") print(checkLine(check));
  if (why !== undefined) return print(`Nothing else can be looked at as long as Redis answers: ${why}`);
  if (queue !== undefined && queues.length === 0) return print(`There is no queue ${queue}.`);
  for (const finding of findings) print(line(finding));
  if (more > 0) print(`… and ${more} more.`);
  print(`Looked at ${count(queues.length, "queue", "queues")} with ${count(deliveries, "delivery", "deliveries")}.`);
  if (!isSound) print(repair ? "Something is still wrong." : "antiphon doctor --repair mends it.");
  else if (!isFit(environment)) print("Everything is in its place, but Redis itself has a problem: see above.");
  else print(findings.some(({ harmless }) => !harmless) ? "All is well again." : "All is well.");
}

function isFit(environment: readonly Check[]): boolean {
  return environment.every(({ state }) => state !== "problem");
}

function checkLine({ name, state, detail, remedy }: Check): string {
  return `Redis, ${name}: ${state}. ${detail}${remedy === undefined ? "" : ` Remedy: ${remedy}`}`;
}

function line({ queue, sentence, harmless }: Finding): string {
  return `${queue === "" ? "" : `${queue}: `}${sentence}${harmless ? " (harmless)" : ""}`;
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
