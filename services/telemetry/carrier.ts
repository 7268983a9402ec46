// What names a span across processes: W3C's traceparent and tracestate. Whatever comes from outside is checked here.
// https://www.w3.org/TR/trace-context/

export interface Carrier {
  /** `00-<trace id>-<span id>-<flags>` */
  readonly traceparent: string;
  readonly tracestate?: string;
}

const PARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** Of a later version what is known of it is read. */
const LATER = /^(?!00|ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const STATE = /^[\x20-\x7e]+$/;
const PARENT_CHARS_MAX = 256;
const STATE_CHARS_MAX = 512;

/** Undefined where there is none, or none that is sound. A tracestate that is too long or unsound is left out. */
export function carrierOf(traceparent: unknown, tracestate?: unknown): Carrier | undefined {
  const parent = soundParent(traceparent);
  if (parent === undefined) return undefined;
  return isState(tracestate) ? { traceparent: parent, tracestate } : { traceparent: parent };
}

function soundParent(text: unknown): string | undefined {
  if (typeof text !== "string" || text.length > PARENT_CHARS_MAX) return undefined;
  if (PARENT.test(text)) return text;
  const [, trace, span, flags] = LATER.exec(text) ?? [];
  return trace === undefined ? undefined : `00-${trace}-${span}-${flags}`;
}

function isState(text: unknown): text is string {
  return typeof text === "string" && text.length <= STATE_CHARS_MAX && STATE.test(text);
}

export function traceIdOf({ traceparent }: Carrier): string {
  return traceparent.slice(3, 35);
}

export function spanIdOf({ traceparent }: Carrier): string {
  return traceparent.slice(36, 52);
}

/** What a header holds of it: an envelope's, an Action's. */
export interface CarriedTrace {
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** It was made together with others: its run is linked, for else one trace would hold all of theirs. */
  readonly traceLink?: true;
}

const NOTHING: CarriedTrace = {};

export function carried(span: { readonly carrier: Carrier } | undefined, isOneOfMany = false): CarriedTrace {
  if (span === undefined) return NOTHING;
  return isOneOfMany ? { ...span.carrier, traceLink: true } : span.carrier;
}
