// What a run enqueues and emits: checked, given its effect id, written as a child of the run's delivery.

import { encodeEnvelope, type EnvelopeHeader } from "../broker/delivery.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { EnqueueOptions, Event, Id, Job, ToEnqueue as Member } from "../sdk/context.ts";
import type { DeliveryOptions } from "../sdk/enqueue-options.ts";
import type { EnqueueCall, Meta } from "../sdk/middleware.ts";
import { WORK_QUEUE } from "../sdk/place.ts";
import { type Prepared, prepareEvent, prepareJob, type ToEnqueue } from "../sdk/prepare.ts";
import { carried } from "../telemetry/carrier.ts";
import { idsOf } from "../telemetry/queue-spans.ts";
import { during, type Span } from "../telemetry/tracing.ts";
import { aroundEnqueue } from "./around.ts";
import type { RouteRun, What } from "./route-run.ts";
import { startEnqueue } from "./traced-effects.ts";
import { tooMany } from "./writer.ts";

/** So many are written before the next ones are begun. */
const CHUNK = 1000;
/** What one delivery may wait for. */
const MEMBERS_MAX = 5000;

/** A job that was found to be sound. */
interface Ready {
  readonly job: Job;
  readonly input: unknown;
  readonly options: EnqueueOptions;
  readonly prepared: ToEnqueue;
}

/** Throws a coded error with everything that is wrong. */
export async function enqueue(run: RouteRun, job: Job, given: Omit<Member, "job">): Promise<string> {
  const call = { kind: "job", name: job.name, input: given.input, options: given.options ?? {} } as const;
  const ids = await aroundEnqueue(run, call, async ({ input, options, meta }) => {
    const one = { job, input, options, prepared: await ready(run, { job, input, options }) };
    return [await write(run, one, { meta })];
  });
  return ids[0] ?? "";
}

/** In order. Nothing is enqueued when something is wrong with one of them. */
export async function enqueueAll(run: RouteRun, members: readonly Member[]): Promise<string[]> {
  const all = await readyAll(run, members);
  if (!run.underway.writer.hasRoomFor(all.length)) throw tooMany();
  const span = startEnqueue(run, all[0]?.prepared.queue ?? WORK_QUEUE, { count: all.length });
  return during(span, async () => {
    const ids: string[] = [];
    for (let at = 0; at < all.length; at += CHUNK) {
      ids.push(...(await Promise.all(all.slice(at, at + CHUNK).map((one) => enqueueReady(run, one, span)))));
    }
    return ids;
  });
}

/** The last one runs when all the others have finished. */
export async function batch(run: RouteRun, members: readonly Member[], last: Member): Promise<Batch> {
  const { after: others = [] } = last.options ?? {};
  if (members.length + others.length > MEMBERS_MAX)
    throw new AntiphonError("OPTIONS_INVALID", `A batch may have ${MEMBERS_MAX} members, not ${members.length}.`);
  if (!run.underway.writer.hasRoomFor(members.length + 1)) throw tooMany();
  await readyAll(run, [last]);
  const ids = await enqueueAll(run, members);
  const after = [...others, ...ids];
  const id = await enqueue(run, last.job, { input: last.input, options: { ...last.options, after } });
  return { id, members: ids };
}

export interface Batch {
  readonly id: string;
  readonly members: string[];
}

export async function emit(run: RouteRun, event: Event, given: { payload: unknown; options: Id }): Promise<void> {
  const call = { kind: "event", name: event.name, input: given.payload, options: given.options } as const;
  await aroundEnqueue(run, call, async ({ input, options, meta }) => {
    const content = unwrap(await prepareEvent({ event, payload: input }));
    const what: What = { operation: "emit", target: event.name, content, id: options.id };
    // Ids first: how often a thing was said is counted in the order in which it is asked for.
    const children = run.parts.manifest.subscribers(event.name).map(({ shape }): Child => {
      const id = run.effectId({ ...what, target: `${event.name}\n${shape.id}` });
      const { queue = WORK_QUEUE, class: priority } = shape;
      const delivery = priority === undefined ? {} : { class: priority };
      return { id, route: shape.id, queue, delivery, header: { kind: "event", ...metaOf(meta) }, payload: content };
    });
    return Promise.all(children.map((child) => writeChild(run, child)));
  });
}

async function readyAll(run: RouteRun, members: readonly Member[]): Promise<Ready[]> {
  const all: Ready[] = [];
  const problems: string[] = [];
  let first: AntiphonError | undefined;
  for (const [index, { job, input, options = {} }] of members.entries()) {
    try {
      all.push({ job, input, options, prepared: await ready(run, { job, input, options }) });
    } catch (error) {
      if (!(error instanceof AntiphonError)) throw error;
      first ??= error;
      if (problems.length < PROBLEMS_MAX) problems.push(`number ${index + 1}: ${error.message}`);
    }
  }
  if (first !== undefined) throw new AntiphonError(first.code, problems.join(" "));
  return all;
}

const PROBLEMS_MAX = 10;

/** `ofMany`: the span of all that are enqueued together. */
async function enqueueReady(run: RouteRun, one: Ready, ofMany: Span | undefined): Promise<string> {
  const { job, input, options } = one;
  const call = { kind: "job", name: job.name, input, options } as const;
  const ids = await aroundEnqueue(run, call, async (last) => {
    const isSame = last.input === input && last.options === options;
    const now = isSame ? one : { job, ...last, prepared: await ready(run, { job, ...last }) };
    return [await write(run, now, { meta: last.meta, ofMany })];
  });
  return ids[0] ?? "";
}

type Asked = Pick<EnqueueCall, "input" | "options"> & { readonly job: Job };

async function ready(run: RouteRun, { job, input, options }: Asked): Promise<ToEnqueue> {
  routeOf(run, job);
  return unwrap(await prepareJob({ job, input, options, random: run.parts.random }));
}

function unwrap<T>(prepared: Prepared<T>): T {
  if (prepared.ok) return prepared.value;
  throw new AntiphonError(prepared.code, prepared.detail);
}

function routeOf(run: RouteRun, job: Job): string {
  const route = run.parts.manifest.job(job.name);
  if (route === undefined) throw new AntiphonError("ROUTE_UNKNOWN", `job ${job.name}`);
  return route.shape.id;
}

/** Times count for the effect's id only as far as the author wrote them: a moment is another one in each attempt. */
function write(run: RouteRun, { job, options, prepared }: Ready, { meta, ofMany }: With): Promise<string> {
  const { queue, delivery, header, payload } = prepared;
  const content = `${payload}\n${options.key ?? ""}\n${delivery.delayMs ?? 0}`;
  const id = run.effectId({ operation: "enqueue", target: job.name, content, id: options.id });
  const said = { kind: "job", ...header, ...metaOf(meta) } as const;
  return writeChild(run, { id, route: routeOf(run, job), queue, delivery, header: said, payload, ofMany });
}

interface With {
  readonly meta: Meta | undefined;
  readonly ofMany?: Span | undefined;
}

function metaOf(meta: Meta | undefined): Pick<EnvelopeHeader, "meta"> {
  return meta === undefined ? {} : { meta };
}

interface Child {
  readonly id: string;
  readonly route: string;
  readonly queue: string;
  readonly delivery: DeliveryOptions;
  readonly header: Omit<EnvelopeHeader, "v" | "at" | "route">;
  readonly payload: string;
  readonly ofMany?: Span | undefined;
}

/** Gives its public id. */
async function writeChild(run: RouteRun, child: Child): Promise<string> {
  const { route, queue, ofMany } = child;
  if (run.parts.tracing === undefined || ofMany !== undefined) return writeWith(run, child, ofMany);
  const span = startEnqueue(run, queue, {
    route,
    kind: child.header.kind,
    bodyBytes: Buffer.byteLength(child.payload),
  });
  return during(span, async () => {
    const id = await writeWith(run, child, span);
    span?.set(idsOf(id));
    return id;
  });
}

async function writeWith(run: RouteRun, child: Child, span: Span | undefined): Promise<string> {
  const { id, route, queue, delivery, header, payload, ofMany } = child;
  const number = run.parts.numbers.get(route);
  if (number === undefined) throw new AntiphonError("ROUTE_UNKNOWN", `${route} has no number.`);
  const trace = carried(span, ofMany !== undefined);
  const whole: EnvelopeHeader = { v: 1, route, ...header, ...run.underway.causedBy, ...trace };
  const envelope = encodeEnvelope(whole, payload);
  return run.write({ kind: "child", id, queue, delivery: { route: number, envelope, ...delivery } });
}
