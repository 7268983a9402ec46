// What is looked for in the working folder: the settings file, and the folder of handlers.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Config } from "../../../services/config/config.ts";
import { readConfig } from "../../../services/config/read.ts";

let cwd = "";

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "antiphon-config-"));
});
afterEach(() => rm(cwd, { recursive: true }));

function read(): Promise<Config> {
  return readConfig("tool", { env: {}, cwd, cores: 2, terminal: false, dev: false });
}

test("the settings file has the same names in camelCase and is found there", async () => {
  await writeFile(join(cwd, "antiphon.config.yaml"), "namespace: team\nhttpPort: 8181\nadmins: [web:ann]\n");
  const config = await read();
  expect(config).toMatchObject({ namespace: "team", httpPort: 8181, admins: ["web:ann"] });
  expect(config.file).toBe(join(cwd, "antiphon.config.yaml"));
});

test("several settings files stop the start", async () => {
  for (const name of ["antiphon.config.ts", "antiphon.config.json"]) await writeFile(join(cwd, name), "{}");
  await expect(read()).rejects.toThrow("several");
});

test("the folder ./handlers is meant, unless it is there and empty, as in the image", async () => {
  expect((await read()).handlers).toEqual([join(cwd, "handlers")]);
  await mkdir(join(cwd, "handlers"));
  expect((await read()).handlers).toEqual([]);
  await writeFile(join(cwd, "handlers", "hello.ts"), "");
  expect((await read()).handlers).toEqual([join(cwd, "handlers")]);
});
