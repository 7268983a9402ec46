// `antiphon shell`: a terminal client of the web chat. No adapter: it speaks HTTP like any browser.

import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "../runtime/clock.ts";
import type { Command, CommandContext } from "./command.ts";
import { ChatLines } from "./lines.ts";
import { lineText, messageOf, talk } from "./talk.ts";

/** After the last piped line: how long to wait for a first answer, and for more after an answer. */
const ANSWER_MS = 10_000;
const QUIET_MS = 1500;
const RECENT = 10;

export const shell: Command = {
  name: "shell",
  help: "Talks with the bot through the web chat. Lines that are piped in are said one after another, then it waits for the answers.",
  options: {
    url: { type: "string", value: "URL", help: "the public address (default: this machine, ANTIPHON_HTTP_PORT)" },
    session: { type: "string", value: "NAME", help: "the chat session (default: lobby)" },
    json: { type: "boolean", help: "print every line as the JSON that the server sends" },
  },
  async run(context) {
    const config = await context.readConfig("tool");
    const [person, ...others] = config.webToken;
    const chat = {
      url: String(context.options["url"] ?? `http://127.0.0.1:${config.httpPort}`).replace(/\/+$/, ""),
      session: String(context.options["session"] ?? "lobby"),
      ...(person !== undefined && others.length === 0 && { token: person.secret }),
      clock: systemClock,
      random: Math.random,
    };
    try {
      if (process.stdin.isTTY && !context.options["json"]) await interactive(chat, context);
      else await piped(chat, context);
      return 0;
    } catch (error) {
      process.stderr.write(`${chat.url}: ${messageOf(error)}\n`);
      return 1;
    }
  },
};

type Chat = Pick<ConstructorParameters<typeof ChatLines>[0], "url" | "session" | "token" | "clock" | "random">;

async function interactive(chat: Chat, { stopping }: CommandContext): Promise<void> {
  const session = talk({
    ...chat,
    recent: RECENT,
    input: process.stdin,
    output: process.stdout,
    onEnd: () => session.close(),
  });
  stopping.addEventListener("abort", () => session.close());
  session.print(`-- ${chat.url}, session ${chat.session}. Say "antiphon help"; Ctrl-C ends.`);
  await session.ended.finally(() => session.close());
}

async function piped(chat: Chat, { options, print, stopping }: CommandContext): Promise<void> {
  let heardAt: number | undefined;
  let connected = (): void => {};
  const ready = new Promise<void>((resolve) => (connected = resolve));
  const lines = new ChatLines({
    ...chat,
    recent: 0,
    onLine: (line, own) => {
      if (!own) heardAt = performance.now();
      print(options["json"] ? JSON.stringify(line) : lineText(line));
    },
    onState: (state, detail) => {
      if (state === "connected") connected();
      else process.stderr.write(`${chat.url} is away (${detail}); trying again\n`);
    },
  });
  stopping.addEventListener("abort", () => lines.stop());
  const stream = lines.run();
  const sayAll = async (): Promise<void> => {
    await ready;
    for await (const text of createInterface({ input: process.stdin })) {
      if (text.trim() === "" || stopping.aborted) continue;
      heardAt = undefined;
      await lines.send(text.trim());
    }
    const end = performance.now() + ANSWER_MS;
    const isQuiet = (): boolean => heardAt !== undefined && performance.now() - heardAt > QUIET_MS;
    while (!stopping.aborted && !isQuiet() && performance.now() < end) await pause(50);
    lines.stop();
  };
  await Promise.race([stream, sayAll()]).finally(() => lines.stop());
}
