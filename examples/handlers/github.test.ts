// The example github: what is announced, what is not, and what is refused.

import { readFileSync } from "node:fs";
import { matchers, testBot } from "antiphon/testing";
import { expect, test } from "vitest";
import github from "./github.ts";

expect.extend(matchers);
const payload = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../test/fixtures/github/${name}.json`, import.meta.url), "utf8")) as never;
const bot = () => testBot({ handlers: [github], config: { github: { secret: "s", room: "web:dev" } } });

test("a push is announced with its commits", async () => {
  await using running = await bot();
  const answer = await running.http.post("/hooks/github", { json: payload("push"), sign: true });
  expect(answer.status).toBe(202);
  await running.settled();
  expect(running.replies).toEqual([
    [
      "[example-org/hello-world] example-bot pushed 2 commits to main",
      "6113728 Say hello in the README",
      "0d1a26e Count the greetings",
      "https://github.com/example-org/hello-world/compare/d70c5c6fa638...0d1a26e67d8f",
    ].join("\n"),
  ]);
});

test("the end of a branch and the beginning of a tag are pushes too", async () => {
  await using running = await bot();
  const push = { ...payload("push"), commits: [] };
  await running.http.post("/hooks/github", { json: { ...push, deleted: true }, sign: true });
  await running.http.post("/hooks/github", { json: { ...push, created: true, ref: "refs/tags/v1" }, sign: true });
  await running.settled();
  expect(running.room("web:dev")).toHaveSaid("[example-org/hello-world] example-bot deleted main");
  expect(running.room("web:dev")).toHaveSaid("[example-org/hello-world] example-bot created tag v1");
});

test("a pull request is announced when it opens and when it is merged, not at each change", async () => {
  await using running = await bot();
  const opened = payload("pull_request");
  const merged = { ...opened, action: "closed", pull_request: { ...(opened["pull_request"] as object), merged: true } };
  for (const json of [opened, { ...opened, action: "synchronize" }, merged])
    await running.http.post("/hooks/github", { json, sign: true });
  await running.settled();
  expect(running.replies.map((text) => text.split("\n")[0])).toEqual([
    "[example-org/hello-world] example-bot opened pull request #2: Update the README with new information.",
    "[example-org/hello-world] example-bot merged pull request #2: Update the README with new information.",
  ]);
});

test("GitHub's greeting is accepted in silence", async () => {
  await using running = await bot();
  expect((await running.http.post("/hooks/github", { json: { zen: "Design for failure." }, sign: true })).status).toBe(
    202,
  );
  await running.settled();
  expect(running.replies).toEqual([]);
});

test("the same delivery is announced once, a wrong signature never", async () => {
  await using running = await bot();
  const request = { json: payload("push"), headers: { "x-github-delivery": "d1" } };
  await running.http.post("/hooks/github", { ...request, sign: true });
  await running.http.post("/hooks/github", { ...request, sign: true });
  expect((await running.http.post("/hooks/github", { ...request, sign: "guessed" })).status).toBe(401);
  await running.settled();
  expect(running.replies).toHaveLength(1);
});
