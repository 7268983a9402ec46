// From the bytes of a request to what a handler is given.

import { expect, test } from "vitest";
import { z } from "zod";
import { readFields, readRequest, type RequestParts } from "../../../services/handlers/request.ts";
import { defineHandler } from "../../../services/sdk/index.ts";
import type { HttpRoute } from "../../../services/sdk/routes.ts";

const parts = (type: string | undefined, body: string, more: Partial<RequestParts> = {}): RequestParts => ({
  search: "",
  headers: { "content-type": type },
  params: {},
  body: Buffer.from(body),
  ...more,
});

const handler = defineHandler({
  name: "h",
  routes: (r) => ({
    plain: r.post("/plain", { run: () => {} }),
    strict: r.post("/strict/:id", {
      params: z.object({ id: z.coerce.number() }),
      query: z.object({ tag: z.array(z.string()) }),
      headers: z.object({ "x-kind": z.enum(["a", "b"]) }),
      body: z.object({ n: z.number() }),
      run: () => {},
    }),
  }),
});
const plain = handler.routes["plain"] as HttpRoute;
const strict = handler.routes["strict"] as HttpRoute;

test("the content type decides how a body is read", async () => {
  const read = async (type: string | undefined, body: string): Promise<unknown> => {
    const result = await readRequest(plain, parts(type, body));
    return result.ok ? result.request.body : result.reason;
  };
  expect(await read("application/json; charset=utf-8", '{"a":1}')).toEqual({ a: 1 });
  expect(await read("application/cloudevents+json", "[1]")).toEqual([1]);
  expect(await read("application/x-www-form-urlencoded", "a=1&b=2&b=3")).toEqual({ a: "1", b: ["2", "3"] });
  expect(await read("text/plain", "hällo")).toBe("hällo");
  expect(await read("application/octet-stream", "x")).toEqual(Buffer.from("x"));
  expect(await read(undefined, "")).toBeUndefined();
  expect(await read("application/json", "{")).toMatch(/^the body is no JSON: /);
});

test("each part is what its schema makes of it, and the first that does not fit is the reason", async () => {
  const given = parts("application/json", '{"n":1}', { search: "tag=x&tag=y", params: { id: "7" } });
  const headers = { "content-type": "application/json", "x-kind": "a" };
  expect(await readRequest(strict, { ...given, headers })).toEqual({
    ok: true,
    request: { body: { n: 1 }, query: { tag: ["x", "y"] }, params: { id: 7 }, headers: { "x-kind": "a" } },
  });
  expect(await readRequest(strict, given)).toMatchObject({
    ok: false,
    reason: expect.stringMatching(/^headers: x-kind/),
  });
});

test("names of fields cannot reach into objects", () => {
  const fields = readFields("__proto__=x&constructor=y");
  expect(Object.keys(fields)).toEqual(["__proto__", "constructor"]);
  expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
});
