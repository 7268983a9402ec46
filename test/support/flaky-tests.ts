// Ends a test run with the list of tests that passed only when they were tried again: no failure goes unseen.

import type { Reporter, TestModule } from "vitest/node";

export default class FlakyTests implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) =>
      [...module.children.allTests()]
        .filter((found) => found.diagnostic()?.flaky)
        .map((found) => {
          const [error] = found.result().errors ?? [];
          return `   ${module.relativeModuleId} > ${found.fullName}: ${error?.message.split("\n")[0] ?? ""}`;
        }),
    );
    if (lines.length > 0) console.log(`\n Tests that failed before they passed:\n${lines.join("\n")}\n`);
  }
}
