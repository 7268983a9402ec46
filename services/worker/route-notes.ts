// What is told of the routes of a manifest for people: their kind, what makes them run, who may. Pure.

import type { RouteNote } from "../broker/catalogue.ts";
import { CHAT } from "../broker/served.ts";
import type { LoadedRoute, Manifest } from "../handlers/manifest.ts";
import { queueName } from "../sdk/place.ts";
import type { AnyRoute } from "../sdk/routes.ts";

const ON_CHARS_MAX = 500;

export function notesOf(manifest: Manifest): Map<string, RouteNote> {
  return new Map(manifest.routes.map((route) => [route.shape.id, noteOf(route)]));
}

function noteOf({ shape, handler }: LoadedRoute): RouteNote {
  const { kind, help, restrictTo, attempts, timeoutMs } = shape;
  return {
    kind,
    ...(help !== undefined && { help }),
    on: occasionOf(shape).slice(0, ON_CHARS_MAX),
    ...(restrictTo !== undefined && { restrictTo }),
    builtin: handler.builtin,
    ...(Number.isFinite(attempts) && { attempts }),
    timeoutMs,
    queue: queueOf(shape),
  };
}

function occasionOf(shape: AnyRoute): string {
  switch (shape.kind) {
    case "command":
      return shape.pattern;
    case "hear":
      return String(shape.pattern);
    case "fallback":
      return "what nothing else understood";
    case "http":
      return `${shape.method} ${shape.path}`;
    case "job":
      return shape.job.name;
    case "event":
      return shape.event.name;
    case "cron":
      return `${shape.spec} ${shape.tz}`;
    case "every":
      return `every ${shape.periodMs / 1000} s`;
  }
}

function queueOf(shape: AnyRoute): string {
  switch (shape.kind) {
    case "command":
    case "hear":
    case "fallback":
      return CHAT;
    case "job": {
      const { queue, tag } = shape.job;
      return queueName({ ...(queue !== undefined && { queue }), ...(tag !== undefined && { tag }) });
    }
    default:
      return shape.queue ?? queueName({});
  }
}
