import { expect, test } from "vitest";
import { openRedis, closeRedis } from "../../../services/redis/connect.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, getUrl) => {
  test("a client sets and gets", async () => {
    const client = openRedis({ url: getUrl(), name: "test", purpose: "commands", onState: () => {} });
    await client.set("a", "1");
    expect(await client.get("a")).toBe("1");
    await closeRedis(client);
  });
});
