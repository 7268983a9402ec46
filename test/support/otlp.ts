// A collector of traces on a real socket, with a decoder of its own: what it cannot read as the published protobufs say, it refuses.

import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import protobuf from "protobufjs";
import { waitFor } from "./wait-for.ts";

const PROTO = readFileSync(new URL("./otlp/trace.proto", import.meta.url), "utf8");
const Request = protobuf.parse(PROTO).root.lookupType("otlp.ExportTraceServiceRequest");

export type Values = Readonly<Record<string, unknown>>;

export interface ReceivedSpan {
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  /** "" of the first of a trace. */
  readonly parentId: string;
  readonly state: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Values;
  readonly resource: Values;
  readonly scope: string;
  readonly events: readonly { readonly name: string; readonly attributes: Values }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code: string; readonly message: string };
}

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  /** Requests whose body was no OTLP. */
  unreadable = 0;
  requests = 0;
  /** What it answers; 0 = nothing, ever. */
  status = 200;
  readonly #server: Server;

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        this.requests++;
        if (this.status === 0) return;
        const status = this.status === 200 ? this.#take(request, body) : this.status;
        response.writeHead(status, { "content-type": "application/x-protobuf" }).end();
      });
    });
  }

  /** As OTEL_EXPORTER_OTLP_ENDPOINT. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  named(name: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** Waits for one. */
  async span(name: string, fits: (span: ReceivedSpan) => boolean = () => true): Promise<ReceivedSpan> {
    const find = (): ReceivedSpan | undefined => this.named(name).find((span) => fits(span));
    return waitFor(find, { what: `a span ${name}`, timeoutMs: 40_000 }).catch((error: unknown) => {
      throw new Error(`${String(error)}\nThere are:\n${this.told.join("\n")}`, { cause: error });
    });
  }

  /** What came, for people. */
  get told(): string[] {
    return this.spans.map(({ name, traceId, spanId, parentId }) => `${traceId} ${parentId || "-"} > ${spanId} ${name}`);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(request: IncomingMessage, body: Buffer): number {
    this.headers.push(request.headers);
    const fits = request.method === "POST" && request.headers["content-type"] === "application/x-protobuf";
    if (!fits || request.url !== "/v1/traces") return 404;
    try {
      this.spans.push(...decode(body));
      return 200;
    } catch {
      this.unreadable++;
      return 400;
    }
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

interface WireAttribute {
  readonly key: string;
  readonly value?: Readonly<Record<string, unknown>>;
}

interface WireSpan {
  readonly name: string;
  readonly kind: string;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly traceState: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly WireAttribute[];
  readonly events: readonly { readonly name: string; readonly attributes: readonly WireAttribute[] }[];
  readonly links: readonly { readonly traceId: Uint8Array; readonly spanId: Uint8Array }[];
  readonly status: { readonly code?: string; readonly message?: string } | null;
}

interface WireRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly WireAttribute[] };
    readonly scopeSpans: readonly { readonly scope: { readonly name: string }; readonly spans: readonly WireSpan[] }[];
  }[];
}

function decode(body: Buffer): ReceivedSpan[] {
  const plain = Request.toObject(Request.decode(body), { enums: String, longs: String, defaults: true, arrays: true });
  const { resourceSpans } = plain as WireRequest;
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const of = valuesOf(resource.attributes);
    return scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => spanOf(span, { resource: of, scope: scope.name })),
    );
  });
}

function spanOf(span: WireSpan, around: Pick<ReceivedSpan, "resource" | "scope">): ReceivedSpan {
  const { name, kind, status } = span;
  return {
    ...around,
    name,
    kind,
    traceId: idOf(span.traceId, 16),
    spanId: idOf(span.spanId, 8),
    parentId: span.parentSpanId.length === 0 ? "" : idOf(span.parentSpanId, 8),
    state: span.traceState,
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    attributes: valuesOf(span.attributes),
    events: span.events.map((event) => ({ name: event.name, attributes: valuesOf(event.attributes) })),
    links: span.links.map((link) => ({ traceId: idOf(link.traceId, 16), spanId: idOf(link.spanId, 8) })),
    status: { code: status?.code ?? "UNSET", message: status?.message ?? "" },
  };
}

function idOf(bytes: Uint8Array, length: number): string {
  if (bytes.length !== length) throw new Error(`an id of ${bytes.length} bytes`);
  return Buffer.from(bytes).toString("hex");
}

function valuesOf(attributes: readonly WireAttribute[]): Values {
  return Object.fromEntries(
    attributes.map(({ key, value = {} }) => {
      const { stringValue, boolValue, intValue, doubleValue } = value;
      const whole = intValue === undefined ? undefined : Number(intValue);
      return [key, [stringValue, boolValue, whole, doubleValue].find((known) => known !== undefined)];
    }),
  );
}
