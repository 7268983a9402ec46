import { expect, test } from "vitest";
import { testBot } from "../../../services/testing/bot.ts";
import { lab } from "./lab.ts";

test("a request is signed with the route's own secret", async () => {
  await using bot = await testBot({ handlers: [lab] });
  const answer = await bot.http.post("/hooks/core?x=1", { json: { sha: "abc" }, sign: true });
  expect(answer).toMatchObject({ status: 202, body: { id: expect.stringMatching(/^[0-9a-z]+$/) } });
  await bot.settled();
  expect(bot.room("web:lobby").replies).toEqual(["core@abc"]);
});

test("without a signature, or with another secret's, nothing comes in", async () => {
  await using bot = await testBot({ handlers: [lab] });
  const json = { sha: "abc" };
  const refused = { status: 401, body: { error: { code: "UNAUTHORIZED" } } };
  expect(await bot.http.post("/hooks/core", { json })).toMatchObject(refused);
  expect(await bot.http.post("/hooks/core", { json, sign: "other" })).toMatchObject(refused);
  await bot.settled();
  expect(bot.replies).toEqual([]);
  await expect(bot.http.post("/flaky", { json, sign: true })).rejects.toThrow(
    "no route checks a signature of POST /flaky",
  );
});

test("a webhook that arrives twice is one, where its sender names it", async () => {
  await using bot = await testBot({ handlers: [lab] });
  bot.fault.duplicateDelivery();
  await bot.http.post("/hooks/core", { json: { sha: "a" }, sign: true, headers: { "X-GitHub-Delivery": "1" } });
  bot.fault.duplicateDelivery();
  await bot.http.post("/hooks/core", { json: { sha: "b" }, sign: true });
  await bot.settled();
  expect(bot.replies.toSorted()).toEqual(["core@a", "core@b", "core@b"]);
});

test("a query, a body of another type, a path that nobody serves", async () => {
  await using bot = await testBot({ handlers: [lab] });
  expect((await bot.http.get("/find?what=keys")).status).toBe(202);
  expect((await bot.http.post("/flaky", { body: "<a/>", headers: { "content-type": "text/xml" } })).status).toBe(415);
  expect((await bot.http.put("/nowhere", { form: { a: "1" } })).status).toBe(404);
  await bot.settled();
  expect(bot.replies).toEqual(["looking for keys"]);
});

test("a body that does not fit is a failure of the test, unless it is expected", async () => {
  await using bot = await testBot({ handlers: [lab] });
  await bot.http.post("/hooks/core", { json: { sha: 7 }, sign: true });
  await expect(bot.settled()).rejects.toThrow(/lab\.hook: dead letter: .*INPUT_INVALID: body: /);
  bot.expectFailure(/INPUT_INVALID/);
  await bot.http.post("/hooks/core", { json: {}, sign: true });
  await bot.settled();
  expect(bot.failures).toHaveLength(2);
});

test("a retry waits for its time", async () => {
  await using bot = await testBot({ handlers: [lab] });
  bot.expectFailure("lab.flaky");
  await bot.http.post("/flaky", { json: {} });
  await bot.settled();
  expect(bot.replies).toEqual([]);
  await bot.clock.advance("1m");
  expect(bot.replies).toEqual(["attempt 3 worked"]);
  expect(bot.failures.map(({ text }) => text)).toEqual(["attempt 1", "attempt 2"]);
});

test("the web chat's own HTTP is there too", async () => {
  await using bot = await testBot({ handlers: [lab] });
  expect((await bot.http.post("/chat/ops/messages", { json: { text: "!echo hi" } })).status).toBe(202);
  await bot.settled();
  expect(bot.room("web:ops").lines.map(({ from }) => from)).toEqual(["guest", "antiphon"]);
});
