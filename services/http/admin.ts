// The admin server of both modes: probes now, more plugins as they are passed in. Never reachable through the public port.

import type { FastifyPluginAsync } from "fastify";
import type { Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import { health, type HealthSource } from "./health.ts";
import { HttpServer } from "./server.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly health: HealthSource;
  readonly plugins?: readonly FastifyPluginAsync[];
  readonly emit: Emit;
  readonly random: Random;
}

export function adminServer(options: AdminOptions): HttpServer {
  const plugins = [health(options.health), ...(options.plugins ?? [])];
  return new HttpServer({ ...options, name: "admin", plugins });
}
