// Values of the chart for tests: the image under test, small requests, and the handler of handlers/e2e.ts given inline.

import { readFileSync } from "node:fs";

export interface Values {
  readonly [key: string]: unknown;
}

export const IMAGE = process.env["IMAGE"] ?? "antiphon:test";
const HANDLER = readFileSync(new URL("../handlers/e2e.ts", import.meta.url), "utf8");
const SMALL = { requests: { cpu: "20m", memory: "64Mi" } };

/** Everything that is not said otherwise is the chart's own. */
export function testValues(more: Values = {}): Values {
  return merged(
    {
      image: imageOf(IMAGE),
      handlers: { inline: { "e2e.ts": HANDLER } },
      service: { type: "NodePort" },
      master: { resources: SMALL },
      worker: { resources: SMALL },
    },
    more,
  );
}

/** With so many of each, whatever happens. */
export function fixed(workers: number, masters: number): Values {
  return { autoscaling: { mode: "none" }, worker: { replicas: workers }, master: { replicas: masters } };
}

/** As Helm does it: maps are merged, everything else is replaced. */
export function merged(values: Values, more: Values): Values {
  const both = Object.entries(more).map(([key, value]) => {
    const own = values[key];
    return [key, isMap(own) && isMap(value) ? merged(own, value) : value];
  });
  return { ...values, ...Object.fromEntries(both) };
}

function isMap(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function imageOf(image: string): Values {
  const at = image.lastIndexOf(":");
  return { repository: image.slice(0, at), tag: image.slice(at + 1), pullPolicy: "IfNotPresent" };
}
