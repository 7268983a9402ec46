// /api/doctor: whether everything in Redis is where it must be, and mending it. One at a time, and of a namespace that is not too
// large for the memory and the time of a request: a larger one is for `antiphon doctor` at Redis itself.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { type Examination as Examined, examine } from "../broker/doctor.ts";
import { queueNames } from "../broker/registered.ts";
import { environmentOf } from "../redis/environment.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { DoctorQuery, Examination } from "./api-doctor.ts";
import { change, look } from "./declared.ts";
import type { ApiParts } from "./parts.ts";

const tag = "doctor";
const DELIVERIES_MAX = 200_000;
const EXAMINE_MS = 240_000;

export function doctorRoutes(parts: ApiParts): FastifyPluginAsyncTypebox {
  let isBusy = false;
  const ask = async (repair: boolean, queue: string | undefined): Promise<Examination> => {
    if (isBusy) throw new AntiphonError("TOO_MANY_REQUESTS", "An examination is under way.");
    isBusy = true;
    try {
      return await examination(parts, { repair, ...(queue !== undefined && { queue }) });
    } finally {
      isBusy = false;
    }
  };
  return async (app) => {
    app.get(
      "/doctor",
      look(
        { id: "examine", tag, says: "Looks whether everything in Redis is where it must be. Takes a while." },
        Examination,
        {
          querystring: DoctorQuery,
        },
      ),
      ({ query }) => ask(false, query.queue),
    );
    app.post(
      "/doctor/repair",
      change(
        { id: "repair", tag, role: "admin", audit: "doctor.repair", says: "And mends what is not." },
        Examination,
        {
          querystring: DoctorQuery,
        },
      ),
      ({ query }) => ask(true, query.queue),
    );
  };
}

interface Asked {
  readonly repair: boolean;
  readonly queue?: string;
}

async function examination({ context, clock }: ApiParts, asked: Asked): Promise<Examination> {
  const { client, keys } = context;
  const names = asked.queue === undefined ? await queueNames(context) : [asked.queue];
  const counts = await Promise.all(names.map((name) => client.hlen(`${keys.queue(name)}:j`)));
  const deliveries = counts.reduce((sum, count) => sum + count, 0);
  if (deliveries > DELIVERIES_MAX)
    throw new AntiphonError(
      "CONFLICT",
      `${deliveries} deliveries are too many for this: run \`antiphon doctor\` with REDIS_URL.`,
    );
  const signal = AbortSignal.timeout(EXAMINE_MS);
  try {
    const around = { client, keys, durability: context.durability ?? "default", clock };
    const environment = asked.queue === undefined ? await environmentOf(around) : [];
    return { ...told(await examine(context, { ...asked, signal, clock })), environment };
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new AntiphonError("CONFLICT", "It took too long for this: run `antiphon doctor` with REDIS_URL.", {
      cause: error,
    });
  }
}

function told({ isSound, queues, findings, ...rest }: Examined): Omit<Examination, "environment"> {
  return {
    ...rest,
    sound: isSound,
    queues: [...queues],
    findings: findings.map((finding) => ({ ...finding })),
  };
}
