// /api/bulk and /api/undo: many deliveries at once, with a count before, and a purge taken back.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { restoreLetters } from "../broker/dead-undo.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { randomId } from "../runtime/ids.ts";
import { BulkAnswer, BulkBody, UndoAnswer } from "./api-bot.ts";
import { bulk } from "./bulk.ts";
import { change } from "./declared.ts";
import type { ApiParts } from "./parts.ts";

const tag = "jobs";
const TokenParams = Type.Object({ token: Type.String({ pattern: "^[0-9A-Za-z]{22}$" }) });

export function bulkRoutes({ queue, context }: ApiParts): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/bulk",
      change(
        {
          id: "changeMany",
          tag,
          audit: "job.bulk",
          says: "Many at once, by ids or by a filter; with `dryRun` a count. While there is a `cursor` there is more to do.",
        },
        BulkAnswer,
        { body: BulkBody },
      ),
      ({ body }) => bulk({ queue, context, newId: randomId }, body),
    );
    app.post(
      "/undo/:token",
      change(
        { id: "undoPurge", tag, audit: "job.undo", says: "Puts back what a purge took, within ten minutes." },
        UndoAnswer,
        {
          params: TokenParams,
        },
      ),
      async ({ params }) => {
        const count = await restoreLetters(context, params.token);
        if (count === undefined) throw new AntiphonError("NOT_FOUND", "There is nothing to undo any more.");
        return { count };
      },
    );
  };
}
