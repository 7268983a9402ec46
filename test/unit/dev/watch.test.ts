// Noticing that handlers were saved.

import { mkdtemp, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Watch } from "../../../services/dev/watch.ts";
import { waitFor } from "../../support/wait-for.ts";

let folder = "";
let watch: Watch | undefined;
const calls: (readonly string[])[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "antiphon-watch-"));
  await mkdir(join(folder, "handlers", "lib"), { recursive: true });
  await writeFile(join(folder, "settings.yaml"), "");
  await writeFile(join(folder, "handlers", "a.ts"), "");
});

afterEach(async () => {
  watch?.stop();
  calls.length = 0;
  await rm(folder, { recursive: true });
});

function start(...paths: string[]): void {
  watch = new Watch({
    paths: paths.map((path) => join(folder, path)),
    settleMs: 60,
    onChange: (files) => calls.push(files),
  });
  watch.start();
}

test("a burst of saves is one call with the names", async () => {
  start("handlers");
  await writeFile(join(folder, "handlers", "a.ts"), "1");
  await writeFile(join(folder, "handlers", "a.ts"), "2");
  await writeFile(join(folder, "handlers", "lib", "b.ts"), "1");
  await waitFor(() => calls.length > 0);
  expect(calls).toEqual([["a.ts", join("lib", "b.ts")]]);
});

test("editors' own files and tests are not noticed", async () => {
  start("handlers");
  for (const name of [".a.ts.swp", "a.ts~", "4913", "a.test.ts"]) await writeFile(join(folder, "handlers", name), "x");
  await writeFile(join(folder, "handlers", "z.ts"), "1");
  await waitFor(() => calls.length > 0);
  expect(calls).toEqual([["z.ts"]]);
});

test("a settings file that is saved by renaming is noticed, its neighbours are not", async () => {
  start("settings.yaml");
  await writeFile(join(folder, "other.yaml"), "x");
  for (const time of [1, 2]) {
    await writeFile(join(folder, "settings.new"), "x");
    await rename(join(folder, "settings.new"), join(folder, "settings.yaml"));
    await waitFor(() => calls.length === time);
  }
  expect(calls).toEqual([["settings.yaml"], ["settings.yaml"]]);
});

test("a folder that does not exist is left out", () => {
  start("nowhere", "handlers");
  expect(calls).toEqual([]);
});
