// The HTTP routes of handlers: size, content type and signature are judged at the door, then the raw body is stored, and
// only then the sender gets its 202. Bodies are not parsed here, unless the route says `parse: "before"`.

import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { envelopeHead, type EnvelopeHeader, type RequestHead } from "../broker/delivery.ts";
import type { Enqueued, PiecedDelivery } from "../broker/producer.ts";
import type { LoadedRoute } from "../handlers/manifest.ts";
import { readFields, readRequest } from "../handlers/request.ts";
import type { Body, BodyGate } from "../http/body-gate.ts";
import { discard } from "../http/upload.ts";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { refusalOf } from "../http/errors.ts";
import type { Emit } from "../telemetry/events.ts";
import { verifySignature } from "../sdk/hmac.ts";
import type { Fields } from "../sdk/infer.ts";
import { WORK_QUEUE } from "../sdk/place.ts";
import type { HttpRoute } from "../sdk/routes.ts";
import { carried, carrierOf } from "../telemetry/carrier.ts";
import { idsOf, startSend } from "../telemetry/queue-spans.ts";
import { during, type Span, type Tracing } from "../telemetry/tracing.ts";

export interface WebhookOptions {
  readonly routes: readonly LoadedRoute<HttpRoute>[];
  readonly gate: BodyGate;
  readonly clock: Clock;
  /** Throws when nothing can be stored now: then no body is read. */
  readonly check: () => void;
  /** The route's number in the registry. Throws REDIS_UNAVAILABLE while that is not known. */
  readonly numberOf: (routeId: string) => Promise<number>;
  readonly emit: Emit;
  /** Resolves once the delivery is durable. */
  readonly enqueue: (queue: string, delivery: PiecedDelivery) => Promise<Enqueued>;
  readonly tracing?: Tracing | undefined;
}

/** Ids that senders give to what they send; a route's own `dedupe` replaces them. */
const DELIVERY_IDS = ["x-github-delivery", "webhook-id", "svix-id", "idempotency-key"] as const;
const DEDUPE_MS = 3_600_000;
const DEDUPE_CHARS_MAX = 256;

export function webhooks(options: WebhookOptions): FastifyPluginAsync {
  return async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers();
    // Leaves the body where it is: in the socket, until there is a place for it.
    app.addContentTypeParser("*", (_request, _body, done) => done(null));
    for (const route of options.routes) {
      const door = new Door(route, options);
      const { method, path: url } = route.shape;
      app.route({ method, url, handler: (request, reply) => door.take(request, reply) });
    }
  };
}

interface Taken {
  readonly body: Body;
  /** Its place may go to another one. */
  readonly onStored?: () => void;
  readonly span: Span | undefined;
}

/** One route's door. */
class Door {
  readonly #route: HttpRoute;
  readonly #options: WebhookOptions;
  readonly #secret: string | undefined;

  constructor(route: LoadedRoute<HttpRoute>, options: WebhookOptions) {
    this.#route = route.shape;
    this.#options = options;
    this.#secret = route.shape.hmac?.secret(route.handler.config);
  }

  async take(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { emit } = this.#options;
    const route = this.#route.id;
    try {
      const answered = await this.#take(request, reply);
      emit("webhook.answered", { route, status: reply.statusCode });
      return answered;
    } catch (error) {
      emit("webhook.answered", { route, status: refusalOf(error).status });
      throw error;
    }
  }

  async #take(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { raw } = request;
    const span = this.#options.tracing && this.#startSpan(this.#options.tracing, request, reply);
    const withBody = hasBody(request);
    try {
      if (withBody) this.#judgeHead(request);
      this.#options.check();
    } catch (error) {
      discard(raw);
      throw error;
    }
    if (!withBody) return await this.#answer(request, reply, { body: { chunks: [], bytes: 0 }, span });
    return await this.#options.gate.pass(raw, this.#route.limitBytes, (body, onStored) =>
      this.#answer(request, reply, { body, onStored, span }),
    );
  }

  /** Until it is answered, whatever that will be. */
  #startSpan(tracing: Tracing, { method, headers }: FastifyRequest, { raw }: FastifyReply): Span {
    const { path } = this.#route;
    const given = tracing.webhooks === "ignore" ? undefined : carrierOf(headers["traceparent"], headers["tracestate"]);
    const relation =
      tracing.webhooks === "link" ? { parent: null, links: given ? [given] : [] } : { parent: given ?? null };
    const attributes = { "http.request.method": method, "http.route": path, "antiphon.route": this.#route.id };
    const span = tracing.start(`${method} ${path}`, { kind: "server", attributes, ...relation });
    raw.once("close", () => {
      const { statusCode } = raw;
      span.set({
        "http.response.status_code": statusCode,
        ...(statusCode >= 500 && { "error.type": `${statusCode}` }),
      });
      span.end();
    });
    return span;
  }

  /** What can be refused without the body. */
  #judgeHead({ headers }: FastifyRequest): void {
    const { limitBytes, contentTypes } = this.#route;
    if (Number(headers["content-length"]) > limitBytes) {
      throw new AntiphonError("BODY_TOO_LARGE", `It may have ${limitBytes} bytes.`);
    }
    if (!isTaken(headers["content-type"] ?? "", contentTypes)) {
      throw new AntiphonError("CONTENT_TYPE_UNKNOWN", `Taken are ${contentTypes.join(", ")}.`);
    }
  }

  async #answer(request: FastifyRequest, reply: FastifyReply, taken: Taken): Promise<FastifyReply> {
    const { body, onStored } = taken;
    const head = headOf(request);
    const key = this.#key(head);
    const payload = await this.#judge(head, body);
    const { queue = WORK_QUEUE, class: priority, id: route } = this.#route;
    const span = this.#startSend(queue, taken);
    const header: EnvelopeHeader = { v: 1, kind: "webhook", route, ...key, request: head, ...carried(span) };
    const { id } = await during(span, async () =>
      this.#options.enqueue(queue, {
        route: await this.#options.numberOf(route),
        envelope: [envelopeHead(header), ...payload],
        ...(priority === undefined ? {} : { class: priority }),
        ...key,
        ...this.#uid(head.headers),
        ...(onStored === undefined ? {} : { onStored }),
      }),
    );
    taken.span?.set(idsOf(id));
    return reply.code(202).send({ id });
  }

  #startSend(queue: string, { span: parent, body }: Taken): Span | undefined {
    const { tracing } = this.#options;
    return tracing && startSend(tracing, queue, { parent, kind: "webhook", bodyBytes: body.bytes });
  }

  /** What is judged must be whole; what is not stays in the pieces it came in, all the way into the socket to Redis. */
  async #judge(head: RequestHead, { chunks }: Body): Promise<readonly Buffer[]> {
    const { hmac, parse } = this.#route;
    if (hmac === undefined && parse !== "before") return chunks;
    const whole = Buffer.concat([...chunks]);
    this.#judgeSignature(head, whole);
    if (parse === "before") await this.#judgeContent(head, whole);
    return [whole];
  }

  #judgeSignature({ headers }: RequestHead, body: Buffer): void {
    const { hmac } = this.#route;
    if (hmac === undefined) return;
    const nowMs = this.#options.clock.now();
    const verdict = verifySignature(hmac, { headers, body, secret: this.#secret ?? "", nowMs });
    if (verdict !== "ok") throw new AntiphonError("UNAUTHORIZED", `Signature: ${verdict}.`);
  }

  async #judgeContent(head: RequestHead, body: Buffer): Promise<void> {
    const read = await readRequest(this.#route, { ...head, body });
    if (!read.ok) throw new AntiphonError("INPUT_INVALID", read.reason);
  }

  #key(head: RequestHead): { key?: string } {
    const key = this.#route.key?.({ params: head.params, query: readFields(head.search), headers: head.headers });
    return typeof key === "string" ? { key } : {};
  }

  /** A repeat is known by the id that its sender gave it. */
  #uid(headers: Fields): Pick<PiecedDelivery, "uid"> {
    const { id: route, dedupe } = this.#route;
    const names = dedupe ? [dedupe.header] : DELIVERY_IDS;
    for (const name of names) {
      const id = headers[name];
      if (typeof id !== "string" || id === "" || id.length > DEDUPE_CHARS_MAX) continue;
      return { uid: { id: `${route}\n${id}`, ttlMs: dedupe?.ttlMs ?? DEDUPE_MS } };
    }
    return {};
  }
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** `application/json` stands for its kin too, such as `application/cloudevents+json`. */
function isTaken(header: string, taken: readonly string[]): boolean {
  const type = header.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return taken.includes(type) || (type.endsWith("+json") && taken.includes("application/json"));
}

function headOf(request: FastifyRequest): RequestHead {
  const { method, url, headers } = request;
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const search = mark < 0 ? "" : url.slice(mark + 1);
  return { method, path, search, headers, params: request.params as Record<string, string> };
}
