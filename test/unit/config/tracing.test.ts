import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import type { Config } from "../../../services/config/config.ts";
import { readConfig } from "../../../services/config/read.ts";
import { tracesOf } from "../../../services/config/tracing.ts";

function read(env: Record<string, string>): Promise<Config> {
  return readConfig("tool", { env, cwd: tmpdir(), cores: 2, terminal: false, dev: false });
}

const around = { server: "pod-1", version: "1.2.3" };
const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" };

test("traces are asked for by an endpoint, and not with OTEL_SDK_DISABLED or without an exporter", async () => {
  expect(tracesOf({ ...around, config: await read({}) })).toBeUndefined();
  for (const env of [{ OTEL_SDK_DISABLED: "true" }, { OTEL_TRACES_EXPORTER: "none" }])
    expect(tracesOf({ ...around, config: await read({ ...endpoint, ...env }) })).toBeUndefined();
  const config = await read({ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: "a=b-is-secret" });
  expect(tracesOf({ ...around, config })).toMatchObject({
    url: "http://c:4318/v1/traces",
    headers: { a: "b-is-secret" },
    secrets: expect.arrayContaining(["b-is-secret"]),
    resource: { "service.name": "antiphon", "service.version": "1.2.3", "host.name": "pod-1" },
  });
});

test("traces go where the more special setting says, under the name of the service", async () => {
  const attributes = { OTEL_RESOURCE_ATTRIBUTES: "service.name=x,host.name=y", OTEL_SERVICE_NAME: "bot" };
  const special = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://t/own/path" };
  const config = await read({ ...endpoint, ...special, ...attributes });
  expect(tracesOf({ ...around, config })).toMatchObject({
    url: "http://t/own/path",
    resource: { "service.name": "bot", "host.name": "y" },
  });
});

test("traces speak http/protobuf alone", async () => {
  const grpc = { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_TRACES_EXPORTER: "zipkin" };
  const refused = read({ ...endpoint, ...grpc });
  await expect(refused).rejects.toThrow("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf");
  await expect(refused).rejects.toThrow("OTEL_TRACES_EXPORTER must be otlp or none");
  await read(grpc);
});

test("a page of traces is a web address with a place for the id", async () => {
  const url = "https://jaeger.example.org/trace/{trace}";
  expect((await read({ ANTIPHON_TRACE_URL: url })).traceUrl).toBe(url);
  for (const wrong of ["https://jaeger.example.org/", "javascript:alert('{trace}')", "{trace}"])
    await expect(read({ ANTIPHON_TRACE_URL: wrong })).rejects.toThrow(
      "ANTIPHON_TRACE_URL must be a URL http://… or https://… with {trace} in it",
    );
});
