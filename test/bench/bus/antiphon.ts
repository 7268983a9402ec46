// Antiphon as a subject: the bus as a Fastify plugin, every message through Redis and its backlog.

import { type AddressInfo } from "node:net";
import { fastify } from "fastify";
import { type MessageBus, openBus } from "../../../services/bus/plugin.ts";
import { CHANNEL, dataNow } from "./protocol.ts";
import { serve } from "./serve.ts";

const UNDERWAY = 512;

let bus: MessageBus | undefined;

async function open(url: string): Promise<number> {
  bus = await openBus({ backend: "redis", url, namespace: "bench", access: "open", longPollMs: 120_000 });
  const app = fastify();
  await app.register(bus.plugin);
  await app.listen({ port: 0, host: "127.0.0.1" });
  return (app.server.address() as AddressInfo).port;
}

async function store(messages: number): Promise<void> {
  let left = messages;
  const one = async (): Promise<void> => {
    while (left-- > 0) await bus?.publish(CHANNEL, dataNow());
  };
  await Promise.all(Array.from({ length: UNDERWAY }, one));
}

serve({ open, publish: (data) => bus?.publish(CHANNEL, data), store });
