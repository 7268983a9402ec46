// The tests of a cluster: one after another, because all of them share it. `npm run test:e2e` starts them.

import { defineConfig } from "vitest/config";

const source = (path: string): string => new URL(`../../services/${path}`, import.meta.url).pathname;

export default defineConfig({
  resolve: { alias: [{ find: /^antiphon$/, replacement: source("sdk/index.ts") }] },
  test: {
    root: new URL("../..", import.meta.url).pathname,
    include: ["test/e2e/*.test.ts"],
    reporters: ["default", "./test/support/missing-servers.ts"],
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 10 * 60_000,
  },
});
