// /api/support-bundle: everything for whoever helps from afar, without secrets. One at a time, for it looks through everything.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { AntiphonError } from "../runtime/errors.ts";
import { change } from "./declared.ts";
import { supportBundle, type SupportOptions } from "./support.ts";

const Bundle = Type.Unsafe<unknown>({ description: "Versions, settings, Redis, the doctor, figures, leaders." });

export function supportRoutes(options: SupportOptions): FastifyPluginAsyncTypebox {
  let isBusy = false;
  return async (app) => {
    app.get(
      "/support-bundle",
      change(
        {
          id: "makeSupportBundle",
          tag: "diagnostics",
          role: "admin",
          audit: "diagnostics.support-bundle",
          says: "Versions, settings, the doctor and figures, without secrets.",
        },
        Bundle,
        {},
      ),
      async (_request, reply) => {
        if (isBusy) throw new AntiphonError("TOO_MANY_REQUESTS", "One is being made.");
        isBusy = true;
        try {
          const bundle = Buffer.from(await supportBundle(options));
          const disposition = 'attachment; filename="antiphon-support.json"';
          return await reply
            .headers({ "content-type": "application/json; charset=utf-8", "content-disposition": disposition })
            .send(bundle);
        } finally {
          isBusy = false;
        }
      },
    );
  };
}
