// docs/authors/bus-migration.md: every method and setting of MessageBus' server is there, and what takes its place has a test.

import { globSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { OpenBusOptions } from "../../../services/bus/plugin.ts";
import { listening } from "../../support/bus-socket.ts";
import { useBuses } from "../../support/buses.ts";
import { waitFor } from "../../support/wait-for.ts";

const ROOT = join(import.meta.dirname, "../../..");
const PAGE = readFileSync(join(ROOT, "docs/authors/bus-migration.md"), "utf8");
/** Of discourse/message_bus 4.5.2. */
const METHODS = `publish client_ids user_ids group_ids site_id max_backlog_age max_backlog_size queue_in_memory subscribe
  local_subscribe blocking_subscribe unsubscribe local_unsubscribe backlog global_backlog last_id last_ids last_message
  register_client_message_filter off on destroy after_fork reset! listening? MessageBus::Instance DistributedCache`;
const SETTINGS = `long_polling_enabled long_polling_interval chunked_encoding_enabled max_active_clients rack_hijack_enabled
  base_route backend backend_options backend_instance redis_config transport_codec keepalive_interval allow_broadcast
  user_id_lookup group_ids_lookup site_id_lookup is_admin_lookup extra_response_headers_lookup on_middleware_error on_connect
  on_disconnect logger max_backlog_size max_global_backlog_size max_backlog_age clear_every max_in_memory_publish_backlog`;

interface Row {
  readonly there: string;
  readonly here: string;
  readonly why: string;
}

function rowsOf(heading: string): Row[] {
  const section = PAGE.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("| `") || line.startsWith("| "));
  return lines.slice(1).map((line) => {
    const [, there = "", here = "", why = ""] = line.split("|").map((cell) => cell.trim());
    return { there, here, why };
  });
}

const TESTS = globSync("test/{unit,conformance}/{bus,worker,client}/**/*.ts", { cwd: ROOT })
  .filter((file) => !file.endsWith("migration.test.ts"))
  .map((file) => readFileSync(join(ROOT, file), "utf8"))
  .join("\n");

describe.each([
  ["Methods", METHODS],
  ["Settings", SETTINGS],
])("%s", (heading, names) => {
  const rows = rowsOf(heading);

  test.each(names.split(/\s+/))("%s has a row, and its counterpart a test or a reason why there is none", (name) => {
    const word = new RegExp(`(?<![\\w])${name.replace("?", "\\?")}(?![\\w])`);
    const found = rows.filter(({ there }) => word.test(there));
    expect(found.length).toBeGreaterThan(0);
    for (const { here, why } of found) {
      if (here === "none") expect(why).not.toBe("");
      else expect(wordsOf(here).filter((one) => !isTested(one))).toEqual([]);
    }
  });
});

/** What a program writes: names of methods and options. */
function wordsOf(here: string): string[] {
  const codes = [...here.matchAll(/`([^`{]+)[^`]*`/g)].map(([, code = ""]) => code.replace(/^await /, ""));
  return codes.map((code) => /(\w+)\s*(?:[({:].*)?$/.exec(code.replace(/\(.*$/, "").replace(/:.*$/, ""))?.[1] ?? code);
}

function isTested(word: string): boolean {
  return ["longPolling", "chunked"].includes(word) || new RegExp(`(?<![\\w])${word}(?![\\w])`).test(TESTS);
}

describe("settings that only a migration asks for", () => {
  const buses = useBuses();

  async function poll(
    options: OpenBusOptions,
  ): Promise<{ answer: Promise<Response>; bus: Awaited<ReturnType<typeof buses.open>> }> {
    const bus = await buses.open({ access: "open", longPollMs: 60_000, ...options });
    const port = await listening(buses, createServer(bus.handler));
    const body = new URLSearchParams({ "/a": "0" });
    return { bus, answer: fetch(`http://127.0.0.1:${port}/message-bus/me/poll`, { method: "POST", body }) };
  }

  test("without longPolling a poll is answered at once", async () => {
    const { answer } = await poll({ longPolling: false });
    expect(await (await answer).text()).toBe("[]");
    expect((await answer).headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  test("without chunked a held poll is answered once, with the first message", async () => {
    const { bus, answer } = await poll({ chunked: false });
    await waitFor(() => bus.diagnostics().byFace.poll === 1, { timeoutMs: 30_000 });
    await bus.publish("/a", 1);
    expect((await answer).headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await (await answer).json()).toMatchObject([{ channel: "/a", data: 1 }]);
  });
});
