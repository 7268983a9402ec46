// The OpenAPI 3.1 document, made from the schemas of the routes as they are registered.

import swagger, { type FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { VERSION } from "../runtime/version.ts";
import { Type } from "typebox";
import { look } from "./declared.ts";

const ABOUT = `The API behind the dashboard, on the admin port of every master and worker. Changes need the role \`operator\`, some \`admin\`; each is in the audit log. Errors are \`{"error": {"code", "message"}}\`. Times are ISO 8601, by the clock of Redis. While a list has a \`cursor\` there may be more: send it back with \`?cursor=\`.`;

/** Before the routes are. */
export async function describeRoutes(
  app: FastifyInstance,
  { basePath, cookie }: { basePath: string; cookie: string },
): Promise<void> {
  const options: FastifyDynamicSwaggerOptions = {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Antiphon", description: ABOUT, version: VERSION, license: { name: "MIT" } },
      servers: [{ url: basePath === "" ? "/" : basePath }],
      components: {
        securitySchemes: {
          bearer: { type: "http", scheme: "bearer", description: "A token of ANTIPHON_ADMIN_TOKEN(S)." },
          cookie: {
            type: "apiKey",
            in: "cookie",
            name: cookie,
            description: "Of a login; changes need x-csrf-token too.",
          },
        },
      },
    },
    hideUntagged: true,
  };
  await app.register(swagger, options);
}

/** GET openapi.json */
export function documentRoute(app: FastifyInstance): void {
  app.get(
    "/openapi.json",
    look({ id: "openapi", tag: "about", says: "This document." }, Type.Record(Type.String(), Type.Unknown()), {}),
    async () => app.swagger(),
  );
}
