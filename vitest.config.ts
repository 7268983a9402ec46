import { defineConfig } from "vitest/config";

const source = (path: string): string => new URL(`./services/${path}`, import.meta.url).pathname;

// Hundreds of processes start in the tests: what one has compiled, the next ones read.
process.env["NODE_COMPILE_CACHE"] ??= new URL("./node_modules/.cache/compiled", import.meta.url).pathname;

// Tests mostly wait, so several files run side by side on two cores: fewer where whole bots run, two where they are killed.
export default defineConfig({
  // The package's own name means its sources here; its exports are what `npm run build` makes of them.
  resolve: {
    alias: [
      { find: /^antiphon$/, replacement: source("sdk/index.ts") },
      { find: /^antiphon\/adapter$/, replacement: source("sdk/adapter.ts") },
      { find: /^antiphon\/bus$/, replacement: source("bus/plugin.ts") },
      { find: /^antiphon\/client$/, replacement: source("client/client.ts") },
      { find: /^antiphon\/queue$/, replacement: source("queue/queue.ts") },
      { find: /^antiphon\/testing$/, replacement: source("testing/bot.ts") },
    ],
  },
  test: {
    reporters: ["default", "./test/support/missing-servers.ts"],
    setupFiles: ["./test/support/leaks.ts"],
    testTimeout: 60_000,
    hookTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          maxWorkers: 4,
          include: [
            "test/unit/**/*.test.ts",
            "test/contract/**/*.test.ts",
            "examples/**/*.test.ts",
            "templates/**/*.test.ts",
          ],
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts", "test/conformance/**/*.test.ts"],
          maxWorkers: 3,
          testTimeout: 180_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "chaos",
          include: ["test/chaos/**/*.test.ts"],
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
