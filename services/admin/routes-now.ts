// /api/now and /api/live: how the bot stands at this moment, and from moment to moment; /api/audit: who changed what.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { serverNowMs } from "../broker/connection.ts";
import { LIMIT, PageQuery, pageOf, Snapshot } from "./api.ts";
import { AuditEntry } from "./api-bot.ts";
import type { Audit } from "./audit.ts";
import { look } from "./declared.ts";
import { streamLive } from "./live.ts";
import { NOW_CHANNEL, NOW_EVERY_MS } from "./now-channel.ts";
import type { ApiParts } from "./parts.ts";
import { takeSnapshot } from "./snapshot.ts";

const NOW = "now";
/** What the leader has told is taken for now for so long. */
const FRESH_MS = 2 * NOW_EVERY_MS;

export function nowRoutes(parts: ApiParts & { readonly audit: Audit }): FastifyPluginAsyncTypebox {
  const { bus, audit } = parts;
  return async (app) => {
    app.get(
      "/now",
      look({ id: "showNow", tag: NOW, says: "How the bot stands, at most 4 s old." }, Snapshot, {}),
      async () => (await published(parts)) ?? takeSnapshot(parts),
    );
    app.get(
      "/live",
      {
        ...look(
          { id: "streamNow", tag: NOW, says: "Server-sent events: `now` with a Snapshot, `audit` with a change." },
          Snapshot,
          {},
        ),
      },
      async (request, reply) => {
        const { "last-event-id": lastEventId } = request.headers;
        const mayStay = (): Promise<boolean> => request.mayStay();
        await streamLive(bus, { response: reply.raw, lastEventId: lastEventId?.toString(), mayStay });
        reply.hijack();
        return reply;
      },
    );
    app.get(
      "/audit",
      look({ id: "listAudit", tag: "audit", says: "Who changed what, the newest first." }, pageOf(AuditEntry), {
        querystring: PageQuery,
      }),
      async ({ query: { limit = LIMIT, cursor } }) => {
        const page = await audit.list({ limit, ...(cursor !== undefined && { before: cursor }) });
        return { ...page, items: [...page.items] };
      },
    );
  };
}

/** So that many who look cost no more than one. */
async function published({ bus, context }: ApiParts): Promise<Snapshot | undefined> {
  const [{ messages }, nowMs] = await Promise.all([bus.backend.recent(NOW_CHANNEL, 1), serverNowMs(context)]);
  const last = messages.at(-1);
  if (last === undefined) return undefined;
  const snapshot = JSON.parse(last.data.toString("utf8")) as Snapshot;
  return nowMs - Date.parse(snapshot.at) < FRESH_MS ? snapshot : undefined;
}
