// The adapter contract, passed by the IRC adapter on real servers.

import { describe, test } from "vitest";
import { builtInAdapter } from "../../services/adapters/index.ts";
import { IRC } from "../../services/adapters/irc/manifest.ts";
import type { AdapterManifest, AdapterModule } from "../../services/sdk/adapter.ts";
import { adapterContract } from "../../services/testing/bot.ts";
import type { ContractService } from "../../services/testing/adapter-contract.ts";
import { IrcPerson } from "../support/irc-person.ts";
import { type IrcKind, startIrcServer } from "../support/irc-server.ts";
import { startProxy } from "../support/proxy.ts";
import { withServer } from "../support/redis.ts";

const ROOMS = ["#one", "#two"] as const;
/** What the plain server lacks: history, and with it a way to look whether something was said. */
const MANIFESTS: Readonly<Record<IrcKind, AdapterManifest>> = {
  ngircd: { ...IRC, replay: "none", idempotency: "none" },
  inspircd: IRC,
};

describe.each(["ngircd", "inspircd"] as const)("the IRC adapter on %s", (kind) => {
  withServer(kind, () => {
    const create = builtInAdapter("irc")?.create as AdapterModule["create"];
    adapterContract({
      test,
      adapter: { format: 1, manifest: MANIFESTS[kind], create },
      rooms: ROOMS,
      // A server tells nothing twice, refuses no single channel and says nothing that is no IRC.
      without: ["repeat", "limit", "unknown", "garbage", "wrongSettings"],
      service: () => serviceOf(kind),
    });
  });
});

async function serviceOf(kind: IrcKind): Promise<ContractService> {
  const server = await startIrcServer(kind);
  const people = new Map<string, IrcPerson>();
  for (const [n, room] of ROOMS.entries()) people.set(room, await IrcPerson.join(server.port, `ann${n}`, room));
  if (kind === "inspircd") for (const [room, person] of people) person.raw(`MODE ${room} +H 200:1h`);
  const proxy = await startProxy(server.port);
  const personIn = (room: string): IrcPerson => people.get(room) as IrcPerson;
  return {
    settings: { host: "127.0.0.1", port: proxy.port, tls: false, channels: [...ROOMS], burst: 5, lineMs: 50 },
    say: ({ room, text }) => personIn(room).say(text, room),
    said: (room) => personIn(room).texts(/^antiphon/, room),
    cut: async () => {
      await proxy.refuse();
      await proxy.mend();
    },
    goAway: () => proxy.refuse(),
    comeBack: () => proxy.mend(),
    stop: async () => {
      for (const person of people.values()) await person.leave();
      await proxy.stop();
      await server.stop();
    },
  };
}
