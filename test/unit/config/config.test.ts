// Settings: what each accepts, which source wins, and that every problem is told at once and no secret with it.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Config, SETTINGS } from "../../../services/config/config.ts";
import { readConfig } from "../../../services/config/read.ts";
import type { ConfigFor } from "../../../services/config/row.ts";
import { hasCode } from "../../../services/runtime/errors.ts";
import { bad, good } from "../../support/config-cases.ts";
import { VERSION } from "../../../services/runtime/version.ts";

let folder = "";
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antiphon-config-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Given {
  env?: Record<string, string>;
  /** Name and content of the settings file. */
  file?: [extension: string, content: string];
  purpose?: ConfigFor;
  dev?: boolean;
  terminal?: boolean;
  cores?: number;
}

async function read(given: Given): Promise<Config> {
  const env = { ...given.env };
  if (given.file) {
    env["ANTIPHON_CONFIG"] = join(folder, `${++files}.${given.file[0]}`);
    await writeFile(env["ANTIPHON_CONFIG"], given.file[1]);
  }
  return readConfig(given.purpose ?? "tool", {
    env,
    cwd: folder,
    cores: given.cores ?? 2,
    terminal: given.terminal ?? false,
    dev: given.dev ?? false,
  });
}

async function problems(given: Given): Promise<string> {
  const error: unknown = await read(given).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(hasCode(error, "CONFIG_INVALID"), `no problem was found with ${JSON.stringify(given)}`).toBe(true);
  return (error as Error).message;
}

type File = NonNullable<Given["file"]>;
const yaml = (content: string): File => ["yaml", content];

describe("defaults", () => {
  test("are those of the documentation", async () => {
    expect(await read({ purpose: "tool", cores: 3 })).toMatchObject({
      redisUrl: undefined,
      namespace: "antiphon",
      handlers: [join(folder, "handlers")],
      name: "antiphon",
      alias: "!",
      adapters: ["web"],
      adapterSettings: { web: { order: "user", inDoubt: "retry" } },
      webToken: [],
      httpHost: "0.0.0.0",
      httpPort: 8080,
      adminHost: "0.0.0.0",
      adminPort: 9090,
      adminToken: undefined,
      workerThreads: 3,
      workerConcurrency: 32,
      recycleJobs: 0,
      recycleHeapMb: 0,
      queues: [{ queue: "*", weight: 1 }],
      tags: { all: true, untagged: false, only: [], never: [] },
      pool: "default",
      drainMs: 25_000,
      leaseMs: 6_000,
      revision: VERSION,
      queueLimit: 1_000_000,
      queueBytes: 1_073_741_824,
      historyLength: 1_000,
      historyHours: 24,
      deadLength: 10_000,
      deadDays: 90,
      errorTrackers: [],
      sentryDsn: undefined,
      release: undefined,
      environment: undefined,
      logLevel: "info",
      logFormat: "json",
      groups: {},
      admins: [],
      dev: false,
    });
  });

  test("threads follow the cores, at least 2 and at most 4", async () => {
    expect((await read({ cores: 1 })).workerThreads).toBe(2);
    expect((await read({ cores: 64 })).workerThreads).toBe(4);
  });

  test("dev listens on this machine only, a terminal gets pretty lines", async () => {
    expect(await read({ purpose: "dev" })).toMatchObject({ httpHost: "127.0.0.1", adminHost: "127.0.0.1", dev: true });
    expect((await read({ terminal: true })).logFormat).toBe("pretty");
  });

  test("the result is frozen and crosses threads", async () => {
    const config = await read({ file: yaml("groups: { ops: [web:ann] }\nhandlers: { github: { secret: s } }") });
    expect(Object.isFrozen(config.groups["ops"])).toBe(true);
    expect(Object.isFrozen(config.handlerSettings["github"])).toBe(true);
    expect(structuredClone(config)).toEqual(config);
  });
});

describe("each setting", () => {
  for (const [key, row] of Object.entries(SETTINGS)) {
    if (row.variable === undefined) continue;
    const variable = row.variable;
    test(`${variable} accepts what fits and refuses the rest`, async () => {
      expect(good[key]?.length, "a case for each setting").toBeGreaterThan(0);
      for (const [text, value] of good[key] ?? [])
        expect(await read({ env: { [variable]: text } })).toHaveProperty(key, value);
      for (const text of bad[key] ?? [])
        expect(await problems({ env: { [variable]: text } })).toMatch(/must be|no adapter/);
    });
    test(`${variable} left empty counts as not set`, async () => {
      expect(await read({ env: { [variable]: "" } })).toEqual(await read({}));
    });
    test(`${variable} has a sentence that ends`, () => {
      expect(row.sentence).toMatch(/^[A-Z`].*\.$/s);
    });
  }
});

describe("the settings file", () => {
  test("may be TypeScript, JavaScript, JSON or YAML", async () => {
    const script = "export default { namespace: 'n', drainMs: 5 };";
    const kinds: File[] = [
      ["ts", `${script} export const typed: number = 1;`],
      ["js", script],
      ["json", '{ "namespace": "n", "drainMs": 5 }'],
      ["yaml", "namespace: n\ndrainMs: 5\n"],
    ];
    for (const file of kinds) expect(await read({ file })).toMatchObject({ namespace: "n", drainMs: 5 });
  });

  test("yields to the environment", async () => {
    const config = await read({ env: { ANTIPHON_NAMESPACE: "env" }, file: yaml("namespace: file\nname: hal") });
    expect(config).toMatchObject({ namespace: "env", name: "hal" });
  });

  test("holds the settings of handlers and adapters by name", async () => {
    const content = `
      handlers: { github: { secret: s }, digest: }
      folders: [./mine, some-package]
      adapters: { web: { order: room } }
      groups: { deployers: [web:ann], empty: }`;
    const config = await read({ file: yaml(content) });
    expect(config.handlerSettings).toEqual({ github: { secret: "s" } });
    expect(config.handlers).toEqual([join(folder, "mine"), "some-package"]);
    expect(config.adapters).toEqual(["web"]);
    expect(config.adapterSettings).toEqual({ web: { order: "room", inDoubt: "retry" } });
    expect(config.groups).toEqual({ deployers: ["web:ann"], empty: [] });
  });

  test("may hold the settings of the outbox together", async () => {
    expect((await read({ file: yaml("outbox: { redirect: web:staging }") })).outboxRedirect).toBe("web:staging");
    expect(await problems({ file: yaml("outbox: { redirekt: web:x }") })).toContain("outboxRedirekt is no setting");
    expect(await problems({ file: yaml("outbox: here") })).toContain("outbox must be an object");
  });

  test("names adapters of one's own by paths relative to itself, each with its settings, and by packages", async () => {
    const config = await read({ file: yaml("adapters: { ./hip: { room: a }, hip-chat: , '@acme/chat': }") });
    expect(config.adapters).toEqual([join(folder, "hip"), "hip-chat", "@acme/chat"]);
    expect(config.adapterSettings[join(folder, "hip")]).toEqual({ room: "a" });
    const named = await read({ env: { ANTIPHON_ADAPTERS: "./hip,web", ANTIPHON_ADAPTER_HIP_TOKEN: "t" } });
    expect(named.adapters).toEqual([join(folder, "hip"), "web"]);
    expect(named.adapterVariables).toEqual({ ANTIPHON_ADAPTER_HIP_TOKEN: "t" });
  });

  test("lists folders relative to itself, plainly or with commas", async () => {
    expect((await read({ file: yaml("handlers: ./a,./b") })).handlers).toEqual([join(folder, "a"), join(folder, "b")]);
    expect((await read({ file: yaml("handlers: [./a]") })).handlers).toEqual([join(folder, "a")]);
    expect(await problems({ file: yaml("handlers: [./a]\nfolders: [./b]") })).toContain("both say where");
  });

  test("leaves settings of handlers to variables of their own", async () => {
    const config = await read({ env: { ANTIPHON_HANDLER_GITHUB_SECRET: "s" } });
    expect(config.handlerVariables).toEqual({ ANTIPHON_HANDLER_GITHUB_SECRET: "s" });
  });

  test("must have the right types: a number is no text", async () => {
    expect(await problems({ file: yaml('httpPort: "8080"') })).toContain("httpPort must be a whole number");
    expect(await problems({ file: yaml("namespace: 5") })).toContain("namespace must be");
    expect(await problems({ file: yaml("groups: [a]") })).toContain("groups must be");
    expect(await problems({ file: yaml("groups: { ops: [ann] }") })).toContain("groups must be");
    expect(await problems({ file: yaml("handlers: { github: 5 }") })).toContain("handlers.github must be an object");
    expect(await problems({ file: ["ts", "export default { handlers: { a: { b: () => 1 } } }"] })).toContain(
      "handlers.a.b must be plain data",
    );
  });

  test("that is missing or broken stops the start and is named", async () => {
    expect(await problems({ env: { ANTIPHON_CONFIG: "nowhere.yaml" } })).toContain(join(folder, "nowhere.yaml"));
    expect(await problems({ env: { ANTIPHON_CONFIG: "settings.toml" } })).toContain("must be a .ts, .js, .json");
    expect(await problems({ file: ["json", '{\n "name" "x" }'] })).toMatch(/\.json cannot be read: .*line 2/);
    expect(await problems({ file: yaml("a: [") })).toMatch(/\.yaml cannot be read: .*line 1 column 5/);
    expect(await problems({ file: yaml("- 1") })).toContain("must hold an object");
  });
});

describe("unknown names are refused with the likely meaning", () => {
  test("in the environment", async () => {
    const text = await problems({ env: { ANTIPHON_NAMESPCE: "x" } });
    expect(text).toContain("ANTIPHON_NAMESPCE is no setting. Did you mean ANTIPHON_NAMESPACE?");
  });

  test("in the file, also below adapters", async () => {
    expect(await problems({ file: yaml("htpPort: 1") })).toContain("htpPort is no setting. Did you mean httpPort?");
    expect(await problems({ file: yaml("adapters: { web: { ordr: room } }") })).toContain(
      "adapters.web.ordr is no setting. Did you mean order?",
    );
  });

  test("an adapter that does not exist", async () => {
    expect(await problems({ env: { ANTIPHON_ADAPTERS: "wep" } })).toContain(
      "There is no adapter wep. Did you mean web?",
    );
  });

  test("but not what Kubernetes sets for a Service named antiphon", async () => {
    const env = {
      ANTIPHON_SERVICE_HOST: "10.0.0.1",
      ANTIPHON_SERVICE_PORT_HTTP: "80",
      ANTIPHON_PORT: "tcp://10.0.0.1:80",
      ANTIPHON_PORT_80_TCP_ADDR: "10.0.0.1",
    };
    expect(await read({ env })).toEqual(await read({}));
  });
});

describe("contradictions", () => {
  test("a worker that would serve nothing", async () => {
    const env = { REDIS_URL: "redis://x", ANTIPHON_QUEUES: "chat", ANTIPHON_TAGS: "gpu" };
    expect(await problems({ purpose: "worker", env })).toContain("leave nothing to serve");
  });

  test("a master and a worker need REDIS_URL", async () => {
    expect(await problems({ purpose: "master" })).toContain("REDIS_URL is missing");
    expect(await problems({ purpose: "worker" })).toContain("REDIS_URL is missing");
    await read({ purpose: "dev" });
  });

  test("one port cannot be both public and admin, unless both are free ones", async () => {
    const env = { REDIS_URL: "redis://x", ANTIPHON_HTTP_PORT: "9090" };
    expect(await problems({ purpose: "worker", env })).toContain("are both 9090");
    await read({ purpose: "worker", env: { ...env, ANTIPHON_HTTP_PORT: "0", ANTIPHON_ADMIN_PORT: "0" } });
  });

  test("a metrics API without a certificate, or the other way round", async () => {
    const env = { REDIS_URL: "redis://x", ANTIPHON_METRICS_API_PORT: "6443" };
    expect(await problems({ purpose: "master", env })).toContain("ANTIPHON_METRICS_API_CERTIFICATE go together");
    await read({ purpose: "master", env: { ...env, ANTIPHON_METRICS_API_CERTIFICATE: "/tls" } });
  });

  test("fewer slots than threads", async () => {
    const env = { REDIS_URL: "redis://x", ANTIPHON_WORKER_THREADS: "16", ANTIPHON_WORKER_CONCURRENCY: "8" };
    expect(await problems({ purpose: "worker", env })).toContain("ANTIPHON_WORKER_CONCURRENCY is less than");
  });

  test("a redirect to a room of no adapter", async () => {
    expect(await problems({ env: { ANTIPHON_OUTBOX_REDIRECT: "slack:C1" } })).toContain("none of ANTIPHON_ADAPTERS");
    const own = { ANTIPHON_OUTBOX_REDIRECT: "hip:lobby", ANTIPHON_ADAPTERS: "./hip" };
    expect((await read({ env: own })).outboxRedirect).toBe("hip:lobby");
  });
});

test("all problems are told at once", async () => {
  const env = { ANTIPHON_HTTP_PORT: "x", LOG_LEVEL: "loud", ANTIPHON_NOPE: "1", ANTIPHON_ADAPTERS: "wep" };
  const text = await problems({ env, file: yaml("name: 1\nnope: 2"), purpose: "worker" });
  for (const part of [
    "ANTIPHON_HTTP_PORT",
    "LOG_LEVEL",
    "ANTIPHON_NOPE",
    "name must be",
    "nope is no",
    "wep",
    "REDIS_URL",
  ])
    expect(text).toContain(part);
});

test("no secret is ever printed", async () => {
  const env = {
    REDIS_URL: "http://user:hunter2@host",
    ANTIPHON_WEB_TOKEN: "hunter2,hunter3",
    ANTIPHON_ADMIN_TOKEN: " ",
    ANTIPHON_HTTP_PORT: "x",
  };
  expect(await problems({ env, purpose: "worker" })).not.toContain("hunter");
  expect(await problems({ file: ["json", '{"redisUrl": "hunter2" }}'] })).not.toContain("hunter");
  expect(await problems({ file: yaml("redisUrl: 'hunter2") })).not.toContain("hunter");
  expect(await problems({ file: yaml("webToken: [hunter2]\nadminToken: 5") })).not.toContain("hunter");
});

test("the adapter's own variables are read when it is configured", async () => {
  const config = await read({ env: { ANTIPHON_ADAPTERS: "web,fake", FAKE_URL: "tcp://127.0.0.1:1" } });
  expect(config.adapterSettings["fake"]).toMatchObject({ url: "tcp://127.0.0.1:1" });
});
