// Where there is no service account nothing is scaled, and that is told.

import { expect, test } from "vitest";
import { surroundingsOf } from "../../../services/master/in-cluster.ts";

const scaleTargets = [{ pool: "default", deployment: "worker", min: 2, max: 10 }];
const figures = async (): Promise<[]> => [];

test("without a service account nobody scales, and each Deployment that should be is named", () => {
  const told: unknown[] = [];
  const around = {
    config: { scaleTargets },
    emit: (name: string, fields: object) => void told.push({ name, ...fields }),
  };
  expect(surroundingsOf(around, 6_000, figures)).toBeUndefined();
  const why = "this process has no service account of Kubernetes";
  expect(told).toEqual([{ name: "scale.held", deployment: "worker", why }]);
});

test("with one it is scaled, as fast as is preset", () => {
  const place = { server: "https://localhost:1", namespace: "bots", folder: "/", pod: "master-1" };
  const around = { place, config: { scaleTargets }, emit: () => {} };
  expect(surroundingsOf(around, 6_000, figures)).toEqual({ place, targets: scaleTargets, figures, heardMs: 6_000 });
});
