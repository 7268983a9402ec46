// Has each change in the audit log: before it is made, for a change that could not be told afterwards is not made at all;
// and with what came of it, before it is answered.

import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Emit } from "../../telemetry/events.ts";
import type { Audit, OpenChange } from "../audit.ts";
import { targetOf } from "../audit-target.ts";
import { type Caller, changeBy } from "./roles.ts";

export interface AuditHooksOptions {
  readonly audit: Audit;
  readonly emit: Emit;
  readonly caller: (request: FastifyRequest) => Caller;
}

export function auditHooks(app: FastifyInstance, { audit, emit, caller }: AuditHooksOptions): void {
  const open = new WeakMap<FastifyRequest, OpenChange>();
  // Behind the validation: what is not even a request changes nothing.
  app.addHook("preHandler", async (request) => {
    const { audit: action } = request.routeOptions.config;
    if (action === undefined || request.is404) return;
    const target = targetOf(request);
    open.set(request, await audit.begin(changeBy(caller(request), { action, target })));
  });
  app.addHook("onSend", async (request, { statusCode: status }) => {
    const change = open.get(request);
    if (change === undefined) return;
    open.delete(request);
    const outcome = status < 400 ? "done" : status < 500 ? "refused" : "failed";
    // It is made already. Unclosed, it is told as `unknown` in a while.
    await audit.end(change, { outcome, status }).catch((error: unknown) => {
      emit("admin.audit-unclosed", { action: change.action, error });
    });
  });
}
