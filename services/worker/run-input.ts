// What a route's function is given besides ctx: checked in the run, because the door only stores.

import { enqueuedAtMs } from "../broker/delivery.ts";
import { isKind, type LoadedRoute } from "../handlers/manifest.ts";
import { readRequest } from "../handlers/request.ts";
import type { Schema } from "../sdk/infer.ts";
import { runSchema } from "../sdk/schema.ts";
import { timedCtx } from "../sdk/timed.ts";
import type { Underway } from "./underway.ts";

export type Input = { readonly ok: true; readonly value: object } | { readonly ok: false; readonly reason: string };

export async function inputOf(route: LoadedRoute, underway: Underway, payload: Buffer): Promise<Input> {
  if (isKind(route, "job")) return read("input", route.shape.job.input, payload);
  if (isKind(route, "event")) return read("payload", route.shape.event.payload, payload);
  if (isKind(route, "cron") || isKind(route, "every"))
    return { ok: true, value: timedCtx(payload.toString("utf8"), enqueuedAtMs(underway.claim.id)) };
  if (!isKind(route, "http")) return { ok: true, value: {} };
  const request = underway.header?.request;
  if (request === undefined) return { ok: false, reason: "a webhook without its request" };
  const result = await readRequest(route.shape, { ...request, body: payload });
  return result.ok ? { ok: true, value: result.request } : result;
}

async function read(name: "input" | "payload", schema: Schema, payload: Buffer): Promise<Input> {
  let value: unknown;
  try {
    if (payload.length > 0) value = JSON.parse(payload.toString("utf8"));
  } catch (error) {
    return { ok: false, reason: `${name} is no JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const checked = await runSchema(schema, value);
  return checked.ok
    ? { ok: true, value: { [name]: checked.value } }
    : { ok: false, reason: `${name}: ${checked.issues.join("; ")}` };
}
