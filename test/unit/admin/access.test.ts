// Who may what at the admin server, and that nobody else may: on a real socket and a real Redis.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { ADMIN, AdminDoor, ANN, type DoorOptions, WALL } from "../../support/admin-door.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, getUrl) => {
  let client: RedisClient;
  const doors: AdminDoor[] = [];

  beforeAll(async () => {
    client = openRedis({ url: getUrl(), name: "access", purpose: "commands", onState: () => {} });
    await waitFor(() => client.ping());
  });
  afterAll(() => closeRedis(client));
  afterEach(async () => {
    for (const door of doors.splice(0)) await door.app.close();
  });

  const open = async (options: Omit<DoorOptions, "client"> = {}): Promise<AdminDoor> => {
    const door = await new AdminDoor({ client, ...options }).open();
    doors.push(door);
    return door;
  };

  describe("roles", () => {
    test("a route without a role is refused to everybody, an admin too", async () => {
      const door = await open();
      for (const token of [undefined, WALL.secret, ADMIN]) {
        const { status, body } = await door.ask("/api/forgotten", token === undefined ? {} : { token });
        expect(status).toBe(token === undefined ? 401 : 403);
        expect(body).not.toHaveProperty("everything");
      }
    });

    test("without a token nothing but what is public is answered", async () => {
      const door = await open();
      const { status, headers, body } = await door.ask("/api/things");
      expect([status, body.error?.code, headers.get("www-authenticate")]).toEqual([401, "UNAUTHORIZED", "Bearer"]);
      expect((await door.ask("/")).body).toEqual({ page: true });
    });

    test("each role may what it may, and no more", async () => {
      const door = await open();
      const may = async (token: string): Promise<number[]> => {
        const asked = [
          await door.ask("/api/things", { token }),
          await door.ask("/api/things/a", { token, method: "POST", body: {} }),
          await door.ask("/api/secrets", { token, method: "POST", body: {} }),
        ];
        return asked.map(({ status }) => status);
      };
      expect(await may(WALL.secret)).toEqual([200, 403, 403]);
      expect(await may(ANN.secret)).toEqual([200, 200, 403]);
      expect(await may(ADMIN)).toEqual([200, 200, 200]);
      expect((await door.ask("/api/things", { token: ANN.secret })).body).toEqual({
        name: "ann",
        role: "operator",
        way: "token",
        from: "127.0.0.1",
      });
    });
  });
});
