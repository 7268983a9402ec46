// Signatures of webhooks: the published examples pass, everything else is refused.

import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { signatureHeaders, verifySignature } from "../../../services/sdk/hmac.ts";

const github = { header: "x-hub-signature-256", format: "github" } as const;
const slack = { header: "x-slack-signature", format: "slack" } as const;
const body = Buffer.from('{"a":1}');
const nowMs = 1_700_000_000_000;
const base = { body, secret: "s3cret", nowMs };

describe("published examples", () => {
  test("GitHub's", () => {
    const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const request = {
      headers: { "x-hub-signature-256": signature },
      body: Buffer.from("Hello, World!"),
      secret: "It's a Secret to Everybody",
      nowMs,
    };
    expect(verifySignature(github, request)).toBe("ok");
  });

  test("Slack's", () => {
    const request = {
      headers: {
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "x-slack-request-timestamp": "1531420618",
      },
      body: Buffer.from(
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
      ),
      secret: "8f742231b10e8888abcd99yyyzzz85a5",
      nowMs: 1_531_420_618_000,
    };
    expect(verifySignature(slack, request)).toBe("ok");
  });
});

describe.each(["github", "slack", "hex", "base64"] as const)("%s", (format) => {
  const way = { header: "x-signature", format };
  const headers = signatureHeaders(way, base);

  test("passes what was signed with the same secret", () => {
    expect(verifySignature(way, { ...base, headers })).toBe("ok");
  });

  test("refuses another body, another secret and an empty secret", () => {
    expect(verifySignature(way, { ...base, headers, body: Buffer.from('{"a":2}') })).toBe("wrong");
    expect(verifySignature(way, { ...base, headers, secret: "other" })).toBe("wrong");
    expect(verifySignature(way, { ...base, headers, secret: "" })).toBe("unset");
    expect(verifySignature(way, { ...base, headers: signatureHeaders(way, { ...base, secret: "" }), secret: "" })).toBe(
      "unset",
    );
  });

  test("refuses a header that is absent, twice there or malformed", () => {
    expect(verifySignature(way, { ...base, headers: {} })).toBe("missing");
    const signature = headers["x-signature"] ?? "";
    expect(verifySignature(way, { ...base, headers: { ...headers, "x-signature": [signature, signature] } })).toBe(
      "malformed",
    );
    for (const wrong of [
      "",
      "sha256=",
      "v0=",
      signature.slice(0, -1),
      `${signature}0`,
      `${signature}é`,
      "x".repeat(1e6),
    ])
      expect(verifySignature(way, { ...base, headers: { ...headers, "x-signature": wrong } })).toBe("malformed");
  });
});

test("Slack's timestamp must be a number of at most five minutes ago or ahead, and is signed", () => {
  const headers = signatureHeaders(slack, base);
  const at = (ms: number): string => verifySignature(slack, { ...base, headers, nowMs: nowMs + ms });
  expect([at(299_000), at(-299_000)]).toEqual(["ok", "ok"]);
  expect([at(301_000), at(-301_000)]).toEqual(["stale", "stale"]);
  const timestamp = (value: string | undefined): string =>
    verifySignature(slack, { ...base, headers: { ...headers, "x-slack-request-timestamp": value } });
  expect(timestamp(String(nowMs / 1000 + 1))).toBe("wrong");
  for (const wrong of [undefined, "", "now", "1e9", "-1", "1".repeat(400)]) expect(timestamp(wrong)).toBe("malformed");
});

test("generic hexadecimal may be written with the name of the hash before it", () => {
  const hex = createHmac("sha256", base.secret).update(body).digest("hex");
  const way = { header: "x-signature", format: "hex" } as const;
  for (const written of [hex, hex.toUpperCase(), `sha256=${hex}`])
    expect(verifySignature(way, { ...base, headers: { "x-signature": written } })).toBe("ok");
});
