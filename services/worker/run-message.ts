// A Message: which routes want it, who may run them, and one after another their runs.

import { encodeEnvelope } from "../broker/delivery.ts";
import type { Effect } from "../broker/effects.ts";
import type { LoadedRoute } from "../handlers/manifest.ts";
import { effectId } from "../sdk/action.ts";
import { type Matched, matchMessage, type Matching, orderingKeyOf } from "../sdk/match.ts";
import type { Message } from "../sdk/message.ts";
import type { ChatRoute } from "../sdk/routes.ts";
import { runSchema } from "../sdk/schema.ts";
import { carried } from "../telemetry/carrier.ts";
import { callRoute } from "./around.ts";
import { ChatRunCtx, type Heard } from "./chat-context.ts";
import { checkedText } from "./context.ts";
import type { Failure, Settled } from "./protocol.ts";
import { failureText, misfitText, politeEffect, refusalText, unknownText, usageText } from "./respond.ts";
import type { RouteResult } from "./results.ts";
import type { RouteRun } from "./route-run.ts";
import { fallen, type Gate, runRoute } from "./run-route.ts";
import type { Underway } from "./underway.ts";
import { buried, type RouteVerdict, settle } from "./verdict.ts";

export interface MessageRun {
  readonly underway: Underway;
  readonly gate: Gate;
  readonly payload: Buffer;
  /** The run has failed already, together with its thread. */
  readonly failed?: Failure;
}

export async function runMessage(given: MessageRun): Promise<Settled> {
  const { underway, payload, failed } = given;
  const message = readMessage(payload);
  if (message === undefined) return buried(underway, "the payload is no Message");
  underway.by = message.user;
  const { manifest, bot, groups, held } = underway.parts;
  const matching = matchMessage(manifest.chat, message, bot);
  const here = wanted(given, matching, { message, held: await held.now() });
  if (here.length === 0) {
    tellUnmatched(underway, matching, message);
    return settle(underway, [], payload);
  }
  const membership = await groups.membershipOf(message.user);
  const verdicts: RouteVerdict[] = [];
  for (const matched of here) {
    const fell = failed !== undefined && isToBlame(given, matched.route);
    const result = fell
      ? fallen(underway, matched.route, failed)
      : await runMatched(given, matched, { message, said: matching.body, membership });
    verdicts.push({ route: matched.route, result });
    if (result.kind === "interrupted" || result.kind === "lost") break;
    if (result.kind === "failed" && result.retry === undefined && result.errorId !== undefined) {
      underway.effects.push(
        politeEffect(underway, message, { route: matched.route.id, text: failureText(result.errorId) }),
      );
    }
  }
  return settle(underway, verdicts, payload);
}

function readMessage(payload: Buffer): Message | undefined {
  try {
    const message = JSON.parse(payload.toString("utf8")) as Partial<Message> | null;
    const isMessage =
      typeof message?.text === "string" &&
      typeof message.id === "string" &&
      typeof message.room === "string" &&
      typeof message.user?.id === "string";
    return isMessage ? (message as Message) : undefined;
  } catch {
    return undefined;
  }
}

interface ForWhom {
  readonly message: Message;
  readonly held: ReadonlySet<number>;
}

/**
 * The routes to run here. Those that ask for another ordering key become deliveries of their own, and so do those that are
 * switched off: nothing else of its key waits for them.
 */
function wanted({ underway, payload }: MessageRun, matching: Matching, { message, held }: ForWhom): Matched[] {
  const only = underway.header?.only;
  if (only !== undefined) return matching.runs.filter(({ route }) => only.includes(route.id));
  return matching.runs.filter(({ route }) => {
    const isHeld = held.has(underway.parts.numbers.get(route.id) ?? 0);
    const key = isHeld ? `${underway.claim.key}\n${route.id}` : keyOf(route, message);
    if (key === undefined || key === underway.claim.key) return true;
    underway.effects.push(childWithKey(underway, { route, key, payload }));
    return false;
  });
}

/** An author's function of the key that throws is no reason to lose the Message: the route runs under the Message's own key. */
function keyOf(route: ChatRoute, message: Message): string | undefined {
  try {
    const key: unknown = orderingKeyOf(route, message);
    return typeof key === "string" && key !== "" ? key : undefined;
  } catch {
    return undefined;
  }
}

function childWithKey(underway: Underway, child: { route: ChatRoute; key: string; payload: Buffer }): Effect {
  const { claim, origin, parts, place } = underway;
  const { id: route } = child.route;
  const header = {
    v: 1,
    kind: "message",
    key: child.key,
    only: [route],
    ...underway.causedBy,
    ...carried(parts.tracing?.active()),
  } as const;
  const id = effectId({ origin, route, operation: "enqueue", target: "message", content: child.key });
  const envelope = encodeEnvelope(header, child.payload);
  const delivery = { route: parts.numbers.get(route) ?? 0, class: claim.element.class, key: child.key, envelope };
  return { kind: "child", id, queue: place.queue, delivery };
}

/** Whoever speaks to the bot is never left without an answer. */
function tellUnmatched(underway: Underway, matching: Matching, message: Message): void {
  if (!matching.addressed || matching.runs.length > 0 || underway.header?.only !== undefined) return;
  const { name } = underway.parts.bot;
  const text = matching.misused.length > 0 ? usageText(name, matching.misused) : unknownText(name);
  underway.effects.push(politeEffect(underway, message, { route: "", text }));
}

async function runMatched(given: MessageRun, matched: Matched, heard: Heard): Promise<RouteResult> {
  const { underway, gate } = given;
  const { route } = matched;
  if (!heard.membership.may(route.restrictTo)) return refused(underway, route, heard);
  const loaded = underway.parts.manifest.route(route.id) as LoadedRoute<ChatRoute>;
  const misfit = new Misfit();
  const result = await runRoute(underway, loaded, {
    gate,
    call: async (run) => {
      const args = await argsOf(matched, misfit);
      if (misfit.issues !== undefined) return undefined;
      const ctx = Object.assign(new ChatRunCtx(run, heard), { args, match: matched.match });
      return callRoute(run, ctx);
    },
    say: (run, value) => (typeof value === "string" ? sayIn(run, heard.message, value) : undefined),
  });
  if (misfit.issues === undefined || result.kind !== "done") return result;
  if (route.kind === "command") {
    const text = misfitText(underway.parts.bot.name, route, misfit.issues);
    underway.effects.push(politeEffect(underway, heard.message, { route: route.id, text }));
  }
  return { kind: "done", note: "the arguments did not fit" };
}

/** Arguments that their schema refuses are the person's mistake and no failure. */
class Misfit {
  issues: readonly string[] | undefined;
}

async function argsOf({ route, args }: Matched, misfit: Misfit): Promise<unknown> {
  if (route.kind === "fallback" || route.args === undefined) return args;
  const checked = await runSchema(route.args, args);
  if (checked.ok) return checked.value;
  misfit.issues = checked.issues;
  return undefined;
}

function sayIn(run: RouteRun, message: Message, text: string): Effect | undefined {
  if (text === "") return undefined;
  const { unit, id: room } = run.parts.rooms.find(message.room);
  const id = run.effectId({ operation: "send", target: message.room, content: text });
  const thread = message.thread === undefined ? {} : { thread: message.thread };
  return run.effectOf({ op: "send", id, unit, room, text: checkedText(text), ...thread });
}

function refused(underway: Underway, route: ChatRoute, { message, membership }: Heard): RouteResult {
  underway.parts.emit("run.refused", { route: route.id, user: message.user.id });
  // Nobody is told that they may not do what they did not ask for.
  if (route.kind !== "hear") {
    const text = refusalText(route.restrictTo ?? [], membership);
    underway.effects.push(politeEffect(underway, message, { route: route.id, text }));
  }
  return { kind: "done", note: "refused" };
}

/** The other routes are not to blame when one had to be ended with its thread; they run, again where they ran before. */
function isToBlame({ underway, failed }: MessageRun, route: ChatRoute): boolean {
  if (failed?.code !== "RUN_TIMEOUT" && failed?.code !== "RUN_HEAP") return failed !== undefined;
  return failed.route === undefined || failed.route === underway.parts.numbers.get(route.id);
}
