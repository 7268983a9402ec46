// Reads an HTTP route: path, schemas, signature, repeats, limits.

import type { Schema } from "./infer.ts";
import {
  isRecord,
  type Options,
  present,
  readCount,
  readDuration,
  readFunction,
  readHeaderName,
  readSchema,
  readTexts,
  refuseUnknown,
  type Report,
} from "./build-options.ts";
import type { RequestInfo, SignatureFormat } from "./options.ts";
import type { HmacCheck, HttpRoute, Method, Placed } from "./routes.ts";

export const HTTP_OPTIONS = [
  "body",
  "query",
  "params",
  "headers",
  "hmac",
  "dedupe",
  "parse",
  "limit",
  "key",
  "contentTypes",
] as const;

const DEDUPE_TTL_MS = 3_600_000;
const LIMIT_BYTES = 1024 * 1024;
const LIMIT_BYTES_MAX = 64 * LIMIT_BYTES;
const CONTENT_TYPES = Object.freeze(["application/json", "application/x-www-form-urlencoded", "text/plain"]);
const SEGMENT = /^(?::[A-Za-z_][A-Za-z0-9_]*|[A-Za-z0-9._~!$&'()+,;=@%-]+)$/;
const FORMATS: ReadonlySet<unknown> = new Set<SignatureFormat>(["github", "slack", "hex", "base64"]);

type HttpPart = Omit<HttpRoute, "run" | keyof Placed>;

export function readHttp(method: Method, given: { path: unknown; options: Options }, report: Report): HttpPart {
  const { path, options } = given;
  const schema = (key: string): Schema | undefined => readSchema(options, key, report);
  const body = schema("body");
  if (body !== undefined && method === "GET") report("a GET has no body");
  const parse = options["parse"];
  if (parse !== undefined && parse !== "before") report('parse can only be "before"');
  return {
    kind: "http",
    method,
    path: readPath(path, report),
    ...present("body", body),
    ...present("query", schema("query")),
    ...present("params", schema("params")),
    ...present("headers", schema("headers")),
    ...present("hmac", readHmac(options["hmac"], report)),
    ...present("dedupe", readDedupe(options["dedupe"], report)),
    parse: parse === "before" ? "before" : "after",
    limitBytes: readCount(options, "limit", { max: LIMIT_BYTES_MAX, report }) ?? LIMIT_BYTES,
    ...present("key", readFunction<(request: RequestInfo) => string>(options, "key", report)),
    contentTypes: readContentTypes(options, report) ?? CONTENT_TYPES,
  };
}

function readContentTypes(options: Options, report: Report): readonly string[] | undefined {
  const types = readTexts(options, "contentTypes", report);
  return types && Object.freeze(types.map((type) => type.toLowerCase()));
}

function readPath(path: unknown, report: Report): string {
  if (typeof path !== "string" || !path.startsWith("/") || path.length > 512) {
    report('the path must be a text that starts with "/"');
    return "/";
  }
  const segments = path.slice(1).split("/");
  const names = segments.filter((segment) => segment.startsWith(":"));
  if (new Set(names).size < names.length) report(`the path ${path} names a parameter twice`);
  if (path !== "/" && !segments.every((segment) => SEGMENT.test(segment)))
    report(`the path ${path} may hold segments and parameters such as /hooks/:repo`);
  return path;
}

const HMAC_OPTIONS: ReadonlySet<string> = new Set(["header", "secret", "format"]);

function readHmac(value: unknown, report: Report): HmacCheck | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) {
    report("hmac must be an object: { header, secret }");
    return undefined;
  }
  refuseUnknown(value, HMAC_OPTIONS, (text) => report(`hmac: ${text}`));
  const header = readHeaderName(value, "hmac", report);
  const secret = readFunction<HmacCheck["secret"]>(value, "secret", (text) => report(`hmac: ${text}`));
  if (value["secret"] === undefined) report("hmac.secret is missing: (config) => config.…");
  const format = value["format"];
  if (format !== undefined && !FORMATS.has(format)) report("hmac.format must be github, slack, hex or base64");
  if (secret === undefined) return undefined;
  return Object.freeze({ header, secret, format: (format as SignatureFormat | undefined) ?? usualFormat(header) });
}

function usualFormat(header: string): SignatureFormat {
  if (header === "x-hub-signature-256") return "github";
  return header === "x-slack-signature" ? "slack" : "hex";
}

const DEDUPE_OPTIONS: ReadonlySet<string> = new Set(["header", "ttl"]);

function readDedupe(value: unknown, report: Report): HttpRoute["dedupe"] {
  if (value === undefined) return undefined;
  if (!isRecord(value)) {
    report("dedupe must be an object: { header, ttl }");
    return undefined;
  }
  refuseUnknown(value, DEDUPE_OPTIONS, (text) => report(`dedupe: ${text}`));
  const header = readHeaderName(value, "dedupe", report);
  const ttlMs = readDuration(value, "ttl", (text) => report(`dedupe.${text}`)) ?? DEDUPE_TTL_MS;
  return Object.freeze({ header, ttlMs });
}
