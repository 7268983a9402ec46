// Commands with --url: over the admin API they say and do what they say and do at Redis itself.

import { beforeEach, describe, expect, test } from "vitest";
import { parseWords, UsageError } from "../../../services/cli/command.ts";
import { findCommand } from "../../../services/cli/commands.ts";
import { readConfig } from "../../../services/config/read.ts";
import { adminApis, SECRET } from "../../support/admin-api.ts";
import { outcome } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

interface Ran {
  readonly code: number;
  readonly printed: readonly string[];
}

eachServer((_name, getUrl) => {
  const api = adminApis(getUrl);
  let url = "";
  beforeEach(async () => {
    url = await api().app.listen({ host: "127.0.0.1", port: 0 });
  });

  async function antiphon(env: Record<string, string>, args: readonly string[]): Promise<Ran> {
    const [name = "", ...rest] = args;
    const command = await findCommand(name);
    const around = { env, cwd: import.meta.dirname, cores: 2, terminal: false, dev: false };
    const printed: string[] = [];
    const code = await command.run({
      ...parseWords(command, rest),
      ...around,
      stopping: new AbortController().signal,
      print: (line) => void printed.push(line),
      ready: () => {},
      readConfig: (purpose) => readConfig(purpose, around),
    });
    return { code, printed };
  }

  /** It knows nothing of Redis. */
  const afar = (...args: string[]): Promise<Ran> => antiphon({ ANTIPHON_ADMIN_TOKEN: SECRET }, [...args, "--url", url]);
  const near = (...args: string[]): Promise<Ran> =>
    antiphon({ REDIS_URL: getUrl(), ANTIPHON_NAMESPACE: api().bench.namespace }, args);

  async function bury(): Promise<string> {
    const worker = await api().bench.worker("undertaker.1", "fatal");
    const id = await api().enqueue({ team: "north" }, { queue: "fatal" });
    const [claim] = await api().take(worker);
    if (claim !== undefined) await worker.settle([outcome(claim, "dead", { error: "it cannot be" })]);
    await worker.bye([]);
    return id;
  }

  /** Times go on. */
  const still = ({ printed, code }: Ran): unknown => [
    code,
    printed.map((line) => line.replaceAll(/\d+(\.\d+)? (s|ms|min)( ago)?/g, "T")),
  ];
  const PASSING = ["ageMs", "remainingMs", "meanRunMs", "arrivalsPerSecond"];
  const told = ({ printed: [line = ""] }: Ran): unknown =>
    JSON.parse(line, (key, value: unknown) => (PASSING.includes(key) ? 0 : value));

  test("what is listed and shown is the same either way", async () => {
    const worker = await api().bench.worker("pod-1.a");
    const id = await api().enqueue({ n: 1 }, { key: "k", tags: ["eu"] });
    await api().take(worker);
    const waiting = await api().enqueue({ n: 2 }, { delay: "1h" });
    const dead = await bury();
    await api().done("POST", "/queues/default/pause", { key: "k" });
    await api().done("PUT", "/queues/default/limits", { rate: { limit: 3, per: "1m" }, concurrency: 2 });
    await api().done("POST", "/schedules", { id: "digest", job: "reports.make", every: "1h" });
    const looks = [
      ["queue", "ls"],
      ["queue", "show", "default"],
      ["job", "ls"],
      ["job", "ls", "--running"],
      ["job", "show", id],
      ["job", "show", waiting],
      ["job", "show", dead],
      ["job", "show", "zzzz"],
      ["dead", "ls"],
      ["cron", "ls"],
      ["worker", "ls"],
      ["leader"],
    ];
    for (const look of looks) expect([look, still(await afar(...look))]).toEqual([look, still(await near(...look))]);
    for (const look of [["queue", "ls"], ["job", "show", id], ["worker", "ls"], ["leader"]])
      expect(told(await afar(...look, "--json"))).toEqual(told(await near(...look, "--json")));
  });

  describe("changes", () => {
    test("jobs are enqueued, changed, put off, ended, run again and forgotten", async () => {
      const { printed } = await afar(
        "job",
        "enqueue",
        "reports.make",
        "--input",
        '{"n":1}',
        "--delay",
        "1h",
        "--tags",
        "eu",
      );
      const [id = ""] = printed;
      expect(await api().queue.find(id)).toMatchObject({ state: "delayed", body: '{"n":1}', tags: ["eu"] });
      expect((await afar("job", "edit", id, "--input", '{"n":2}')).code).toBe(0);
      expect((await afar("job", "reschedule", id, "--delay", "0s")).code).toBe(0);
      expect(await api().queue.find(id)).toMatchObject({ state: "waiting", body: '{"n":2}' });
      await api().take(await api().bench.worker("pod.1"));
      expect(await afar("job", "edit", id, "--class", "0")).toEqual(await near("job", "edit", id, "--class", "0"));
      expect(await afar("job", "kill", id)).toMatchObject({ code: 0 });
      expect(await afar("job", "edit", "zzzz", "--class", "0")).toEqual(
        await near("job", "edit", "zzzz", "--class", "0"),
      );
      const dead = await bury();
      expect(await afar("job", "edit", dead, "--class", "0")).toEqual(await near("job", "edit", dead, "--class", "0"));
      expect(await afar("job", "retry", dead, "zzzz")).toMatchObject({ code: 1 });
      expect(await api().queue.find(dead)).toMatchObject({ state: "waiting" });
      expect(await afar("job", "delete", dead)).toMatchObject({ code: 0 });
      expect(await api().queue.find(dead)).toBeUndefined();
    });

    test("dead letters are run again and purged, by ids and by filters", async () => {
      const [one, two, three] = [await bury(), await bury(), await bury()];
      expect(await afar("dead", "retry", one, "zzzz")).toEqual({
        code: 1,
        printed: ["1 will run again", "There is no dead letter zzzz."],
      });
      expect(await afar("dead", "purge", "--queue", "nowhere")).toMatchObject({ printed: ["0 purged"] });
      expect(await afar("dead", "purge", two)).toMatchObject({ printed: ["1 purged"] });
      expect(await afar("dead", "retry", "--all")).toMatchObject({ printed: ["1 will run again"] });
      expect(await api().queue.find(three)).toMatchObject({ state: "waiting" });
      expect(await api().queue.dead.list()).toEqual([]);
    });

    test("queues are paused and limited, schedules steered, workers told", async () => {
      const worker = await api().bench.worker("pod-1.a");
      await afar("queue", "pause", "default", "--key", "k");
      expect((await api().queue.show("default")).pauses).toMatchObject([{ kind: "key", key: "k" }]);
      await afar("queue", "resume", "default", "--key", "k");
      await afar("queue", "limit", "default", "--rate", "3/1m", "--burst", "2");
      expect(await api().queue.show("default")).toMatchObject({ pauses: [], limits: { rate: { limit: 3, burst: 2 } } });
      await afar("queue", "limit", "default", "--off");
      expect((await api().queue.show("default")).limits).toEqual({});
      await afar("worker", "quiet", "--all");
      expect((await worker.beat()).order).toBe("quiet");
      expect(await afar("worker", "quiet", "gone")).toMatchObject({ code: 1 });
      await afar("cron", "add", "digest", "--job", "reports.make", "--every", "1h", "--input", '{"a":1}');
      await afar("cron", "set", "digest", "--every", "2h");
      await afar("cron", "pause", "digest");
      expect(await api().queue.schedules.list()).toMatchObject([
        { id: "digest", paused: true, times: { periodMs: 7_200_000 } },
      ]);
      const [run = ""] = (await afar("cron", "run", "digest")).printed;
      expect(await api().queue.find(run)).toMatchObject({ body: '{"a":1}' });
      await expect(afar("cron", "pause", "nobody")).rejects.toMatchObject({ code: "SCHEDULE_UNKNOWN" });
      await afar("cron", "rm", "digest");
      expect(await api().queue.schedules.list()).toEqual([]);
      const changes = (await api().get("/audit?limit=100")).items as { action: string; way: string }[];
      expect(changes.filter(({ action }) => action === "queue.pause")).toMatchObject([{ way: "token" }]);
    });

    test("the doctor looks and mends", async () => {
      await api().enqueue();
      await api().client.hset(`${api().bench.context.keys.queue("default")}:m`, "bodyBytes", 999);
      expect((await afar("doctor", "--queue", "default")).code).toBe(1);
      expect(await afar("doctor", "--queue", "default", "--repair")).toMatchObject({ code: 0 });
      expect((await near("doctor", "--queue", "default")).code).toBe(0);
    });
  });

  test("who has no token, or no server, is told so", async () => {
    await expect(antiphon({}, ["queue", "ls", "--url", url])).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await expect(
      afar("queue", "ls").then(() => antiphon({}, ["queue", "ls", "--url", "http://127.0.0.1:1"])),
    ).rejects.toMatchObject({
      code: "API_UNREACHABLE",
    });
    await expect(antiphon({}, ["queue", "ls", "--url", "localhost"])).rejects.toThrow(UsageError);
  });
});
