// The admin API of a master as an operator starts it: nobody may without a token, and it tells how its connection to a chat
// service stands.

import { afterEach, expect, test } from "vitest";
import { randomId } from "../../services/runtime/ids.ts";
import { FakeChat } from "../support/fake-chat.ts";
import { MasterProcess } from "../support/master-kit.ts";
import { testRedis } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const SECRET = "secret-of-admin-0123456789";

let chat: FakeChat | undefined;
let master: MasterProcess | undefined;
afterEach(async () => {
  await master?.kill("SIGKILL");
  await chat?.stop();
});

test("who leads a connection, and how it stands there, is told to whoever has a token", async () => {
  chat = await FakeChat.start();
  const { url } = await testRedis();
  master = new MasterProcess({
    redisUrl: url,
    namespace: `m-${randomId()}`,
    chat,
    // What everybody has: the first look loads the site, which on a busy machine may take as long as a Lease for hurried tests.
    leaseMs: 6_000,
    env: { ANTIPHON_ADMIN_TOKEN: SECRET },
  });
  await master.leads("fake", 60_000);
  const urls = master.of("process.started")[0]?.["urls"];
  const ask = async (
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(`${String(urls)}${path}`, { headers });
    return { status: answer.status, body: await answer.json() };
  };
  expect(await ask("/api/chat")).toMatchObject({ status: 401, body: { error: { code: "UNAUTHORIZED" } } });
  const known = { authorization: `Bearer ${SECRET}` };
  const unit = async (): Promise<Record<string, unknown>> =>
    ((await ask("/api/chat", known)).body as { items: Record<string, unknown>[] }).items[0] ?? {};
  await waitFor(async () => (await unit())["state"] === "ready", { timeoutMs: 60_000, what: "it is told as ready" });
  expect(await unit()).toMatchObject({ unit: "fake", adapter: "fake", epoch: expect.any(String), rooms: [] });
  expect((await unit())["leader"]).toEqual(expect.any(String));
  await waitFor(
    async () => {
      const { body } = await ask("/api/now", known);
      return (
        (body as { units: { unit: string; leader: unknown }[] }).units.filter(({ leader }) => leader !== null)
          .length === 2
      );
    },
    { timeoutMs: 60_000, what: "both units are led" },
  );
});
