// Pages that run a client: in jsdom, and in a real browser. What happens inside is the same script.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { JSDOM } from "jsdom";
import { type Browser, chromium } from "playwright-core";
import { bundleClient } from "../../../scripts/client.ts";

export type Client = "published" | "ours";

export type Told = readonly [data: unknown, globalId: number, messageId: number];

export interface Page {
  /** Settings are plain properties of `MessageBus`. */
  set(settings: Readonly<Record<string, unknown>>): Promise<void>;
  subscribe(channel: string, lastId?: number): Promise<void>;
  /** What the callbacks of a channel were given. */
  told(channel: string): Promise<Told[]>;
  stop(): Promise<string>;
  close(): Promise<void>;
}

const INSIDE = `
  window.told = {};
  window.listen = function (channel, lastId) {
    var told = (window.told[channel] = window.told[channel] || []);
    MessageBus.subscribe(channel, function (data, globalId, messageId) { told.push([data, globalId, messageId]); }, lastId);
  };`;

export type OpenPage = (url: string, client: Client) => Promise<Page>;

const require = createRequire(import.meta.url);
const read = (name: string): string => readFileSync(require.resolve(name), "utf8");

/** As the client's own tests do it. */
export const inJsdom: OpenPage = async (url, client) => {
  const { window } = new JSDOM("<!doctype html><body></body>", {
    url: `${url}/`,
    runScripts: "outside-only",
    pretendToBeVisual: true,
  });
  // jsdom counts a page as hidden unless it pretends.
  window.document.hasFocus = () => true;
  const scripts =
    client === "published"
      ? [read("jquery/dist/jquery.js"), read("message-bus-client/assets/message-bus.js")]
      : [(await bundleClient())["client.js"]];
  for (const script of [...scripts, INSIDE]) window.eval(script);
  const run = (code: string): unknown => window.eval(code);
  return {
    set: async (settings) => void run(`Object.assign(MessageBus, ${JSON.stringify(settings)})`),
    subscribe: async (channel, lastId) => void run(`listen(${JSON.stringify(channel)}, ${lastId ?? "undefined"})`),
    told: async (channel) =>
      JSON.parse(run(`JSON.stringify(told[${JSON.stringify(channel)}] || [])`) as string) as Told[],
    stop: async () => run("MessageBus.stop(), MessageBus.status()") as string,
    close: async () => window.close(),
  };
};

export async function launchChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
}

export function inChromium(browser: Browser): OpenPage {
  return async (url, client) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${url}/page?client=${client}`);
    await page.evaluate(INSIDE);
    return {
      set: (settings) => page.evaluate(`void Object.assign(MessageBus, ${JSON.stringify(settings)})`),
      subscribe: (channel, lastId) => page.evaluate(`listen(${JSON.stringify(channel)}, ${lastId ?? "undefined"})`),
      told: (channel) => page.evaluate(`told[${JSON.stringify(channel)}] || []`),
      stop: () => page.evaluate("MessageBus.stop(), MessageBus.status()"),
      close: () => context.close(),
    };
  };
}
