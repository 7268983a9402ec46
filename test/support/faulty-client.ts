// Clients of Redis with a fault: one loses replies, one runs altered scripts.

import { globSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { BrokerContext } from "../../services/broker/connection.ts";
import { loadScript } from "../../services/redis/scripts.ts";

/** A client whose enqueues sometimes reach the server while their reply is lost; not more often than a producer tries. */
export function losingReplies(client: BrokerContext["client"], random: () => number): BrokerContext["client"] {
  let lostInARow = 0;
  const losing = async <T>(reply: Promise<T>): Promise<T> => {
    const answer = await reply;
    const isLost = random() < 0.05 && lostInARow < 3;
    lostInARow = isLost ? lostInARow + 1 : 0;
    if (isLost) throw new Error("Connection is closed.");
    return answer;
  };
  return new Proxy(client, {
    get(target, property) {
      const value = Reflect.get(target, property) as unknown;
      if (typeof value !== "function") return value;
      if (property === "callBuffer")
        return (...words: Words) => losing(Reflect.apply(value, target, words) as Promise<unknown>);
      if (property !== "sendCommand") return value.bind(target);
      return (command: { name: string }) => {
        const reply = Reflect.apply(value, target, [command]) as Promise<unknown>;
        return command.name === "exec" ? losing(reply) : reply;
      };
    },
  });
}

type Words = (string | Buffer | number)[];

const LUA_BY_SHA = new Map(
  globSync("services/broker/lua/*.lua").map((file) => {
    const { sha, lua } = loadScript(pathToFileURL(file));
    return [sha, lua];
  }),
);

/** A client that runs altered scripts, to show that the model sees the fault. */
export function withFault(client: BrokerContext["client"], alter: (lua: string) => string): BrokerContext["client"] {
  const altered = (target: BrokerContext["client"], words: Words): unknown => {
    const [sha = "", ...rest] = words;
    return target.callBuffer("EVAL", alter(LUA_BY_SHA.get(String(sha)) ?? ""), ...rest);
  };
  return new Proxy(client, {
    get(target, property) {
      const value = Reflect.get(target, property) as unknown;
      if (property === "callBuffer") return (_command: string, ...words: Words) => altered(target, words);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
