// The app that answers on the admin port everything but probes, metrics and /scale: the API under /api, each route checked against
// its schemas, for those who may.

import { type FastifyInstance, type FastifyPluginAsync, fastify } from "fastify";
import { lazyCompilers } from "../http/compilers.ts";
import { answerErrors, type Statuses } from "../http/errors.ts";
import type { Audit } from "./audit.ts";
import { describeRoutes, documentRoute } from "./openapi.ts";
import type { ApiParts } from "./parts.ts";
import { botRoutes } from "./routes-bot.ts";
import { bulkRoutes } from "./routes-bulk.ts";
import { doctorRoutes } from "./routes-doctor.ts";
import { jobRoutes } from "./routes-jobs.ts";
import { nowRoutes } from "./routes-now.ts";
import { queueRoutes } from "./routes-queues.ts";
import { scheduleRoutes } from "./routes-schedules.ts";
import { workerRoutes } from "./routes-workers.ts";

export interface AppOptions extends ApiParts {
  readonly audit: Audit;
  /** Finds out who asks, and refuses what they may not. */
  readonly access: FastifyPluginAsync;
  /** Of the session. */
  readonly cookie: string;
  /** Without a slash at its end. */
  readonly basePath: string;
  /** More of the API, under /api; and what is not under it, such as the dashboard's files. */
  readonly apiPlugins?: readonly FastifyPluginAsync[];
  readonly plugins?: readonly FastifyPluginAsync[];
}

/** What the API refuses beside what every server does. */
const STATUSES: Statuses = {
  OPTIONS_INVALID: 400,
  VALUE_NOT_JSON: 400,
  CRON_INVALID: 400,
  ROUTE_UNKNOWN: 404,
  SCHEDULE_UNKNOWN: 404,
  WORKER_UNKNOWN: 404,
  RESULT_MISSING: 404,
  RESULT_LATE: 408,
  CONFLICT: 409,
  JOB_DEAD: 409,
  ENVELOPE_UNREADABLE: 409,
  TOO_MANY_PAUSES: 409,
  VALUE_TOO_LARGE: 413,
};

const BODY_BYTES_MAX = 1024 * 1024;
const PARAM_CHARS_MAX = 256;
const REQUEST_MS = 60_000;

/** It listens nowhere: `app.routing` answers what another server was asked. */
export async function adminApp(options: AppOptions): Promise<FastifyInstance> {
  const { emit, random, access, basePath, cookie, plugins = [] } = options;
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: PARAM_CHARS_MAX },
    // What is not in a schema is refused, and not left out in silence.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true } },
    schemaController: { compilersFactory: lazyCompilers() },
  });
  answerErrors(app, { emit, random, statuses: STATUSES });
  takeEmptyBodies(app);
  await describeRoutes(app, { basePath, cookie });
  await app.register(access);
  await app.register(api(options), { prefix: `${basePath}/api` });
  for (const plugin of plugins) await app.register(plugin, { prefix: basePath });
  await app.ready();
  return app;
}

function api(options: AppOptions): FastifyPluginAsync {
  const { apiPlugins = [] } = options;
  const own = [nowRoutes, queueRoutes, jobRoutes, bulkRoutes, workerRoutes, scheduleRoutes, botRoutes, doctorRoutes];
  return async (app) => {
    for (const routes of own) await app.register(routes(options));
    for (const plugin of apiPlugins) await app.register(plugin);
    documentRoute(app);
  };
}

/** `POST …/cancel` has no body, whatever type its sender says that it has. */
function takeEmptyBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser("application/json");
  // oxlint-disable-next-line max-params -- The signature is Fastify's.
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, undefined);
    else parse(request, body.toString(), done);
  });
}
