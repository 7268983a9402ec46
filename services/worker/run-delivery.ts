// One claimed delivery, from its bytes to its Settlement. Whatever is wrong with it becomes an outcome; nothing is thrown.

import { readBody } from "../broker/bodies.ts";
import {
  claimedAtMs,
  decodeEnvelope,
  enqueuedAtMs,
  type EnvelopeHeader,
  type Kind,
  verdictOf,
} from "../broker/delivery.ts";
import { lostOrigin } from "../broker/lost.ts";
import type { LoadedRoute } from "../handlers/manifest.ts";
import { backoffMs } from "../runtime/backoff.ts";
import { AntiphonError, hasCode } from "../runtime/errors.ts";
import { deliveryNumber } from "../runtime/ids.ts";
import type { AnyRoute } from "../sdk/routes.ts";
import { NOBODY } from "../store/groups.ts";
import { callRoute } from "./around.ts";
import { RunCtx } from "./context.ts";
import type { Failure, Settled } from "./protocol.ts";
import { isOfLaterRelease, unread, waiting } from "./put-back.ts";
import { reasonOf, type RouteResult } from "./results.ts";
import { inputOf } from "./run-input.ts";
import { runMessage } from "./run-message.ts";
import { fallen, type Gate, runRoute } from "./run-route.ts";
import { untilAnswered } from "./patience.ts";
import { tracedRun } from "./traced-run.ts";
import type { Underway } from "./underway.ts";
import { buried, dropped, settle, stoppedSettled } from "./verdict.ts";

export interface DeliveryRun {
  readonly underway: Underway;
  readonly gate: Gate;
  /** The run has failed already, together with its thread. */
  readonly failed?: Failure;
}

export async function runDelivery(given: DeliveryRun): Promise<Settled> {
  const { underway } = given;
  try {
    const body = await bodyOf(underway);
    if (body === null) return await nothingLeft(underway);
    return await runEnvelope(given, body);
  } catch (error) {
    return thrown(underway, error);
  }
}

function thrown(underway: Underway, error: unknown): Promise<Settled> | Settled {
  const isFenced = hasCode(error, "FENCED") || hasCode(error, "CLAIM_LOST");
  if (isFenced || underway.stop !== undefined || hasCode(error, "REDIS_UNAVAILABLE")) {
    return stoppedSettled(underway, isFenced || underway.stop === "fenced" ? "lost" : "interrupted");
  }
  underway.parts.tracing?.active()?.fail(error);
  return buried(underway, reasonOf(error));
}

const NOTHING = new Uint8Array(0);

/** It was cancelled, or it goes on under another number; or its body is lost, and what waits for it is told that it has ended. */
async function nothingLeft({ claim, origin, place, parts, patience }: Underway): Promise<Settled> {
  const { serial, bodyToken, id } = claim;
  if (bodyToken === "") return { serial, kind: "gone", origin, effects: [], history: "" };
  const lost = await untilAnswered(patience, () => lostOrigin(parts.broker, place, claim));
  if (lost === undefined) return { serial, kind: "lost", origin, effects: [], history: "" };
  parts.emit("body.lost", { queue: place.queue, id: lost });
  const error = `the body of ${id} is not in Redis`;
  const history = JSON.stringify({ id: lost, routes: [], outcome: "lost", attempt: 1, ms: 0, error });
  return { serial, kind: "gone", origin: lost, effects: [], history };
}

async function bodyOf({ claim, place, parts, patience }: Underway): Promise<Buffer | null> {
  if (claim.body !== null || claim.bodyToken === "") return claim.body;
  return untilAnswered(patience, () => readBody(parts.broker, place.queue, claim.bodyToken));
}

function runEnvelope(given: DeliveryRun, body: Buffer): Promise<Settled> | Settled {
  const { underway } = given;
  const { header, payload } = decodeEnvelope(body);
  if (isOfLaterRelease(header)) return unread(underway, header.v);
  underway.header = header;
  const { tracing } = underway.parts;
  if (tracing === undefined) return runKnown(given, header, payload);
  return tracedRun(tracing, underway, () =>
    runKnown(given, header, payload).catch((error: unknown) => thrown(underway, error)),
  );
}

async function runKnown(given: DeliveryRun, header: EnvelopeHeader, payload: Buffer): Promise<Settled> {
  const { underway, failed } = given;
  if (isExpired(underway)) return dropped(underway, "expired");
  const { manifest } = underway.parts;
  const named = header.only ?? (header.kind === "message" ? [] : [routeIdOf(underway)]);
  const unknown = named.filter((id) => manifest.route(id) === undefined);
  if (unknown.length > 0) return waiting(underway, unknown);
  if (failed?.code === "RUN_CRASHED" && !isCrashedOut(underway)) return crashed(underway, failed);
  if (header.kind === "message") return runMessage({ ...given, payload });
  const route = manifest.route(named[0] ?? "") as LoadedRoute;
  if (KIND_OF[route.shape.kind] !== header.kind) {
    return buried(underway, `${route.shape.id} is a ${route.shape.kind} route, and this is a ${header.kind}`);
  }
  const result = failed ? fallen(underway, route.shape, failed) : await runNamed(given, route, payload);
  return settle(underway, [{ route: route.shape, result }], NOTHING);
}

const KIND_OF: Readonly<Record<AnyRoute["kind"], Kind>> = {
  command: "message",
  hear: "message",
  fallback: "message",
  http: "webhook",
  job: "job",
  event: "event",
  cron: "cron",
  every: "cron",
};

/** By its id, or by its number where a producer knows no more. */
function routeIdOf({ header, claim, parts }: Underway): string {
  if (header?.route !== undefined) return header.route;
  for (const [id, number] of parts.numbers) if (number === claim.element.route) return id;
  return `number ${claim.element.route}`;
}

function isCrashedOut({ claim }: Underway): boolean {
  return verdictOf(claim.element.crashes + 1) === "dead";
}

/**
 * When it was claimed and when it was enqueued are both told by the server's clock; ours only says how long it has waited
 * here since, behind others of its run.
 */
function isExpired({ header, claim, origin, waitedMs }: Underway): boolean {
  const { ttl, notAfter = Number.POSITIVE_INFINITY } = header ?? {};
  if (ttl === undefined && notAfter === Number.POSITIVE_INFINITY) return false;
  const nowMs = claimedAtMs(claim.fence) + waitedMs;
  if (nowMs > notAfter) return true;
  return ttl !== undefined && nowMs > enqueuedAtMs(deliveryNumber(origin) ?? claim.id) + ttl;
}

const CRASH_DELAY = { firstMs: 1000, maxMs: 10_000 };

function crashed(underway: Underway, { code, detail }: Failure): Settled {
  const { claim, origin, parts } = underway;
  const delayMs = backoffMs(claim.element.crashes, CRASH_DELAY, parts.random);
  const error = reasonOf(new AntiphonError(code, detail));
  return { serial: claim.serial, kind: "crash", delayMs, error, origin, effects: [], history: "" };
}

async function runNamed({ underway, gate }: DeliveryRun, route: LoadedRoute, payload: Buffer): Promise<RouteResult> {
  const { restrictTo, id } = route.shape;
  if (restrictTo !== undefined) {
    const { by } = underway;
    const membership = by === undefined ? NOBODY : await underway.parts.groups.membershipOf(by);
    if (!membership.may(restrictTo)) {
      underway.parts.emit("run.refused", { route: id, user: by?.id ?? "nobody" });
      // Anybody may call a webhook, so refusals are not kept for an operator.
      if (route.shape.kind === "http") return { kind: "done", note: "refused" };
      return { kind: "failed", reason: `refused: ${by?.id ?? "nobody"} is in none of ${restrictTo.join(", ")}` };
    }
  }
  const input = await inputOf(route, underway, payload);
  if (!input.ok) return { kind: "failed", reason: `INPUT_INVALID: ${input.reason}` };
  return runRoute(underway, route, {
    gate,
    call: (run) => callRoute(run, Object.assign(new RunCtx(run), input.value)),
  });
}
