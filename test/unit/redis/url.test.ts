import { describe, expect, test } from "vitest";
import { databaseOf, parseRedisUrl } from "../../../services/redis/url.ts";
import { hasCode } from "../../../services/runtime/errors.ts";

function problemsOf(url: string): string {
  try {
    parseRedisUrl(url);
  } catch (error) {
    expect(hasCode(error, "CONFIG_INVALID")).toBe(true);
    return (error as Error).message;
  }
  return "";
}

describe("what a Redis URL may say", () => {
  test.each([
    ["redis://h", { kind: "standalone", tls: false, address: { host: "h", port: 6379 }, database: 0 }],
    ["redis://h/", { kind: "standalone", tls: false, address: { host: "h", port: 6379 }, database: 0 }],
    ["rediss://h:7/3", { kind: "standalone", tls: true, address: { host: "h", port: 7 }, database: 3 }],
    ["redis://[::1]:7", { kind: "standalone", tls: false, address: { host: "::1", port: 7 }, database: 0 }],
    [
      "redis://:p%40ss%2F@h",
      {
        kind: "standalone",
        tls: false,
        credentials: { password: "p@ss/" },
        address: { host: "h", port: 6379 },
        database: 0,
      },
    ],
    [
      "redis://ann:a:b@c@h",
      {
        kind: "standalone",
        tls: false,
        credentials: { username: "ann", password: "a:b@c" },
        address: { host: "h", port: 6379 },
        database: 0,
      },
    ],
    [
      "redis+sentinel://:pw@a:1,b/main/2?sentinelUsername=u&sentinelPassword=s%26",
      {
        kind: "sentinel",
        tls: false,
        credentials: { password: "pw" },
        sentinels: [
          { host: "a", port: 1 },
          { host: "b", port: 26_379 },
        ],
        name: "main",
        database: 2,
        sentinelCredentials: { username: "u", password: "s&" },
      },
    ],
    [
      "rediss+sentinel://a/main",
      { kind: "sentinel", tls: true, sentinels: [{ host: "a", port: 26_379 }], name: "main", database: 0 },
    ],
    [
      "redis+cluster://a:1,b:2",
      {
        kind: "cluster",
        tls: false,
        nodes: [
          { host: "a", port: 1 },
          { host: "b", port: 2 },
        ],
      },
    ],
    ["rediss+cluster://a/0", { kind: "cluster", tls: true, nodes: [{ host: "a", port: 6379 }] }],
  ])("%s", (url, parts) => {
    expect(parseRedisUrl(url)).toEqual(parts);
  });

  test("the database, 0 in a cluster", () => {
    expect([databaseOf("redis://h/4"), databaseOf("redis+sentinel://h/n/5"), databaseOf("redis+cluster://h")]).toEqual([
      4, 5, 0,
    ]);
  });
});

describe("what is refused, with everything that is wrong at once", () => {
  test.each([
    ["localhost:6379", ["must begin with"]],
    ["http://h", ["must begin with"]],
    ["redis://", ["host is missing"]],
    ["redis://h:x", ["no host"]],
    ["redis://h:0", ["port"]],
    ["redis://h:70000/x", ["port", "database"]],
    ["redis://a,b", ["several hosts"]],
    ["redis://ann@h", ["without a password"]],
    ["redis://h?tls=true", ["parameters"]],
    ["redis://:a%zz@h", ["escape"]],
    [
      "redis+sentinel://a:1,b:x?foo=1&sentinelUsername=u",
      ["name of the Sentinel group", '"foo"', "sentinelPassword", '"b:x"'],
    ],
    ["redis+sentinel://a/n/x/y", ["database", "/y"]],
    ["redis+cluster://a/1", ["no database but 0"]],
    ["redis://:a#b@h", ["%23"]],
  ])("%s", (url, problems) => {
    for (const problem of problems) expect(problemsOf(url)).toContain(problem);
  });

  test("a password is never repeated", () => {
    for (const mark of ["/", "?", "#"]) expect(problemsOf(`redis://:hunter2${mark}hunter2@h`)).not.toContain("hunter2");
    expect(problemsOf("redis://ann:hunter2@h:x,b/zz?hunter2")).not.toContain("hunter2");
  });
});
