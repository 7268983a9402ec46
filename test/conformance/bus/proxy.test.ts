// What docs/authors/bus.md tells people to type, run as it stands there: the configuration of nginx, and the line with curl.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type MessageBus, openBus } from "../../../services/bus/plugin.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { freePort, testRedis, withServer } from "../../support/redis.ts";
import { endWithThis } from "../../support/spawn.ts";
import { waitFor } from "../../support/wait-for.ts";
import { Fleet } from "./fleet.ts";
import { Stream } from "./stream.ts";
import { inJsdom, type Page } from "./pages.ts";

const PAGE = readFileSync(new URL("../../../docs/authors/bus.md", import.meta.url), "utf8");
const WAIT = { timeoutMs: 30_000 };
const MESSAGES = 30;

let fleet: Fleet;
let publisher: MessageBus;

beforeAll(async () => {
  const { url } = await testRedis();
  const namespace = `t${randomId()}`;
  publisher = await openBus({ backend: "redis", url, namespace });
  fleet = await Fleet.start({ redisUrl: url, namespace, workers: 1 });
}, 90_000);

afterAll(async () => {
  await fleet?.stop();
  await publisher?.close();
});

/** The first block of this kind. */
function documented(kind: string): string {
  const found = new RegExp(`^\`\`\`${kind}\\n([^]*?)^\`\`\`$`, "m").exec(PAGE)?.[1];
  if (found === undefined) throw new Error(`There is no example in ${kind}.`);
  return found;
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    child.once("exit", () => done());
    child.kill();
  });
}

withServer("curl", () => {
  test("the documented line with curl shows the newest message, then what comes", async () => {
    await publisher.publish("/releases", "first");
    await publisher.publish("/releases", "second");
    const line = documented("sh").trim().replace("http://127.0.0.1:8080", fleet.url);
    const curl = endWithThis(spawn("sh", ["-c", `exec ${line}`], { stdio: ["ignore", "pipe", "inherit"] }));
    let said = "";
    curl.stdout?.on("data", (bytes) => (said += String(bytes)));
    try {
      await waitFor(() => said.includes('"data":"second"'), WAIT);
      await publisher.publish("/releases", "third");
      await waitFor(() => said.includes('"data":"third"'), WAIT);
      expect(said).not.toContain('"data":"first"');
    } finally {
      await ended(curl);
    }
  });
});

describe("through nginx", () => {
  withServer("nginx", () => {
    let folder: string;
    let nginx: ChildProcess;
    let port: number;
    const pages: Page[] = [];

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "antiphon-nginx-"));
      port = await freePort();
      for (const name of ["body", "proxy", "fastcgi", "uwsgi", "scgi"]) mkdirSync(join(folder, name));
      writeFileSync(join(folder, "nginx.conf"), configuration());
      const args = ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")];
      nginx = endWithThis(spawn("nginx", args, { stdio: "inherit" }));
      await waitFor(async () => (await fetch(`http://127.0.0.1:${port}/bus/client.js`)).ok, WAIT);
    }, 60_000);

    afterEach(async () => {
      for (const page of pages.splice(0)) await page.close();
    });

    afterAll(async () => {
      await ended(nginx);
      rmSync(folder, { recursive: true, force: true });
    });

    /** With paths that belong to this test; all else of nginx is as it comes. */
    function configuration(): string {
      const location = documented("nginx").replace("http://antiphon-worker:8080", fleet.url);
      const paths = ["client_body:body", "proxy:proxy", "fastcgi:fastcgi", "uwsgi:uwsgi", "scgi:scgi"].map((one) => {
        const [name, path] = one.split(":");
        return `${name}_temp_path ${folder}/${path};`;
      });
      const server = `server { listen 127.0.0.1:${port}; ${location} }`;
      const http = `http { access_log off; gzip on; gzip_types text/plain; ${paths.join(" ")} ${server} }`;
      return `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log; events {} ${http}`;
    }

    test("a stream comes through chunk by chunk, with the documented configuration", async () => {
      const channel = `/n${randomId()}`;
      const stream = new Stream(port);
      try {
        await stream.send(`/message-bus/${randomId()}/poll`, { [channel]: "" }, {});
        await stream.isOpen();
        for (let n = 1; n <= MESSAGES; n++) {
          await publisher.publish(channel, n);
          await waitFor(() => stream.dataOf(channel).length === n, WAIT);
        }
        expect(stream.isEnded).toBe(false);
      } finally {
        stream.leave();
      }
    });

    test.each(["published", "ours"] as const)("%s client streams through it and does not fall back", async (client) => {
      const channel = `/p${randomId()}`;
      const page = await inJsdom(`http://127.0.0.1:${port}`, client);
      pages.push(page);
      await publisher.publish(channel, 0);
      await page.subscribe(channel, -2);
      for (let n = 0; n < MESSAGES; n++) {
        await waitFor(async () => (await page.told(channel)).length === n + 1, WAIT);
        await publisher.publish(channel, n + 1);
      }
      await waitFor(async () => (await page.told(channel)).length === MESSAGES + 1, WAIT);
      expect((await page.told(channel)).map(([data]) => data)).toEqual(
        Array.from({ length: MESSAGES + 1 }, (_, n) => n),
      );
    });
  });
});
