// A program on a machine where the package pg is not installed: what a bus says there.

import { registerHooks } from "node:module";

registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier !== "pg") return next(specifier, context);
    throw Object.assign(new Error("Cannot find package 'pg'"), { code: "ERR_MODULE_NOT_FOUND" });
  },
});

const { openBus } = await import("../../../services/bus/plugin.ts");
try {
  await openBus({ backend: "postgres", url: process.argv[2] ?? "" });
} catch (error) {
  const { code, message } = error as { readonly code: string; readonly message: string };
  console.log(`postgres: ${code}: ${message}`);
}
const bus = await openBus({ backend: "memory" });
console.log(`memory: ${(await bus.publish("/a", 1)).status}`);
await bus.close();
