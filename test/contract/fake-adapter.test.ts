// The adapter contract, passed by the adapter of the fake chat service in each ingress class and with each kind of key.

import { describe, test } from "vitest";
import { builtInAdapter } from "../../services/adapters/index.ts";
import { FAKE } from "../../services/adapters/fake/manifest.ts";
import type { AdapterModule, Idempotency, Ingress } from "../../services/sdk/adapter.ts";
import { adapterContract } from "../../services/testing/bot.ts";
import type { ContractService } from "../../services/testing/adapter-contract.ts";
import { FakeChat } from "../support/fake-chat.ts";

const KINDS: readonly [Ingress, Idempotency][] = [
  ["takeover", "key"],
  ["exclusive", "none"],
  ["overlap", "reconcile"],
  ["shared", "key"],
];

describe.each(KINDS)("the fake adapter, %s, idempotency %s", (ingress, idempotency) => {
  const create = builtInAdapter("fake")?.create as AdapterModule["create"];
  const adapter: AdapterModule = { format: 1, manifest: { ...FAKE, ingress, idempotency }, create };
  adapterContract({ test, adapter, service: () => serviceOf(ingress, idempotency) });
});

async function serviceOf(ingress: Ingress, idempotency: Idempotency): Promise<ContractService> {
  const chat = await FakeChat.start({ ingress, idempotency });
  chat.faults.token = "right";
  return {
    settings: { url: `${chat.url}&token=right` },
    wrongSettings: { url: `${chat.url}&token=wrong` },
    say: (said) => void chat.say(said),
    said: (room) => chat.said(room),
    cut: () => chat.cut(),
    goAway: () => chat.goAway(),
    comeBack: () => chat.comeBack(),
    repeat: () => chat.repeat(chat.events.length),
    limit: (room, retryAfterMs) => {
      if (retryAfterMs === null) chat.faults.limited.delete(room);
      else chat.faults.limited.set(room, { retryAfterMs });
    },
    unknown: () => void chat.happen({ type: "wave", room: "one" }),
    garbage: () => chat.babble(),
    stop: () => chat.stop(),
  };
}
