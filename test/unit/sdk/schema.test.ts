// Any Standard Schema, at once or later; what does not fit is told in short lines.

import { expect, test } from "vitest";
import { z } from "zod";
import type { Schema } from "../../../services/sdk/infer.ts";
import { isSchema, runSchema } from "../../../services/sdk/schema.ts";

test("gives the value as the schema made it", async () => {
  const schema = z.object({ by: z.coerce.number().default(1) });
  expect(await runSchema(schema, { by: "3" })).toEqual({ ok: true, value: { by: 3 } });
  expect(await runSchema(schema, {})).toEqual({ ok: true, value: { by: 1 } });
});

test("says where and why, one line each", async () => {
  const schema = z.object({ commits: z.array(z.object({ author: z.string() })), sha: z.string() });
  const checked = await runSchema(schema, { commits: [{ author: "ann" }, { author: 1 }] });
  expect(checked.ok).toBe(false);
  const issues = checked.ok ? [] : checked.issues;
  expect(issues).toHaveLength(2);
  expect(issues[0]).toMatch(/^commits\[1\]\.author: /);
  expect(issues[1]).toMatch(/^sha: /);
});

test("waits for a schema that answers later", async () => {
  const later = z.string().refine(async (text) => text === "yes", "must be yes");
  expect(await runSchema(later, "yes")).toEqual({ ok: true, value: "yes" });
  expect(await runSchema(later, "no")).toEqual({ ok: false, issues: ["must be yes"] });
});

test("input cannot make the list of issues long", async () => {
  const many = Array.from({ length: 5000 }, () => 1);
  const checked = await runSchema(z.array(z.string()), many);
  expect(checked).toMatchObject({ ok: false, issues: expect.arrayContaining(["and 4990 more"]) });

  const key = "k".repeat(100_000);
  const loud: Schema = {
    "~standard": { version: 1, vendor: "x", validate: () => ({ issues: [{ message: key, path: [key, { key }, 3] }] }) },
  };
  const told = await runSchema(loud, {});
  expect(told.ok ? "" : told.issues[0]).toHaveLength(200);
});

test("knows a schema by its shape", () => {
  expect(isSchema(z.string())).toBe(true);
  expect(isSchema(Object.assign(() => true, { "~standard": { version: 1, validate: () => ({ value: 1 }) } }))).toBe(
    true,
  );
  for (const value of [undefined, null, {}, "z", { "~standard": null }, { "~standard": { version: 2, validate() {} } }])
    expect(isSchema(value)).toBe(false);
});
