// Takes the pictures of docs/operators/dashboard.md: node scripts/dashboard-pictures.ts [NAME …]
//
// They are of a real bot under load, so no two runs make the same; nothing compares them. Each is packed into a PNG of 256
// colours, which is a quarter of what a browser writes.

import { writeFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { Browsing, eventually, goTo, type LookOptions, Shop } from "../test/support/dashboard.ts";
import { packPicture } from "./pack-picture.ts";

const FOLDER = new URL("../docs/images/", import.meta.url);
const LOAD_MS = 150_000;
const FLOOD_EVERY_MS = 25_000;
const SETTLE_MS = 2500;
const WIDE = { viewport: { width: 1360, height: 850 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5 };

interface Picture extends LookOptions {
  readonly name: string;
  readonly place: string;
  readonly ready?: (page: Page) => Promise<unknown>;
}

const wanted = process.argv.slice(2);
const shop = await Shop.open();
const browsing = await Browsing.open();
try {
  shop.startLoad(18);
  const dead = await fill();
  // What is loaded with the first look keeps the master busy for a moment; that is over when the pictures are taken.
  await fetch(shop.url);
  for (const until = Date.now() + LOAD_MS; Date.now() < until; await pause(FLOOD_EVERY_MS)) await flood();
  await shop.queue.pause("digests");
  const pictures: readonly Picture[] = [
    { name: "now", place: "", ...WIDE },
    { name: "jobs-dark", place: "jobs?state=dead", colorScheme: "dark", ...WIDE },
    { name: "job", place: `jobs/${dead}`, ...WIDE },
    { name: "queue-dark", place: "queues/default", colorScheme: "dark", ...WIDE },
    { name: "workers", place: "workers", role: "admin", ...WIDE },
    { name: "handlers", place: "handlers", ...WIDE },
    { name: "phone", place: "", colorScheme: "dark", ...PHONE },
  ];
  for (const picture of pictures) if (wanted.length === 0 || wanted.includes(picture.name)) await take(picture);
} finally {
  await browsing.close();
  await shop.close();
}

async function take({ name, place, ...options }: Picture): Promise<void> {
  const { page, problems } = await browsing.look(shop, { role: "operator", ...options });
  await goTo(page, place);
  await pause(SETTLE_MS);
  const bytes = packPicture(await page.screenshot());
  writeFileSync(new URL(`dashboard-${name}.png`, FOLDER), bytes);
  console.log(`dashboard-${name}.png: ${Math.round(bytes.length / 1024)} KiB`, ...problems);
  await browsing.closeAll();
}

/** So that something waits now and then. */
async function flood(): Promise<void> {
  const mails = Array.from({ length: 260 }, (_, n) => ({ to: `reader-${n}@example.org`, ms: 500 + 7 * (n % 90) }));
  await shop.queue.enqueueAll("mail.send", mails);
}

/** What a busy day leaves. @returns a dead job's id */
async function fill(): Promise<string> {
  for (const month of ["2026-09", "2026-10"]) await shop.queue.enqueue("report.build", { month, ms: 600_000 });
  const errors = [
    "The bank answered 503 Service Unavailable",
    "connect ECONNREFUSED 10.0.4.17:5432",
    "The card of order 7311 has expired",
  ];
  for (let order = 7311; order < 7323; order++) {
    const error = errors[order % errors.length] ?? "";
    await shop.queue.enqueue("pay.capture", { order: String(order), error }, { key: `order:${order}`, tags: ["eu"] });
  }
  const asked = { app: "web", env: "nowhere", ms: 700 };
  const { id } = await shop.queue.enqueue("deploy.ship", asked, { key: "web", tags: ["eu", "vip"] });
  await eventually(async () => (await shop.queue.find(id))?.state === "dead", "a dead deploy");
  for (const to of ["ann", "ben", "cleo", "ann", "ann"])
    await shop.queue.enqueue("mail.send", { to: `${to}@example.org` }, { queue: "digests", key: to, delay: "1h" });
  return id;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
