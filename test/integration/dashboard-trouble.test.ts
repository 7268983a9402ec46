// The dashboard where things go wrong, and where something stands between it and the browser.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Browsing, eventually, goTo, Shop, TOKENS } from "../support/dashboard.ts";
import { freePort, withServer } from "../support/redis.ts";
import { endWithThis } from "../support/spawn.ts";

const GUIDE = readFileSync(new URL("../../docs/operators/dashboard.md", import.meta.url), "utf8");

withServer("chromium", () => {
  let browsing: Browsing;

  beforeAll(async () => {
    browsing = await Browsing.open();
  }, 60_000);

  afterAll(() => browsing?.close());

  describe("Redis is stopped and started again", () => {
    let shop: Shop;

    beforeAll(async () => {
      shop = await Shop.open();
    }, 240_000);

    afterAll(() => shop?.close());

    test("the page says so, keeps what it showed, and goes on by itself", async () => {
      shop.startLoad(5);
      const { page, problems } = await browsing.look(shop, { role: "viewer", at: "queues" });
      const banner = page.locator(".banner");
      const row = page.getByRole("link", { name: "default", exact: true });
      await row.waitFor();
      await shop.stopRedis();
      await banner.getByText("Redis is away").waitFor();
      expect(await row.count()).toBe(1);
      await goTo(page, "");
      await banner.getByText("Redis is away").waitFor();
      await shop.startRedis();
      await banner.waitFor({ state: "detached" });
      // An empty Redis knows no sessions: whoever had one signs in again.
      await page.getByLabel("Token").or(page.locator("canvas").first()).first().waitFor();
      expect(problems).toEqual([]);
    });

    test("who signs in meanwhile is told, and is let in when Redis is back", async () => {
      await shop.stopRedis();
      const { page, problems } = await browsing.look(shop);
      await page.getByLabel("Token").fill(TOKENS.viewer);
      await page.keyboard.press("Enter");
      await page.getByRole("alert").getByText(/Redis/).first().waitFor();
      await shop.startRedis();
      const isIn = async (): Promise<boolean> => {
        await page
          .getByRole("button", { name: "Sign in" })
          .click({ timeout: 1000 })
          .catch(() => {});
        return (await page.getByRole("navigation", { name: "Pages" }).count()) > 0;
      };
      await eventually(isIn, "signed in");
      expect(problems).toEqual([]);
    });
  });

  describe("behind nginx, under a prefix", () => {
    withServer("nginx", () => {
      let shop: Shop;
      let folder: string;
      let nginx: ChildProcess;
      let port: number;

      beforeAll(async () => {
        shop = await Shop.open({ env: { ANTIPHON_ADMIN_BASE_PATH: "/ops/antiphon" } });
        folder = mkdtempSync(join(tmpdir(), "antiphon-nginx-"));
        port = await freePort();
        for (const name of ["body", "proxy", "fastcgi", "uwsgi", "scgi"]) mkdirSync(join(folder, name));
        writeFileSync(join(folder, "nginx.conf"), configuration());
        const args = ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")];
        nginx = endWithThis(spawn("nginx", args, { stdio: "inherit" }));
        const answers = (): Promise<boolean> =>
          fetch(`http://127.0.0.1:${port}/`).then(
            () => true,
            () => false,
          );
        await eventually(answers, "nginx");
      }, 240_000);

      afterAll(async () => {
        await new Promise((done) => nginx?.once("exit", done).kill());
        rmSync(folder, { recursive: true, force: true });
        await shop?.close();
      });

      /** As documented, with paths that belong to this test. */
      function configuration(): string {
        const block = /^```nginx\n([^]*?)^```$/m
          .exec(GUIDE)?.[1]
          ?.replaceAll("http://antiphon-master:9090", shop.url.slice(0, -1));
        if (block === undefined) throw new Error("There is no example for nginx.");
        const paths = ["client_body:body", "proxy:proxy", "fastcgi:fastcgi", "uwsgi:uwsgi", "scgi:scgi"].map((one) => {
          const [name, path] = one.split(":");
          return `${name}_temp_path ${folder}/${path};`;
        });
        const server = `server { listen 127.0.0.1:${port}; ${block} }`;
        const http = `http { access_log off; ${paths.join(" ")} ${server} }`;
        return `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log; events {} ${http}`;
      }

      test("a deep link is opened, signed into, live, and acted on", async () => {
        shop.startLoad(5);
        const url = `http://127.0.0.1:${port}/ops/antiphon/`;
        const { page, problems } = await browsing.look(shop, { url, role: "operator", at: "queues/default" });
        await page.getByRole("heading", { level: 1, name: "default" }).waitFor();
        await page.getByRole("button", { name: "Pause default" }).click();
        await eventually(async () => (await shop.queue.show("default")).pauses.length === 1, "a pause");
        const [cookie] = await page.context().cookies();
        expect(cookie).toMatchObject({ path: "/ops/antiphon/", httpOnly: true, sameSite: "Strict" });
        await goTo(page, "");
        await page.locator(".sign.live").waitFor();
        await page.reload();
        await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
        expect(problems).toEqual([]);
      });

      test("without the last slash of the prefix, too", async () => {
        const { page, problems } = await browsing.look(shop, { url: `http://127.0.0.1:${port}/ops/antiphon` });
        await page.getByLabel("Token").waitFor();
        expect(page.url()).toContain("/ops/antiphon/#/");
        expect(problems).toEqual([]);
      });
    });
  });
});
