// The published client 4.5.2 as npm has it, and ours, in jsdom and in a real browser, in each way that a client can ask; and
// across the death of the process that served it.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Browser } from "playwright-core";
import { openBus, type MessageBus } from "../../../services/bus/plugin.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { testRedis, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";
import { Fleet } from "./fleet.ts";
import { type Client, inChromium, inJsdom, launchChromium, type OpenPage, type Page } from "./pages.ts";

const WAIT = { timeoutMs: 30_000 };
const MESSAGES = 120;

/** Settings of the published client, shorter so that a test is. */
const WAYS = {
  polling: { enableLongPolling: false, callbackInterval: 150, backgroundCallbackInterval: 150 },
  "long polling": { enableChunkedEncoding: false, callbackInterval: 500 },
  streaming: { callbackInterval: 500 },
} as const;

let fleet: Fleet;
let publisher: MessageBus;
let pages: Page[] = [];

beforeAll(async () => {
  const { url } = await testRedis();
  const namespace = `t${randomId()}`;
  publisher = await openBus({ backend: "redis", url, namespace });
  fleet = await Fleet.start({ redisUrl: url, namespace, workers: 2 });
}, 90_000);

afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

afterAll(async () => {
  await fleet?.stop();
  await publisher?.close();
});

async function publish(channel: string, data: unknown): Promise<void> {
  const { status } = await publisher.publish(channel, data);
  expect(status).toBe("stored");
}

interface Visitor {
  /** Which client, in which way. */
  readonly name: string;
  readonly page: Page;
  readonly channel: string;
}

/** Everything that a page was given, in order. */
const heard = async ({ page, channel }: Visitor): Promise<unknown[]> =>
  (await page.told(channel)).map(([data]) => data);

function suite(getOpen: () => OpenPage): void {
  const clients: Client[] = ["published", "ours"];

  /** A page for each client in each way, with a channel of its own that holds something. */
  function visitors(): Promise<Visitor[]> {
    const all = clients.flatMap((client) => Object.entries(WAYS).map(([way, settings]) => ({ client, way, settings })));
    return Promise.all(
      all.map(async ({ client, way, settings }) => {
        const channel = `/c${randomId()}`;
        await publish(channel, "older");
        await publish(channel, "old");
        const page = await getOpen()(fleet.url, client);
        pages.push(page);
        await page.set({ ...settings, minPollInterval: 100 });
        await page.subscribe(channel, -2);
        return { name: `${client}, ${way}`, page, channel };
      }),
    );
  }

  const hear = (all: readonly Visitor[], count: number): Promise<unknown> =>
    Promise.all(
      all.map((one) =>
        waitFor(async () => (await one.page.told(one.channel)).length >= count, { ...WAIT, what: one.name }),
      ),
    );

  test("both clients, polling, long polling and streaming: the newest stored message, then all that comes, on two channels", async () => {
    const all = await visitors();
    await hear(all, 1);
    await Promise.all(all.map(({ channel }) => publish(channel, "live1")));
    await hear(all, 2);
    const others = all.map((one) => ({ ...one, channel: `${one.channel}x` }));
    await Promise.all(others.map(({ page, channel }) => page.subscribe(channel, 0)));
    await Promise.all(others.map(({ channel }) => publish(channel, "x1")));
    await Promise.all(all.map(({ channel }) => publish(channel, "live2")));
    await hear(others, 1);
    await hear(all, 3);
    for (const one of all) {
      expect(await heard(one), one.name).toEqual(["old", "live1", "live2"]);
      const ids = (await one.page.told(one.channel)).map(([, , messageId]) => messageId);
      expect(
        ids.toSorted((a, b) => a - b),
        one.name,
      ).toEqual(ids);
      expect(await one.page.stop(), one.name).toBe("stopped");
    }
  });

  test("both clients, in each way: every worker is killed, and nothing is lost, doubled or out of order", async () => {
    const all = await visitors();
    await hear(all, 1);
    for (let n = 1; n <= MESSAGES; n++) {
      await Promise.all(all.map(({ channel }) => publish(channel, n)));
      if (n !== MESSAGES / 3 && n !== (2 * MESSAGES) / 3) continue;
      await fleet.kill();
      await fleet.add();
    }
    await hear(all, MESSAGES + 1);
    for (const one of all) {
      const expected = ["old", ...Array.from({ length: MESSAGES }, (_, index) => index + 1)];
      expect(await heard(one), one.name).toEqual(expected);
    }
  });
}

describe("in jsdom", () => suite(() => inJsdom));

describe("in chromium", () => {
  withServer("chromium", () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchChromium();
    }, 60_000);
    afterAll(() => browser?.close());
    suite(() => inChromium(browser));
  });
});
