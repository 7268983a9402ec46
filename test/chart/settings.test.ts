// What the processes are told: variables, the settings file, handlers; secrets only where they are needed, and a change of
// any of it rolls the pods.

import { expect, test } from "vitest";
import { parse } from "yaml";
import { at, ciValues, env, find, LEAST, type Manifest, ofKind, podAnnotations, render } from "./support/render.ts";

const secretKey = (name: string, key: string): object => ({ secretKeyRef: { name, key } });
const master = (objects: readonly Manifest[]): Manifest => find(objects, "Deployment", "antiphon-master");
const worker = (objects: readonly Manifest[]): Manifest => find(objects, "Deployment", "antiphon-worker");

function settingsOf(objects: readonly Manifest[]): unknown {
  const { data } = find(objects, "ConfigMap", "antiphon-settings") as Manifest & { data: Record<string, string> };
  return parse(data["antiphon.config.yaml"] ?? "");
}

test("the settings file is `config` with the settings of the adapters that are on", async () => {
  const { production = {} } = ciValues();
  const objects = await render(production);
  expect(settingsOf(objects)).toEqual({
    name: "hal",
    namespace: "production",
    durability: "replica",
    groups: { deployers: ["web:ann"] },
    adapters: {
      web: { order: "room" },
      irc: { host: "irc.example.com", nick: "hal", channels: ["#ops"], sasl: "plain" },
    },
  });
  for (const one of [master(objects), worker(objects)])
    expect(env(one)).toMatchObject({
      ANTIPHON_CONFIG: { value: "/etc/antiphon/settings/antiphon.config.yaml" },
      ANTIPHON_ADAPTERS: { value: "irc,web" },
    });
});

test("every secret can come from a Secret of the user's, and then none is made", async () => {
  const { production = {} } = ciValues();
  const objects = await render(production);
  expect(ofKind(objects, "Secret")).toEqual([]);
  expect(env(worker(objects))).toMatchObject({
    REDIS_URL: { valueFrom: secretKey("redis", "uri") },
    ANTIPHON_ADMIN_TOKEN: { valueFrom: secretKey("tokens", "admin") },
    ANTIPHON_ADMIN_TOKENS: { valueFrom: secretKey("tokens", "people") },
    ANTIPHON_WEB_TOKEN: { valueFrom: secretKey("tokens", "web") },
  });
  expect(at(worker(objects), "spec.template.spec.containers.0.envFrom")).toEqual([
    { secretRef: { name: "handler-secrets" } },
  ]);
});

test("what only masters need is kept from workers", async () => {
  const { production = {} } = ciValues();
  const objects = await render(production);
  expect(env(master(objects))["IRC_PASSWORD"]?.valueFrom).toEqual(secretKey("irc", "password"));
  expect(env(worker(objects))).not.toHaveProperty("IRC_PASSWORD");
  const adapters = {
    "@team/chat": { enabled: true, existingSecret: "chat", secretKeys: { ANTIPHON_ADAPTER_CHAT_TOKEN: "t" } },
  };
  const own = await render({ ...LEAST, adapters });
  expect(env(worker(own))["ANTIPHON_ADAPTER_CHAT_TOKEN"]?.valueFrom).toEqual(secretKey("chat", "t"));
});

test("secrets in values become a Secret and stand nowhere else", async () => {
  const url = "redis://:hush-hush@redis:6379";
  const objects = await render({
    redis: { url },
    adminToken: { value: "hush-hush" },
    adminTokens: { value: "ann:viewer:hush-hush" },
    webToken: { value: "hush-hush" },
  });
  const { data } = find(objects, "Secret", "antiphon-settings") as Manifest & { data: Record<string, string> };
  const plain = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]);
  expect(Object.fromEntries(plain)).toEqual({
    "redis-url": url,
    "admin-token": "hush-hush",
    "admin-tokens": "ann:viewer:hush-hush",
    "web-token": "hush-hush",
  });
  expect(JSON.stringify(objects.filter(({ kind }) => kind !== "Secret"))).not.toContain("hush-hush");
  expect(env(worker(objects))).toMatchObject({
    REDIS_URL: { valueFrom: secretKey("antiphon-settings", "redis-url") },
    ANTIPHON_ADMIN_TOKEN: { valueFrom: secretKey("antiphon-settings", "admin-token") },
    ANTIPHON_WEB_TOKEN: { valueFrom: secretKey("antiphon-settings", "web-token") },
  });
});

test("handlers: those of the image unless others are named, then exactly these", async () => {
  const folders = async (handlers: object): Promise<unknown> =>
    env(worker(await render({ ...LEAST, handlers })))["ANTIPHON_HANDLERS"]?.value;
  expect(await folders({})).toBeUndefined();
  expect(await folders({ inline: { "a.ts": "" } })).toBe("/etc/antiphon/handlers/inline");
  expect(await folders({ inline: { "a.ts": "" }, configMap: "more", paths: ["./handlers", "@team/handlers"] })).toBe(
    "./handlers,@team/handlers,/etc/antiphon/handlers/inline,/etc/antiphon/handlers/configmap",
  );
});

test("handlers given inline are mounted as they are", async () => {
  const { "inline-handlers": values = {} } = ciValues();
  const objects = await render(values);
  const { data } = find(objects, "ConfigMap", "antiphon-handlers") as Manifest & { data: object };
  expect(data).toEqual(at(values, "handlers.inline"));
  const pod = at(worker(objects), "spec.template.spec");
  const mounts = at(pod, "containers.0.volumeMounts") as object[];
  expect(mounts).toContainEqual({
    name: "handlers-inline",
    mountPath: "/etc/antiphon/handlers/inline",
    readOnly: true,
  });
  expect(at(pod, "volumes")).toContainEqual({ name: "handlers-inline", configMap: { name: "antiphon-handlers" } });
});

test.each([
  ["settings", { config: { name: "hal" } }],
  ["settings", { adapters: { web: { config: { order: "room" } } } }],
  ["handlers", { handlers: { inline: { "a.ts": "export {}" } } }],
  ["secrets", { adminToken: { value: "other" } }],
  ["secrets", { redis: { existingSecret: "", url: "redis://elsewhere" } }],
])("a change of %s rolls the pods of both modes", async (what, change) => {
  const [before, after] = [await render(LEAST), await render({ ...LEAST, ...change })];
  for (const one of [master, worker]) {
    const key = `checksum/${what}`;
    expect(podAnnotations(one(before))[key]).toMatch(/^[0-9a-f]{64}$/);
    expect(podAnnotations(one(after))[key]).not.toBe(podAnnotations(one(before))[key]);
  }
});

test("what has not changed rolls nothing", async () => {
  const { production = {} } = ciValues();
  const [once, again] = [await render(production), await render(production)];
  expect(again).toEqual(once);
});

test("the bundled Redis: one, with a password, an append-only file, and nothing evicted", async () => {
  const objects = await render({ redis: { bundled: { enabled: true } } });
  const redis = find(objects, "StatefulSet", "antiphon-redis");
  const program = String(at(redis, "spec.template.spec.containers.0.command.2"));
  for (const line of [
    "requirepass $REDIS_PASSWORD",
    "appendonly yes",
    "appendfsync everysec",
    "maxmemory-policy noeviction",
  ])
    expect(program.split("\n")).toContain(line);
  const { data } = find(objects, "Secret", "antiphon-redis") as Manifest & { data: Record<string, string> };
  expect(Buffer.from(data["password"] ?? "", "base64").toString()).toMatch(/^[A-Za-z0-9]{32}$/);
  expect(env(worker(objects))).toMatchObject({
    REDIS_PASSWORD: { valueFrom: secretKey("antiphon-redis", "password") },
    REDIS_URL: { value: "redis://:$(REDIS_PASSWORD)@antiphon-redis.bots:6379" },
  });
  expect(at(redis, "spec.template.spec.volumes")).toEqual([{ name: "data", emptyDir: {} }]);
});

test("the bundled Redis on a volume: claimed, or the user's own", async () => {
  const { "bundled-volume": values = {} } = ciValues();
  const objects = await render(values);
  const redis = find(objects, "StatefulSet", "antiphon-redis");
  expect(at(redis, "spec.volumeClaimTemplates.0.spec")).toEqual({
    accessModes: ["ReadWriteOnce"],
    storageClassName: "",
    resources: { requests: { storage: "1Gi" } },
  });
  expect(ofKind(objects, "Secret")).toEqual([]);
  expect(env(worker(objects))["REDIS_PASSWORD"]?.valueFrom).toEqual(secretKey("redis-password", "password"));
  const persistence = { enabled: true, existingClaim: "of-ours" };
  const own = find(
    await render({ redis: { bundled: { enabled: true, persistence } } }),
    "StatefulSet",
    "antiphon-redis",
  );
  expect(at(own, "spec.template.spec.volumes.0.persistentVolumeClaim.claimName")).toBe("of-ours");
  expect(own).not.toHaveProperty("spec.volumeClaimTemplates");
});

test("the test says a line as a guest, under the bot's name, where there is a web chat", async () => {
  const canary = async (values: object): Promise<Readonly<Record<string, unknown>>> =>
    env(find(await render({ ...LEAST, ...values }), "Pod", "antiphon-test"));
  expect(await canary({ config: { name: "hal" }, service: { port: 80 } })).toMatchObject({
    CANARY_URL: { value: "http://antiphon-worker.bots:80" },
    CANARY_TEXT: { value: "hal ping" },
  });
  const adapters = { web: { enabled: false }, irc: { enabled: true, config: { host: "irc" } } };
  expect(await canary({ adapters })).not.toHaveProperty("CANARY_URL");
  const pod = find(await render(LEAST), "Pod", "antiphon-test");
  expect(pod.metadata.annotations).toMatchObject({ "helm.sh/hook": "test" });
});
