// /api/jobs, /api/dead, /api/bulk and /api/undo: what they show is so, and what they change is changed in Redis.

import { describe, expect, test } from "vitest";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { adminApis, type Json } from "../../support/admin-api.ts";
import { outcome, payloadOf } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

const ids = (page: { items: { id: string }[] }): string[] => page.items.map(({ id }) => id);

eachServer((_name, url) => {
  const api = adminApis(url);

  /** So many die, with their reason: in a queue in which nothing else is. */
  const bury = async (count: number, options: Json = {}, input: unknown = { team: "north" }): Promise<string[]> => {
    const { queue = "fatal" } = options;
    const worker = await api().bench.worker("undertaker.1", String(queue));
    const inputs = Array.from({ length: count }, () => input);
    const made = (await api().queue.enqueueAll("reports.make", inputs, { queue: "fatal", ...options })).map(
      ({ id }) => id,
    );
    const claims = await api().take(worker, count);
    await worker.settle(claims.map((claim) => outcome(claim, "dead", { error: "reports.monthly: it cannot be" })));
    await worker.bye([]);
    return made;
  };
  const deadIds = async (): Promise<string[]> => ids(await api().get("/dead")).sort();

  test("jobs are found by state, queue, route, key, tag and text, page by page", async () => {
    const [first, second] = [
      await api().enqueue({ team: "north" }, { tags: ["eu"], key: "n" }),
      await api().enqueue({ team: "south" }, { queue: "low", delay: "1h" }),
    ];
    const dead = (await bury(1, { queue: "other" }))[0] ?? "";
    expect(ids(await api().get("/jobs")).sort()).toEqual([first, second, dead].sort());
    expect(ids(await api().get("/jobs?state=delayed"))).toEqual([second]);
    expect(ids(await api().get("/jobs?state=waiting,delayed")).sort()).toEqual([first, second].sort());
    expect(ids(await api().get("/jobs?state=dead&queue=low"))).toEqual([]);
    expect(ids(await api().get("/jobs?tag=eu"))).toEqual([first]);
    expect(ids(await api().get("/jobs?key=n"))).toEqual([first]);
    expect(ids(await api().get("/jobs?text=south"))).toEqual([second]);
    expect(ids(await api().get("/jobs?route=reports"))).toHaveLength(3);
    expect(ids(await api().get("/jobs?route=deploy.ship"))).toEqual([]);
    expect(ids(await api().get("/jobs?olderThan=1h"))).toEqual([]);
    const page = await api().get("/jobs?limit=1");
    expect(page.items).toHaveLength(1);
    const rest = await api().get(`/jobs?cursor=${encodeURIComponent(page.cursor)}`);
    expect([...ids(page), ...ids(rest)].sort()).toEqual([first, second, dead].sort());
    const [row] = (await api().get("/jobs?state=delayed")).items;
    expect(row).toMatchObject({
      state: "delayed",
      queue: "low",
      route: "reports.monthly",
      excerpt: '{"team":"south"}',
    });
    expect(Date.parse(row.due)).toBeGreaterThan(Date.parse(row.enqueuedAt));
    expect(await api().ask("GET", "/jobs?state=gone")).toMatchObject({ status: 400 });
  });

  test("one delivery's story has its body, its errors, its runs, its trace, and no secrets of the request", async () => {
    const { bench } = api();
    const worker = await bench.worker("pod.1");
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const head = {
      method: "POST",
      path: "/hooks/x",
      search: "a=1",
      headers: {
        authorization: "Bearer s3cret",
        "x-hub-signature-256": "sha256=s3cret",
        "x-event": "push",
        traceparent,
      },
      params: {},
    };
    const envelope = encodeEnvelope(
      { v: 1, kind: "webhook", route: "deploy.ship", request: head, by: "web:ann" },
      "the body",
    );
    const { id } = await bench.producer.enqueue("default", { route: 3, envelope });
    const [claim] = await api().take(worker);
    if (claim === undefined) throw new Error("nothing to take");
    const line = {
      id,
      kind: "webhook",
      routes: ["deploy.ship"],
      outcome: "skip",
      attempt: 1,
      ms: 7,
      error: "no answer",
    };
    const element = { ...claim.element, attempts: 1 };
    expect(element.attempts).toBe(1);
    await worker.settle([
      outcome(claim, "skip", { delayMs: 60_000, error: "no answer", history: JSON.stringify(line) }),
    ]);
    const story = await api().get(`/jobs/${id}`);
    expect(story).toMatchObject({
      id,
      state: "delayed",
      kind: "webhook",
      body: "the body",
      by: "web:ann",
      traceparent,
      request: { method: "POST", path: "/hooks/x?a=1", headers: { "x-event": "push", authorization: "(masked)" } },
      errors: [{ attempt: 1, error: "no answer" }],
      runs: [{ id, outcome: "skip", error: "no answer", ms: 7, worker: "pod.1" }],
    });
    expect(JSON.stringify(story)).not.toContain("s3cret");
    expect(await api().ask("GET", "/jobs/zzzzzz")).toMatchObject({ status: 404 });
  });

  test("what has finished is known from the history: listed, filtered, told", async () => {
    const worker = await api().bench.worker("pod.1");
    const made: string[] = [];
    for (let n = 0; n < 5; n++) {
      const id = await api().enqueue({ n });
      made.unshift(id);
      const [claim] = await api().take(worker);
      if (claim === undefined) throw new Error("nothing to take");
      const routes = [n === 0 ? "other.one" : "reports.monthly"];
      const line = { id, kind: "job", routes, outcome: "done", attempt: 1, ms: 3, result: `made ${n}` };
      await worker.settle([outcome(claim, "done", { history: JSON.stringify(line) })]);
    }
    expect(ids(await api().get("/jobs?state=finished")).sort()).toEqual(made.toSorted());
    expect(ids(await api().get("/jobs?state=finished&route=reports"))).toHaveLength(4);
    expect(ids(await api().get("/jobs?state=finished&text=made%203"))).toEqual([made[1]]);
    const seen: string[] = [];
    let cursor = "";
    for (let page = await api().get("/jobs?state=finished&limit=2"); ;) {
      seen.push(...ids(page));
      if (page.cursor === undefined) break;
      cursor = encodeURIComponent(page.cursor);
      page = await api().get(`/jobs?state=finished&limit=2&cursor=${cursor}`);
    }
    expect(seen.sort()).toEqual(made.toSorted());
    expect(await api().get(`/jobs/${made[0]}`)).toMatchObject({ state: "finished", runs: [{ result: "made 4" }] });
  });

  test("a job is enqueued with its options, and refused with a reason", async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const id = await api().enqueue({ team: "north" }, { at, class: 3, tags: ["eu"] });
    expect(await api().queue.find(id)).toMatchObject({ state: "delayed", class: 3, tags: ["eu"], due: new Date(at) });
    expect(await api().ask("POST", "/jobs", { job: "reports.mke" })).toMatchObject({
      status: 404,
      body: { error: { code: "ROUTE_UNKNOWN", message: expect.stringContaining("reports.make") } },
    });
    expect(await api().ask("POST", "/jobs", { job: "reports.make", options: { wrong: 1 } })).toMatchObject({
      status: 400,
      body: { error: { code: "OPTIONS_INVALID" } },
    });
  });

  test("a job gets another input, class and time while nobody runs it", async () => {
    const id = await api().enqueue({ n: 1 });
    expect(await api().done("PATCH", `/jobs/${id}`, { input: { n: 2 }, class: 0, delay: "1h" })).toEqual({
      outcome: "edited",
    });
    expect(await api().queue.find(id)).toMatchObject({ state: "delayed", class: 0, body: '{"n":2}' });
    await api().done("PATCH", `/jobs/${id}`, { at: new Date(0).toISOString() });
    const worker = await api().bench.worker("pod.1");
    const [claim] = await api().take(worker);
    expect(claim === undefined ? "" : payloadOf(claim)).toBe('{"n":2}');
    expect(await api().ask("PATCH", `/jobs/${id}`, { input: 3 })).toMatchObject({
      status: 409,
      body: { error: { code: "CONFLICT" } },
    });
    expect(await api().ask("PATCH", `/jobs/${id}`, {})).toMatchObject({ status: 400 });
    expect(await api().ask("PATCH", "/jobs/zzzz", { input: 3 })).toMatchObject({ status: 404 });
  });

  test("one that waits is cancelled, one that runs is told to end, a dead one is none to cancel", async () => {
    const waiting = await api().enqueue();
    expect(await api().done("POST", `/jobs/${waiting}/cancel`)).toEqual({ outcome: "cancelled" });
    expect(await api().queue.find(waiting)).toBeUndefined();
    const running = await api().enqueue();
    await api().take(await api().bench.worker("pod.1"));
    expect(await api().done("POST", `/jobs/${running}/cancel`)).toEqual({ outcome: "signalled" });
    expect(await api().ask("DELETE", `/jobs/${running}`)).toMatchObject({ status: 409 });
    const [dead = ""] = await bury(1);
    expect(await api().ask("POST", `/jobs/${dead}/cancel`)).toMatchObject({ status: 409 });
  });

  test("a dead letter runs again or is deleted, and what is none is not", async () => {
    const [again = "", gone = ""] = await bury(2);
    expect(await deadIds()).toEqual([again, gone].sort());
    expect(await api().done("POST", `/jobs/${again}/retry`)).toEqual({ outcome: "retried" });
    expect(await api().queue.find(again)).toMatchObject({ state: "waiting" });
    expect(await api().ask("POST", `/jobs/${again}/retry`)).toMatchObject({ status: 409 });
    expect(await api().done("DELETE", `/jobs/${gone}`)).toEqual({ outcome: "deleted" });
    expect(await api().ask("DELETE", `/jobs/${gone}`)).toMatchObject({ status: 404 });
    expect(await api().done("DELETE", `/jobs/${again}`)).toEqual({ outcome: "deleted" });
  });

  test("a result is awaited, and that of a dead one is an error", async () => {
    const id = await api().enqueue({}, { result: "1m" });
    await api().client.set(api().bench.context.keys.result(id), JSON.stringify({ ok: true, value: { made: 1 } }));
    expect(await api().get(`/jobs/${id}/result`)).toEqual({ result: { made: 1 } });
    const [dead = ""] = await bury(1);
    expect(await api().ask("GET", `/jobs/${dead}/result?wait=20s`)).toMatchObject({
      status: 409,
      body: { error: { code: "JOB_DEAD" } },
    });
    const late = await api().enqueue();
    expect(await api().ask("GET", `/jobs/${late}/result?wait=1ms`)).toMatchObject({ status: 408 });
  });

  describe("many at once", () => {
    test("a dry run counts and changes nothing; then they run again, by a filter or by their ids", async () => {
      const north = await bury(3, { tags: ["eu"] });
      const south = await bury(2, { queue: "low" });
      const filter = { tag: "eu" };
      expect(await api().done("POST", "/bulk", { action: "retry", filter, dryRun: true })).toMatchObject({ count: 3 });
      expect(await deadIds()).toHaveLength(5);
      expect(await api().done("POST", "/bulk", { action: "retry", filter })).toEqual({ count: 3, unknown: [] });
      expect(await deadIds()).toEqual(south.toSorted());
      const byIds = { action: "retry", ids: [south[0], north[0], "zzzz"] };
      expect(await api().done("POST", "/bulk", { ...byIds, dryRun: true })).toMatchObject({ count: 1 });
      expect(await api().done("POST", "/bulk", byIds)).toEqual({ count: 1, unknown: [north[0], "zzzz"] });
      expect(await deadIds()).toEqual([south[1]]);
    });

    test("a purge is taken back once, with bodies, large ones too, and what was remembered", async () => {
      const large = { text: "x".repeat(10_000) };
      const made = [...(await bury(2)), ...(await bury(1, { key: "k", queue: "low" }, large))];
      const [first = "", , big = ""] = made;
      const { context } = api().bench;
      await api().client.hset(`${context.keys.queue("fatal")}:e:${first}`, "error:1", "once");
      await api().client.sadd(`${context.keys.queue("fatal")}:em`, first);
      const before = await Promise.all(made.map((id) => api().queue.find(id)));
      const { count, undo } = await api().done("POST", "/bulk", { action: "purge", filter: {} });
      expect(count).toBe(3);
      expect(await deadIds()).toEqual([]);
      expect(await api().done("POST", `/undo/${undo}`)).toEqual({ count: 3 });
      expect(await deadIds()).toEqual(made.toSorted());
      expect(await Promise.all(made.map((id) => api().queue.find(id)))).toEqual(before);
      expect((await api().queue.find(big))?.body).toBe(JSON.stringify(large));
      expect(await api().ask("POST", `/undo/${undo}`)).toMatchObject({ status: 404 });
      expect(await api().get("/doctor")).toMatchObject({ sound: true, findings: [] });
      expect(await api().done("POST", "/bulk", { action: "retry", filter: {} })).toMatchObject({ count: 3 });
    });

    test("more than five hundred letters are purged for good, and the answer says so", async () => {
      await bury(501);
      const answer = await api().done("POST", "/bulk", { action: "purge", filter: {} });
      expect(answer).toEqual({ count: 501, unknown: [] });
      expect(await deadIds()).toEqual([]);
    });

    test("what waits is cancelled or put off, and what runs stays", async () => {
      await api().enqueue({ n: 0 });
      await api().take(await api().bench.worker("pod.1"));
      for (let n = 0; n < 4; n++) await api().enqueue({ n }, { tags: ["late"] });
      const filter = { tag: "late" };
      expect(await api().done("POST", "/bulk", { action: "reschedule", filter, delay: "1h" })).toMatchObject({
        count: 4,
      });
      expect((await api().get("/jobs?state=delayed")).items).toHaveLength(4);
      expect(await api().done("POST", "/bulk", { action: "cancel", filter: {} })).toMatchObject({ count: 4 });
      expect((await api().get("/jobs")).items).toMatchObject([{ state: "claimed" }]);
    });

    test("what makes no sense is refused", async () => {
      const refused = async (body: Json): Promise<unknown> => (await api().ask("POST", "/bulk", body)).body.error?.code;
      expect(await refused({ action: "retry" })).toBe("OPTIONS_INVALID");
      expect(await refused({ action: "retry", ids: ["a"], filter: {} })).toBe("OPTIONS_INVALID");
      expect(await refused({ action: "reschedule", filter: {} })).toBe("OPTIONS_INVALID");
      expect(await refused({ action: "purge", filter: { states: ["waiting"] } })).toBe("OPTIONS_INVALID");
      expect(await refused({ action: "burn", filter: {} })).toBe("REQUEST_INVALID");
      expect(await refused({ action: "retry", filter: { que: "x" } })).toBe("REQUEST_INVALID");
    });
  });
});
