// Whether a master has an external metrics API.

import { expect, test } from "vitest";
import { systemClock } from "../../../services/runtime/clock.ts";
import { metricsApiOf } from "../../../services/master/metrics-api.ts";

const look = async () => ({ queues: [], outboxes: [], pools: [] });
const common = { look, emit: () => {}, clock: systemClock, random: Math.random };
const config = { adminHost: "127.0.0.1", metricsApiPort: 6443, metricsApiCertificate: "/tls" };
const place = { server: "https://10.0.0.1", folder: "/account", namespace: "bots" };

test("none unless a port is set for it", () => {
  const off = { ...config, metricsApiPort: undefined, metricsApiCertificate: undefined };
  expect(metricsApiOf({ ...common, config: off, place })).toEqual([]);
  expect(metricsApiOf({ ...common, config, place })).toHaveLength(1);
});

test("where nobody could say whom it may trust, the start fails and says why", () => {
  expect(() => metricsApiOf({ ...common, config, place: undefined })).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining("service account") }),
  );
});
