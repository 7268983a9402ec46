// The adapter contract on a real IRC server: a proxy before it cuts the bot off, a person says things and reads along.

import { test } from "vitest";
import { builtInAdapter } from "../../services/adapters/index.ts";
import { IRC } from "../../services/adapters/irc/manifest.ts";
import type { AdapterModule } from "../../services/sdk/adapter.ts";
import type { ContractService } from "../../services/testing/adapter-contract.ts";
import { adapterContract } from "../../services/testing/bot.ts";
import { IrcPerson } from "./irc-person.ts";
import { type IrcKind, startIrcServer } from "./irc-server.ts";
import { startProxy } from "./proxy.ts";

/** ngircd gives nothing again and keeps nothing of ours; so its contract is that of plain IRC. */
const PLAIN = { replay: "none", idempotency: "none" } as const;

export function ircContract(kind: IrcKind): void {
  const manifest = { ...IRC, ...(kind === "ngircd" && PLAIN) };
  const create = builtInAdapter("irc")?.create as AdapterModule["create"];
  adapterContract({
    test,
    adapter: { format: 1, manifest, create },
    service: () => serviceOf(kind),
    rooms: ["#one", "#two"],
    without: ["repeat", "limit", "garbage"],
  });
}

async function serviceOf(kind: IrcKind): Promise<ContractService> {
  const server = await startIrcServer(kind, { password: "right" });
  const proxy = await startProxy(server.port);
  const ann = await IrcPerson.join(server.port, "ann", "#one", "right");
  ann.raw("JOIN #two");
  await ann.sees("join ann #two");
  if (kind === "inspircd") for (const room of ["#one", "#two"]) ann.raw(`MODE ${room} +H 500:1h`);
  const common = { host: "127.0.0.1", port: proxy.port, tls: false, nick: "antiphon", channels: ["#one", "#two"] };
  const settings = { ...common, burst: 1_000, lineMs: 0, password: "right" };
  return {
    settings,
    wrongSettings: { ...settings, password: "wrong" },
    say: ({ room, text }) => ann.say(text, room),
    said: (room) => ann.texts(/^antiphon/, room),
    cut: async () => {
      await proxy.refuse();
      await proxy.mend();
    },
    goAway: () => proxy.refuse(),
    comeBack: () => proxy.mend(),
    unknown: () => ann.raw("NOTICE #one :a notice is no Message"),
    stop: async () => {
      await ann.leave();
      await proxy.stop();
      await server.stop();
    },
  };
}
