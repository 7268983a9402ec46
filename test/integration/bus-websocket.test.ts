// WebSockets of the bus in a real browser: the reader of docs/authors/bus-server.md, and pages of another origin.

import { readFileSync } from "node:fs";
import { type FastifyInstance, fastify } from "fastify";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { openTestBus } from "../conformance/bus/kit.ts";
import { launchChromium } from "../conformance/bus/pages.ts";
import { startProxy } from "../support/proxy.ts";
import { withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const WAIT = { timeoutMs: 60_000 };
const PAGE = new URL("../../docs/authors/bus-server.md", import.meta.url);
/** As it is documented. */
const READER = /```js\n(function read[\s\S]*?)```/.exec(readFileSync(PAGE, "utf8"))?.[1] ?? "";

withServer("chromium", () => {
  let browser: Browser;
  const closers: (() => unknown)[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);

  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  afterAll(() => browser?.close());

  function servePage(app: FastifyInstance): void {
    app.get("/page", async (_request, reply) => reply.type("text/html").send("<!doctype html><title>bus</title>"));
  }

  async function visit(url: string): Promise<Page> {
    const context = await browser.newContext();
    closers.push(() => context.close());
    const page = await context.newPage();
    await page.goto(`${url}/page`);
    return page;
  }

  test("the documented reader hears several channels, and goes on where it was after the connection broke", async () => {
    const at = await openTestBus({ websocket: true, prepare: servePage });
    const proxy = await startProxy(at.port);
    closers.push(() => proxy.stop());
    const url = `http://127.0.0.1:${proxy.port}`;
    const page = await visit(url);
    expect(READER.split("\n").length).toBeGreaterThan(10);
    await page.evaluate(`(() => { ${READER}
      window.heard = [];
      read("${url.replace("http", "ws")}/bus/ws", ["/a", "/b"], (messages) => heard.push(...messages.map(({ channel, data }) => channel + data)));
    })()`);
    const heard = (): Promise<string[]> => page.evaluate("heard");
    // It begins with what comes from now on.
    const begins = async (): Promise<boolean> => {
      for (const channel of ["/a", "/b"]) await at.publish(channel, 0);
      const told = await heard();
      return told.includes("/a0") && told.includes("/b0");
    };
    await waitFor(begins, WAIT);
    const sinceThen = async (): Promise<string[]> => (await heard()).filter((text) => !text.endsWith("0"));
    await at.publish("/a", 1);
    await at.publish("/b", 1);
    await waitFor(async () => (await sinceThen()).length === 2, WAIT);
    await proxy.refuse();
    await waitFor(() => at.bus.diagnostics().byFace.websocket === undefined, WAIT);
    await at.publish("/a", 2);
    await at.publish("/a", 3);
    await proxy.mend();
    await waitFor(async () => (await sinceThen()).length >= 4, WAIT);
    await at.publish("/b", 2);
    await waitFor(async () => (await sinceThen()).length >= 5, WAIT);
    expect(await sinceThen()).toEqual(["/a1", "/b1", "/a2", "/a3", "/b2"]);
  });

  test("a page of another origin gets no WebSocket, though the browser sends its cookies; one that is named does", async () => {
    const other = fastify();
    servePage(other);
    await other.listen({ port: 0, host: "127.0.0.1" });
    closers.push(() => (other.server.closeAllConnections(), other.close()));
    // Cookies know no ports: to the browser both are one site, as two of your own would be.
    const origin = `http://127.0.0.1:${(other.server.address() as { port: number }).port}`;
    const cookies: unknown[] = [];
    const identify = ({ headers }: { headers: Readonly<Record<string, unknown>> }) => (
      cookies.push(headers["cookie"]),
      {}
    );
    const closed = await openTestBus({ websocket: true, prepare: servePage });
    const named = await openTestBus({ websocket: true, identify, cors: { origins: [origin], credentials: true } });
    const page = await visit(origin);
    await page.context().addCookies([{ name: "who", value: "ann", url: named.url }]);
    const tried = (url: string): Promise<string> =>
      page.evaluate(`new Promise((told) => {
        const socket = new WebSocket("${url.replace("http", "ws")}/bus/ws");
        socket.onopen = () => told("open");
        socket.onerror = () => told("refused");
      })`);
    expect(await tried(closed.url)).toBe("refused");
    expect(closed.bus.diagnostics().connections).toBe(0);
    expect(await tried(named.url)).toBe("open");
    expect(cookies).toEqual(["who=ann"]);
  });
});
