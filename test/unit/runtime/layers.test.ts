// Layers around a function: their order, what they may change, and whose fault an error is.

import { expect, test } from "vitest";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { type Layer, throughLayers } from "../../../services/runtime/layers.ts";

type TextLayer = Layer<string, string>;

function through(layers: readonly TextLayer[], core: (given: string) => string | Promise<string>): Promise<string> {
  return throughLayers({ layers, core, passes: (error) => error === "meant" }, "a");
}

test("the first layer is the outermost, and each may change what goes in and what comes out", async () => {
  const layer = (name: string): TextLayer => ({
    name,
    around: async (given, next) => `${await next(`${given}${name}`)}/${name}`,
  });
  expect(await through([layer("b"), layer("c")], (given) => given.toUpperCase())).toBe("ABC/c/b");
});

test("a layer that does not call next answers itself", async () => {
  const deep: string[] = [];
  const shut: TextLayer = { name: "shut", around: () => "closed" };
  expect(await through([shut], (given) => (deep.push(given), given))).toBe("closed");
  expect(deep).toEqual([]);
});

test("what a layer throws bears its name; what the core throws does not, nor what means something", async () => {
  const around =
    (thrown: unknown): TextLayer["around"] =>
    () => {
      throw thrown;
    };
  const core = (): never => {
    throw new TypeError("of the core");
  };
  const open: TextLayer = { name: "open", around: (_given, next) => next() };
  await expect(through([open], core)).rejects.toThrow(new TypeError("of the core"));
  const broken = through([open, { name: "broken", around: around(new TypeError("no tenant")) }], core);
  await expect(broken).rejects.toMatchObject({
    code: "MIDDLEWARE_FAILED",
    message: expect.stringContaining("broken: TypeError: no tenant"),
    cause: new TypeError("no tenant"),
  });
  await expect(through([{ name: "wise", around: around("meant") }], core)).rejects.toBe("meant");
  const lost = new AntiphonError("CLAIM_LOST", "");
  await expect(through([{ name: "late", around: around(lost) }], core)).rejects.toBe(lost);
});

test("next may be called once", async () => {
  let runs = 0;
  const twice: TextLayer = { name: "twice", around: async (_given, next) => (await next()) + (await next()) };
  await expect(through([twice], () => `${++runs}`)).rejects.toMatchObject({
    code: "MIDDLEWARE_FAILED",
    message: expect.stringContaining("twice: next() may be called once"),
  });
  expect(runs).toBe(1);
});

test("a layer that does not wait for next neither hides its error nor leaves it behind", async () => {
  const steps: string[] = [];
  const core = async (): Promise<string> => {
    await Promise.resolve();
    steps.push("core");
    throw new Error("of the core");
  };
  const hasty: TextLayer = {
    name: "hasty",
    around: (_given, next) => {
      void next();
      return "done";
    },
  };
  await expect(through([hasty], core)).rejects.toThrow("of the core");
  expect(steps).toEqual(["core"]);
  const forgiving: TextLayer = { name: "forgiving", around: (_given, next) => next().catch(() => "forgiven") };
  expect(await through([forgiving], core)).toBe("forgiven");
});
